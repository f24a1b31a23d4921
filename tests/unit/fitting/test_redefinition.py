"""Suggestions that define a name again are cut before the definition, and no others are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tabspec
from tabspec.context import EditContext
from tabspec.fitting.postprocess import postprocess
from tabspec.fitting.redefinition import cut_redefinition
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import Document

AGAIN = [
    ("python", "def a():\n    pass\n\n\n¦\n\n\ndef b(x):\n    pass\n", "def b(x):", "b"),
    ("python", "async def b(x):\n    pass\n\n\ndef ¦\n", "b(y):", "b"),
    ("python", "class A:\n    def b(self):\n        pass\n\n    ¦\n", "def b(self):", "b"),
    ("python", "class A:\n    @fixture\n    def b(self):\n        pass\n\n    @fixture\n    ¦\n", "def b(self):", "b"),
    ("python", "def f(\n    a: int,\n    ¦\n    b: str,\n): ...\n", "b: str,", "b"),
    ("python", "x = {\n    'a': 1,\n    ¦\n}\n", "'a': 2,", "a"),
    ("typescript", "export class A {\n}\nexport class B {\n}\n¦\n", "export class A {", "A"),
    ("typescript", "interface A {\n  a?: string;\n  ¦\n}\n", "a?: number;", "a"),
    ("typescriptreact", "const a = 1;\n¦\n", "const a = 2;", "a"),
    ("javascript", "function a() {\n}\n\n¦\n", "function a() {", "a"),
    ("javascript", "call({\n  a: 1,\n  ¦\n});\n", "a: 2,", "a"),
    ("rust", "impl A {\n    pub fn b(&self) {\n    }\n\n    ¦\n}\n", "fn b(&mut self) {", "b"),
    ("rust", "#[test]\nfn b() {\n}\n\n#[test]\n¦\n", "fn b() {", "b"),
    ("go", "func (a *A) B() {\n}\n\n¦\n", "func (x A) B() {", "B"),
    ("go", "func B() {\n}\n\n¦\n\nfunc C() {\n}\n", "func C() {", "C"),
    ("go", "x := A{\n\ta: 1,\n\t¦\n}\n", "a: 2,", "a"),
]
ONCE = [
    ("python", "def b¦\n\n\ndef b(x):\n    pass\n", "(x):"),  # the author's own name
    ("python", "def get(): ...\n\n\ndef ¦_all(): ...\n", "get"),  # it goes on after the cursor
    ("python", "def a():\n    pass\n\n\n¦\n", "def ab():"),
    ("python", "class A:\n    def b(self):\n        pass\n\n\nclass B:\n    ¦\n", "def b(self):"),
    ("python", "if a:\n    def b(): ...\nelse:\n    ¦\n", "def b(): ..."),
    ("python", "x = [\n    {\n        'a': 1,\n    },\n    {\n        ¦\n    },\n]\n", "'a': 2,"),
    ("python", "try:\n    a()\nexcept: pass\ntry:\n    b()\n¦\n", "except: pass"),
    ("typescript", "type A = string;\n¦\n", "const A = 1;"),
    ("typescript", "const enum A {\n}\n¦\n", "const enum B {"),
    ("typescript", "export type * from './a';\n¦\n", "export type * from './b';"),
    ("typescript", "class A {\n  static a: A;\n  ¦\n}\n", "a: B;"),
    ("javascript", "if (a) {\n  const b = 1;\n} else {\n  ¦\n}\n", "const b = 2;"),
    ("rust", "fn f() {\n    let b = 1;\n    ¦\n}\n", "let b = 2;"),
    ("rust", "fn f()\nwhere\n    T: Clone,\n    f64: Clone,\n    ¦\n", "T: Debug,"),
    ("rust", "fn f()\nwhere\n    T: Clone,\n    f64: Clone,\n    ¦\n", "f64: Debug,"),
    ("rust", "const _: () = a();\n¦\n", "const _: () = b();"),
    ("rust", "lazy_static! {\n    static ref A: T = a();\n    ¦\n}\n", "static ref B: T = b();"),
    ("go", "func (a *A) B() {\n}\n\n¦\n", "func (b *B) B() {"),
    ("go", "func init() {\n}\n\n¦\n", "func init() {"),
    # overloads are common in these languages
    ("java", "void b(int x) {\n}\n\n¦\n", "void b(String x) {"),
    ("typescript", "export function a(x: string): void\n¦\n", "export function a(x: number): void"),
    # marks under which a name may be defined again, next to the definition or above other lines that belong to it
    ("python", "class A:\n    @property\n    def b(self): ...\n\n    @b.setter\n    ¦\n", "def b(self, x):"),
    (
        "python",
        "class A:\n    def b(self): ...\n\n    @b.expression\n    @c(\n        1\n    )\n    ¦\n",
        "def b(cls):",
    ),
    ("python", "@overload\ndef b(x: int): ...\n@overload\ndef b(x: str): ...\n¦\n", "def b(x):"),
    ("python", "@given('a')\ndef step(c): ...\n\n\n@when('b')\n¦\n", "def step(c):"),
    ("rust", "#[cfg(unix)]\nfn b() {\n}\n\n#[cfg(windows)]\n/// Doc.\n¦\n", "fn b() {"),
    ("rust", "#[cfg(any(\n    a,\n))]\nfn b() {}\n\n#[cfg(not(any(\n    a,\n)))]\n¦\n", "fn b() {}"),
    # text in a string or a comment
    ("python", 'def b():\n    """Use as\n\n    x: 1\n    ¦\n    """\n', "x: 2"),
    ("python", 'u = """\\\nname: a\n---\n¦\n"""\n', "name: b"),
    ("python", "class A:\n    ¦\n\n    name: str\n", '"""An A.\n\n    name: its name\n    """'),
    ("typescript", "const a = `\nname: ${b}\n¦\n`;\n", "name: c"),
    ("typescriptreact", "const a = (\n  <p>\n    Total: {a}\n    <br />\n    ¦\n  </p>\n);\n", "Total: {b}"),
    # brackets that close on the same line
    ("javascript", "a({\n  b: 1 }, {\n  ¦\n});\n", "b: 2"),
    ("javascript", "a({\n  ¦ }, {\n  b: 1\n});\n", "b: 2"),
    ("javascript", "a([\n{\nb: 1,\n},\n{\n¦\n},\n]);\n", "b: 2,"),
    ("go", "a(A{\n\tb: 1}, B{\n\t¦})\n", "b: 2"),
]


def offered(language: str, marked: str, text: str) -> str | None:
    context = EditContext(Document("file:///a", marked.replace("¦", ""), language), marked.index("¦"))
    found = postprocess(context, GeneratedText(text, Finish.END))
    return found.text if isinstance(found, Suggestion) else None


@pytest.mark.parametrize(("language", "marked", "text", "name"), AGAIN)
def test_a_second_definition_is_not_offered(language: str, marked: str, text: str, name: str) -> None:
    assert offered(language, marked, text) is None
    assert offered(language, marked.replace("\n", "\r\n"), text) is None
    other = re.sub(rf"\b{name}\b", "other", text, count=1)
    assert offered(language, marked, other) == other


@pytest.mark.parametrize(("language", "marked", "text"), ONCE)
def test_other_definitions_are(language: str, marked: str, text: str) -> None:
    assert offered(language, marked, text) == text


@pytest.mark.parametrize("again", ["a", "b"])
def test_a_text_of_several_lines_is_cut_before_the_line_that_defines_again(again: str) -> None:
    marked = "class A:\n    ¦\n\n    # more\n    def b(self):\n        pass\n"
    first = "def a(self):\n        return 1"
    assert offered("python", marked, f"{first}\n\n    def {again}(self):\n        return 2") == first
    both = f"{first}\n\n    def c(self):\n        return 2"
    assert offered("python", marked, both) == both


@pytest.mark.parametrize("above", ["@fixture", "# A note.", "@fixture\n    # A note."])
def test_what_belongs_to_the_second_definition_is_cut_with_it(above: str) -> None:
    marked = "class A:\n    def b(self): ...\n\n    ¦\n"
    assert offered("python", marked, f"{above}\n    def b(self):") is None
    assert offered("python", marked, f"x = 1\n\n    {above}\n    def b(self):") == "x = 1"


@pytest.mark.parametrize("path", sorted(Path(tabspec.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_line_of_this_project_would_be_withheld_where_it_stands(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for row, line in enumerate(lines):
        text = line.lstrip()
        indent = line[: len(line) - len(text)]
        before = "".join(f"{each}\n" for each in lines[:row]) + indent
        after = "".join(f"\n{each}" for each in lines[row + 1 :])
        if text:
            context = EditContext(Document(f"file:///{path.name}", before + after, "python"), len(before))
            assert cut_redefinition(context, indent, text) == text
