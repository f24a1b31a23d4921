"""What open documents import is read from their workspace folder, in the background."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tabspec_lsp.state import imports
from tabspec_lsp.state.documents import ContentChange, Documents
from tabspec_lsp.state.imports import Imports

from tabspec.engine.neighbours import Neighbours
from tabspec.ignore import IgnoreRules
from tabspec.text import Document, Edit


class Stage:
    """Documents, neighbours and imports of one workspace folder with two modules in it."""

    def __init__(self, folder: Path, chars: int = 900) -> None:
        for name in ("one", "two"):
            (folder / f"{name}.py").write_text(f"{name} = 1\n")
        self.uri = (folder / "main.py").as_uri()
        self.neighbours, self.documents = Neighbours(chars), Documents()
        rules = IgnoreRules.read([folder])
        self.imports = Imports(self.neighbours, self.documents, lambda: [folder], rules.ignored)

    def open(self, text: str) -> None:
        document = Document(self.uri, text, "python", 1)
        self.documents.open(document)
        self.imports.opened(document)

    async def read(self) -> list[str]:
        """The texts that are known once nothing is being read any more."""
        while self.imports._timers._handles or self.imports._tasks:
            await asyncio.gather(*self.imports._tasks)
            await asyncio.sleep(0)
        return [each.text for each in self.neighbours._imported.get(self.uri, {}).values()]


async def test_imports_are_read_when_a_document_is_opened(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open("import one\n")
    assert await stage.read() == ["one = 1\n"]


async def test_imports_are_read_again_when_one_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_REST_S", 0.0)
    stage = Stage(tmp_path)
    stage.open("import one\nx = 1\n")
    await stage.read()
    changed = stage.documents.change(stage.uri, 2, [ContentChange("import one\nx = 12\n")])
    assert changed
    stage.imports.changed(changed)
    assert not stage.imports._timers._handles, "no line that imports was touched"
    changed = stage.documents.change(stage.uri, 3, [ContentChange("import one, two\nx = 12\n")])
    assert changed and changed.edits == (Edit(10, 0, ", two"),)
    stage.imports.changed(changed)
    assert await stage.read() == ["one = 1\n", "two = 1\n"]


async def test_files_are_not_read_when_related_code_is_off(tmp_path: Path) -> None:
    stage = Stage(tmp_path, chars=0)
    stage.open("import one\n")
    assert not stage.imports._tasks
    assert await stage.read() == []


async def test_a_document_that_was_closed_meanwhile_is_forgotten(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open("import one\n")
    stage.documents.close(stage.uri)
    assert await stage.read() == []
