"""The layout of the source: small folders and files, each folder with its purpose, each name with one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import REPOSITORY

PACKAGES = (REPOSITORY / "tabspec", REPOSITORY / "lsp" / "tabspec_lsp")
MOST_FILES, MOST_LINES = 12, 350
# One file for each command.
COMMANDS = REPOSITORY / "tabspec" / "cli"
TYPE = re.compile(r"_?[A-Z]\w*[a-z]\w*")


def _folders() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (found.parent for found in package.rglob("__init__.py"))


def _files() -> Iterator[Path]:
    for folder in _folders():
        yield from folder.glob("*.py")


def test_files_are_found() -> None:
    assert COMMANDS in set(_folders()) and COMMANDS / "main.py" in set(_files())


@pytest.mark.parametrize("folder", sorted(_folders()), ids=lambda folder: str(folder.relative_to(REPOSITORY)))
def test_a_folder_is_small_and_states_its_purpose(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_FILES or folder == COMMANDS
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def test_files_are_small() -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in _files()}
    assert not {path.name: count for path, count in lines.items() if count > MOST_LINES}


def test_each_class_and_type_has_a_name_of_its_own() -> None:
    """Names in CamelCase. The same type may be written out in several files, such as ``Lines = tuple[str, ...]``."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for path in _files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                meanings[node.name.lstrip("_")].add(f"class, {path.relative_to(REPOSITORY)}:{node.lineno}")
            elif isinstance(node, ast.Assign) and TYPE.fullmatch(name := ast.unparse(node.targets[0])):
                meanings[name.lstrip("_")].add(ast.unparse(node.value))
    assert not {name: sorted(found) for name, found in meanings.items() if len(found) > 1}
