"""Rules that change while documents are open: data of a file that is now ignored is deleted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tabspec_lsp.options import Options
from tabspec_lsp.service import CompletionService
from tabspec_lsp.state.documents import ContentChange
from tabspec_lsp.state.recorder import Recorder
from tabspec_lsp.state.workspace import Workspace
from test_ignoring import WATCHING, folder

from tabspec.context import EditContext
from tabspec.models.scripted.model import ScriptedModel
from tabspec.suggestion import Answer
from tabspec.text import Document, Position
from tests.lsp.conftest import Start

SECRET = "password_of_everything"


class _Listener:
    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Stage:
    """A service over a workspace folder with a plain file and one that can be named by a rule."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model, self.loaded = ScriptedModel(lambda request: "word"), asyncio.Event()
        self.loaded.set()
        self.recordings = root.parent / f"{root.name}-recordings"
        self.workspace = Workspace(self._changed)
        self.service = CompletionService(
            self._opened, _Listener(), self.workspace.ignored, Recorder(self.recordings), lambda: [root]
        )

    def _changed(self) -> None:
        self.service.rules_changed()

    async def _opened(self, *_: object) -> ScriptedModel:
        await self.loaded.wait()
        return self.model

    async def rules(self, text: str) -> None:
        (self.root / ".tabspecignore").write_text(text)
        self.workspace.use([self.root.as_uri()])
        await self.workspace.settled()

    async def begin(self) -> None:
        self.configure(related_chars=2_000)
        await self.service.host.settled()

    def configure(self, **changed: Any) -> None:
        options, problems = Options().updated(changed)
        assert not problems
        self.service.configure(options)

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str) -> None:
        self.service.opened(Document(self.uri(name), text, "python", 1))

    async def ask(self, name: str, character: int) -> bool:
        return await self.service.complete(self.uri(name), Position(0, character)) is not None

    def recorded(self) -> str:
        return "".join(path.read_text() for path in self.recordings.glob("*"))

    def held(self) -> str:
        """All text that could get into a prompt."""
        neighbours = self.service.neighbours
        documents = [
            *neighbours._open.values(),
            *(d for found in neighbours._imported.values() for d in found.values()),
        ]
        return "".join(document.text for document in documents)


async def waiting(root: Path, name: str = "vault.py") -> tuple[Stage, asyncio.Task[Any]]:
    """A request for a next edit in a file, which waits for the model, after changes in two files."""
    stage = Stage(root)
    stage.loaded.clear()
    await stage.rules("")
    stage.configure(patience=60)
    for each in ("vault.py", "main.py"):
        stage.open(each, f"x = {SECRET}\n")
        stage.service.changed(stage.uri(each), 2, [ContentChange(f"y = {SECRET}\n")])
    asked = asyncio.create_task(stage.service.next_edits.alone(stage.uri(name), Position(0, 0), 2))
    await asyncio.sleep(0)
    return stage, asked


def watched(stage: Stage) -> list[EditContext]:
    """The contexts that the engine will be asked about."""
    contexts: list[EditContext] = []
    edit = stage.service.host.edit

    async def watching(context: EditContext, pause: bool) -> Answer:
        contexts.append(context)
        return await edit(context, pause)

    stage.service.host.edit = watching  # type: ignore[method-assign]
    return contexts


