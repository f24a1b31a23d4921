"""Renames of definitions, followed into other open documents."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

from dataclasses import replace

import pytest

from tabspec.edits.proposals.propose import LEAST, propose
from tabspec.text import Document
from tests.edit_steps import after, walked

PYTHON = "def load(path):\n    return path\n"


def beside(before: str, pair: tuple[str, str], other: str, names: tuple[str, str] = ("a.py", "b.py")) -> str:
    """The text of another open document after the edits that are shown."""
    document, steps = after(before, pair, uri=f"file:///{names[0]}")
    open_too = Document(f"file:///{names[1]}", other)
    return walked(open_too, propose(document, len(document.text), steps, [open_too], LEAST))


@pytest.mark.parametrize(
    ("names", "before", "pair", "other", "wanted"),
    [
        (("a.py", "b.py"), PYTHON, ("def load(path):\n", "def read(path):\n"), "from a import load\n\nx = load(1)\n", "from a import read\n\nx = read(1)\n"),
        (("a.ts", "b.ts"), "export function load() {}\n", ("export function load() {}\n", "export function read() {}\n"), "import { load } from './a'\nload()\n", "import { read } from './a'\nread()\n"),
        (("a.py", "b.py"), "class A:\n    def load(self):\n        pass\n", ("    def load(self):\n", "    def read(self):\n"), "x = a.load()\nload(x)\n", "x = a.read()\nload(x)\n"),
        (("a.rs", "b.rs"), "impl A {\n    pub fn load(&self) {}\n}\n", ("    pub fn load(&self) {}\n", "    pub fn read(&self) {}\n"), "fn f(a: A) {\n    a.load();\n}\n", "fn f(a: A) {\n    a.read();\n}\n"),
        (("p/a.go", "q/b.go"), "package p\n\nfunc (a *A) Load() {}\n", ("func (a *A) Load() {}\n", "func (a *A) Read() {}\n"), "package q\n\nfunc f() { a.Load() }\n", "package q\n\nfunc f() { a.Read() }\n"),
        (("p/a.go", "p/b.go"), "package p\n\nfunc load() {}\n", ("func load() {}\n", "func read() {}\n"), "package p\n\nfunc f() { load() }\n", "package p\n\nfunc f() { read() }\n"),
        (("p/a.go", "q/b.go"), "package p\n\nfunc Load() {}\n", ("func Load() {}\n", "func Read() {}\n"), "package q\n\nfunc f() { p.Load() }\n", "package q\n\nfunc f() { p.Read() }\n"),
    ],
)  # fmt: skip
def test_uses_in_other_documents_follow(names, before, pair, other, wanted) -> None:
    assert beside(before, pair, other, names) == wanted


@pytest.mark.parametrize(
    "other",
    [
        "x = load(1)\n",  # not imported: another function of this name
        "from a import load\n\ndef load(x):\n    return x\n\nx = load(1)\n",  # its own
        "from a import load\n\nread = 1\nx = load(read)\n",  # the new name means something here
        "from a import other\n\n# load\nx = 'load'\n",
    ],
)
def test_what_may_be_another_name_stays(other: str) -> None:
    assert beside(PYTHON, ("def load(path):\n", "def read(path):\n"), other) == other


@pytest.mark.parametrize(
    ("name", "definition", "uses"),
    [
        ("py", ("def load(path):\n", "def read(path):\n"), "from a import load\n\nx = load(1)\ny = 0\nz = 0\n\n\n\nload(x)\n"),
        ("ts", ("export function load() {}\n", "export function read() {}\n"), "import { load } from './a'\nload()\n\n\n\n\n\nload()\n"),
        ("rs", ("pub fn load() {}\n", "pub fn read() {}\n"), "use crate::a::load;\n\n\n\n\n\nfn f() {\n    load();\n}\n"),
    ],
)  # fmt: skip
def test_the_chain_goes_on_after_the_import_is_changed(name: str, definition: tuple[str, str], uses: str) -> None:
    """Accept by accept, as a user does: an accepted edit is no step to learn from."""
    document, steps = after(definition[0] + "\n", definition, uri=f"file:///a.{name}")
    other, cursor, accepts = Document(f"file:///b.{name}", uses), 0, 0
    while chain := propose(other, cursor, steps, [document], LEAST):
        other, cursor, accepts = chain[0].apply(other), chain[0].cursor, accepts + 1
    assert other.text == uses.replace("load", "read") and accepts >= 2


def test_only_definitions_are_followed() -> None:
    other = "from a import load\n\nx = load(1)\n"
    assert beside("x = load(2)\ny = 1\n", ("x = load(2)\n", "x = read(2)\n"), other) == other
    assert (
        beside("def f():\n    def load():\n        pass\n", ("    def load():\n", "    def read():\n"), other) == other
    )


def test_a_change_is_repeated_where_the_user_is() -> None:
    line = "value = compute(first, second, third)\n"
    changed = line.replace("third", "third, fourth")
    document, steps = after(line * 4, (line, changed), (line, changed), (line, changed), uri="file:///a.py")
    other = Document("file:///b.py", line)
    chain = propose(document, len(document.text), steps, [other], LEAST)
    assert chain and {edit.uri for edit in chain} == {document.uri}
    assert propose(other, 0, steps, [document], LEAST)[0].uri == other.uri


def test_a_method_that_pythons_own_types_have_is_not_followed() -> None:
    before, pair = (
        "class A:\n    def append(self):\n        pass\n",
        ("    def append(self):\n", "    def put(self):\n"),
    )
    assert beside(before, pair, "x = a.append()\n") == "x = a.append()\n"


@pytest.mark.parametrize(("line", "followed"), [("load = read\n", True), ("x = load(1)\n", False)])
def test_a_name_that_is_written_again_is_followed_only_if_it_is_kept_for_others(line: str, followed: bool) -> None:
    document, steps = after(
        PYTHON + "\n\nx = 1\n", ("def load(path):\n", "def read(path):\n"), ("x = 1\n", "x = 1\n" + line)
    )
    other = Document("file:///b.py", "from a import load\n\nx = load(1)\n")
    edits = propose(document, 0, steps, (other,))
    assert any(edit.uri == other.uri for edit in edits) is followed


def test_a_use_that_was_written_before_the_rename_is_followed() -> None:
    written, steps = after("from a import load\n", ("from a import load\n", "from a import load\n\nx = load(1)\n"))
    other = Document("file:///b.py", written.text)
    steps = [replace(steps[0], uri=other.uri)]
    document, renamed = after(PYTHON + "\n\n\n\n\ny = load(2)\n", ("def load(path):\n", "def read(path):\n"))
    edits = propose(document, 0, [*steps, *renamed], (other,), LEAST)
    assert {edit.uri for edit in edits} == {document.uri, other.uri}


@pytest.mark.parametrize(
    ("names", "before", "pair", "other"),
    [
        # one import has both: there are two functions
        (("a.py", "b.py"), PYTHON, ("def load(path):\n", "def read(path):\n"), "from a import (\n    load,\n    read,\n)\n\nx = load(1)\n"),
        # the line has the new name already
        (("a.py", "b.py"), "class A:\n    def load(self):\n        pass\n", ("    def load(self):\n", "    def read(self):\n"), "x = a.load(1) or a.read(1)\n"),
        # no longer to be seen in other packages
        (("p/a.go", "q/b.go"), "package p\n\nfunc Load() {}\n", ("func Load() {}\n", "func load() {}\n"), "package q\n\nfunc f() { p.Load() }\n"),
        # a type and a field: methods are called
        (("p/a.go", "q/b.go"), "package p\n\nfunc (a *A) Load() {}\n", ("func (a *A) Load() {}\n", "func (a *A) Read() {}\n"), "package q\n\nfunc f(x m.Load) { a.Load = x }\n"),
        (("a.rs", "b.rs"), "impl A {\n    pub fn load(&self) {}\n}\n", ("    pub fn load(&self) {}\n", "    pub fn read(&self) {}\n"), "fn f(a: A) {\n    a.load = 1;\n}\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_the_renamed_name_stays(names, before, pair, other) -> None:
    assert beside(before, pair, other, names) == other


def test_an_uncalled_property_of_python_follows() -> None:
    before = "class A:\n    @property\n    def load(self):\n        return 1\n"
    pair = "    def load(self):\n", "    def read(self):\n"
    assert beside(before, pair, "x = a.load\n") == "x = a.read\n"


def test_a_chain_goes_on_to_a_second_import() -> None:
    other = "from a import load\n\n\ndef f():\n    from a import load\n\n    return load(1)\n"
    pair = "def load(path):\n", "def read(path):\n"
    assert beside(PYTHON, pair, other) == other.replace("load", "read")
    assert beside(PYTHON, pair, other.replace("load", "read", 1)) == other.replace("load", "read")