async def test_all_data_of_a_file_is_deleted_when_a_rule_ignores_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "imported.py").write_text(f"also = '{SECRET}'\n")
    stage = Stage(root)
    await stage.rules("")
    await stage.begin()
    stage.open("vault.py", f"x = {SECRET}\n")
    stage.open("main.py", f"import imported\nx = {SECRET[:8]}\n")
    await asyncio.gather(*stage.service._imports._tasks)
    stage.service.changed(stage.uri("vault.py"), 2, [ContentChange(f"y = {SECRET}\n")])
    stage.service.changed(stage.uri("main.py"), 2, [ContentChange(f"import imported\ny = {SECRET[:8]}\n")])
    assert await stage.ask("vault.py", 1) and await stage.ask("main.py", 1)
    assert stage.held().count(SECRET) == 2 and SECRET in stage.recorded(), "without a rule all of it is known"
    engine, asked = stage.service.host.engine, len(stage.model.requests)

    await stage.rules("vault.py\nimported.py\n")
    assert SECRET not in stage.held() and SECRET not in stage.recorded()
    assert stage.service.host.engine is not engine, "a new one, whose completion cache is empty"
    assert not any(offer.context.uri == stage.uri("vault.py") for offer in stage.service.offers._by_id.values())
    stage.service.changed(stage.uri("vault.py"), 3, [ContentChange(f"z = {SECRET}\n")])
    assert not await stage.ask("vault.py", 1)
    assert await stage.ask("main.py", 2)
    assert SECRET not in stage.held() and SECRET not in stage.recorded(), "nor is it known again"
    for request in stage.model.requests[asked:]:
        assert request.path == "main.py" and not any(SECRET in text.text for text in request.related)
    assert "main.py" in stage.recorded()

    await stage.rules("")
    assert await stage.ask("vault.py", 1), "and used again, when no rule names it"
    stage.service.changed(stage.uri("vault.py"), 4, [ContentChange("all new\n")])
    assert "all new" in stage.recorded()
    await stage.service.close()
    stage.workspace.close()


@pytest.mark.parametrize("ending", ["a rule", "next_edits", "enabled"])
async def test_what_excludes_a_document_during_the_wait_for_a_next_edit(tmp_path: Path, ending: str) -> None:
    stage, asked = await waiting(tmp_path)
    contexts = watched(stage)
    if ending == "a rule":
        await stage.rules("vault.py\n")
    else:
        stage.configure(patience=60, **{ending: "off" if ending == "next_edits" else False})
    stage.loaded.set()
    assert await asked == () and contexts == []
    await stage.service.close()
    stage.workspace.close()


async def test_a_rule_during_the_wait_for_a_next_edit_hides_the_other_file(tmp_path: Path) -> None:
    stage, asked = await waiting(tmp_path, "main.py")
    contexts = watched(stage)
    await stage.rules("vault.py\n")
    stage.loaded.set()
    await asked
    (context,) = contexts
    assert context.history is not None and [step.uri for step in context.history.steps] == [stage.uri("main.py")]
    assert context.others == ()
    await stage.service.close()
    stage.workspace.close()


async def test_no_document_is_used_before_the_rules_are_read(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    await stage.begin()
    stage.open("main.py", "x = 1\n")
    assert not await stage.ask("main.py", 1) and not stage.model.requests and not stage.held()
    await stage.rules("")
    assert await stage.ask("main.py", 1)
    await stage.service.close()
    stage.workspace.close()


async def test_unchanged_rules_change_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    await stage.rules("*.sql")
    await stage.begin()
    engine = stage.service.host.engine
    await stage.rules("*.sql")
    assert stage.service.host.engine is engine
    await stage.service.close()
    stage.workspace.close()


async def test_a_hostile_rules_file_is_reported_and_does_not_hang_the_server(start: Start, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for each in (one, two):
        each.mkdir()
    os.mkfifo(one / ".tabspecignore")
    params = {"capabilities": WATCHING, "workspaceFolders": [folder(one), folder(two)]}
    client = await start(model={"target": "select 1"}, initialize=params)
    a, b = f"{one.as_uri()}/a.sql", f"{two.as_uri()}/b.sql"
    client.open("sel", a)
    client.open("sel", b)
    assert await client.inline(0, 3, a) == []
    assert len(await client.inline(0, 3, b)) == 1
    told = await client.until(lambda message: message.get("method") == "window/showMessage")
    assert "no regular file" in told["params"]["message"]

    (one / ".tabspecignore").unlink()
    (one / ".tabspecignore").write_bytes(b"\xef\xbb\xbf*.txt\n")
    change = {"uri": f"{one.as_uri()}/.tabspecignore", "type": 2}
    client.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
    assert len(await client.inline(0, 3, a)) == 1
