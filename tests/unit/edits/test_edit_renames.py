"""Renames of members, mixed renames, numbered names and macros: what is shown, and what is not."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import after, chain, shown, walked

GO = "package a\n\ntype Job struct {\n\tlastRun int\n}\n\nfunc use(j *Job) int {\n\treturn j.lastRun\n}\n"
RUST = "struct Job {\n    last_run: u32,\n}\n\nfn use_it(job: &Job) -> u32 {\n    job.last_run\n}\n"
CPP = "struct Job {\n  int last_run;\n};\n\nint use(Job* job) {\n  return job->last_run;\n}\n"


@pytest.mark.parametrize(
    ("name", "before", "old", "new"),
    [
        ("a.go", GO, "\tlastRun int\n", "\tlatest int\n"),
        ("a.rs", RUST, "    last_run: u32,\n", "    latest: u32,\n"),
        ("a.cpp", CPP, "  int last_run;\n", "  int latest;\n"),
    ],
)
def test_a_renamed_field_is_followed_through_objects(name: str, before: str, old: str, new: str) -> None:
    text = shown(before, (old, new), name=name)
    assert "last" not in text.replace("latest", "").lower()


def test_a_method_of_another_object_keeps_its_name() -> None:
    before = "class A:\n    def get_all(self):\n        return self.items.get_all()\n\n    def both(self):\n        return self.get_all()\n"
    text = shown(before, ("    def get_all(self):\n", "    def get_each(self):\n"), name="a.py")
    assert "self.items.get_all()" in text and "return self.get_each()" in text


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("def f(app: App):\n", "def f(context: Context):\n", True),  # another thing with another name
        ("def f(app: App):\n", "def f(context: App):\n", False),
        ("def f(app: App):\n", "def f(app1: App):\n", True),  # one of several from now on
    ],
)
def test_a_rename_is_one_only_if_nothing_else_changed(old: str, new: str, kept: bool) -> None:
    before = f"{old}    x = 1\n    y = 2\n    z = 3\n    return app.run(x)\n"
    assert ("return app.run(x)" in shown(before, (old, new), name="a.py")) == kept


def test_a_name_that_is_defined_anew_is_not_followed() -> None:
    before = "def f(item):\n    x = 1\n    y = 2\n    z = 3\n    return item\n"
    steps = ("def f(item):\n", "def f(first):\n"), ("    x = 1\n", "    x = 1\n    item = first.next\n")
    assert shown(before, *steps, name="a.py").endswith("return item\n")


def test_macros_keep_their_names() -> None:
    before = "int remove_all();\n\n\n\n\n#undef remove_all\n\n\n\n\nint f() { return remove_all(); }\n"
    text = shown(before, ("int remove_all();\n", "int erase_all();\n"), name="a.c")
    assert "#undef remove_all" in text and "return erase_all()" in text


def test_lines_written_before_the_rename_are_renamed_and_lines_written_after_it_are_not() -> None:
    before = "class Job:\n    a = 1\n    b = 2\n    c = 3\n"
    written = "\n\nfirst = Job()\n"
    steps = [("    c = 3\n", "    c = 3\n" + written), ("class Job:\n", "class Task:\n")]
    assert "first = Task()" in shown(before, *steps, name="a.py")
    assert "first = Job()" in shown(before, *reversed(steps), name="a.py")


@pytest.mark.parametrize(
    ("before", "old", "new"),
    [
        # The constructor of a parameter is not what it defines.
        ("fn a(State(x): State<u32>) {}\n", "fn a(State(x): State<u32>) {}\n", "fn a(Json(x): Json<u32>) {}\n"),
        # A module's contents are in another file, which changes, too.
        ("mod job;\n", "mod job;\n", "mod task;\n"),
        # What is not used from now on: its uses will be removed.
        ("let job = f();\n", "let job = f();\n", "let _ = f();\n"),
        ("let job = f();\n", "let job = f();\n", "let _job = f();\n"),
    ],
)
def test_what_looks_like_the_rename_of_a_definition(before: str, old: str, new: str) -> None:
    inside = "fn b() {\n    State(1);\n    Job(1);\n    job(1);\n}\n" if "let" not in before else ""
    text = f"fn c() {{\n    {before}\n\n\n    job(1);\n}}\n" if "let" in before else before + "\n\n\n" + inside
    indent = "    " if "let" in before else ""
    after = shown(text, (indent + old, indent + new), name="a.rs")
    assert "    job(1);" in after and (not inside or ("State(1);" in after and "Job(1);" in after))


RUST_METHOD = "use bytes::Buf;\n\n\n\n\nimpl Buf for List {\n    fn bytes(&self) -> u32 {\n        1\n    }\n}\n\n\n\n\nfn f(a: &List) -> u32 {\n    write!(a, bytes);\n    a.bytes()\n}\n"


def test_the_bare_name_of_a_method_is_something_else() -> None:
    text = shown(RUST_METHOD, ("    fn bytes(&self) -> u32 {\n", "    fn chunk(&self) -> u32 {\n"), name="a.rs")
    assert "use bytes::Buf;" in text and "write!(a, bytes);" in text
    python = (
        "class A:\n    def run(self):\n        return 1\n\n\n\n\n    def both(self):\n        return run(self.run())\n"
    )
    assert "run(self.start())" in shown(python, ("    def run(self):\n", "    def start(self):\n"), name="a.py")


def test_the_bare_name_is_something_else_where_another_class_has_the_method_too() -> None:
    before = "class A:\n    def total(self):\n        return self.total()\n\n\nclass B:\n    def total(self):\n        return 2\n\n\ndef f(total):\n    return total\n"
    document, steps = after(before, ("class A:\n    def total(self):\n", "class A:\n    def amount(self):\n"))
    expected = document.text.replace("self.total()", "self.amount()")
    assert walked(document, chain(document, steps)) == expected


def test_another_import_is_no_rename() -> None:
    before = "import { Menu, Page } from './parts'\n\n\n\n\nexport const page = () => render(Menu)\n"
    old, new = before.splitlines(keepends=True)[0], "import { Footer, Page } from './parts'\n"
    assert "render(Menu)" in shown(before, (old, new), name="a.ts")


def test_what_took_the_place_of_some_uses_takes_that_of_all() -> None:
    before = "LIMIT = 1\n\n\n\n\nx = min(LIMIT, 2)\n\n\n\n\ny = max(LIMIT, 3)\n"
    renamed = ("LIMIT = 1\n", "DEFAULT_LIMIT = 1\n")
    assert "max(DEFAULT_LIMIT, 3)" in shown(before, renamed, name="a.py")
    other = ("x = min(LIMIT, 2)\n", "x = min(self.limit, 2)\n")
    assert "max(LIMIT, 3)" in shown(before, other, renamed, name="a.py")


def test_a_new_name_is_not_defined_by_itself() -> None:
    before = "fn send(f: &str) {\n    open(f);\n\n\n\n\n    let path = f.to_string();\n}\n"
    text = shown(before, ("fn send(f: &str) {\n", "fn send(path: &str) {\n"), name="a.rs")
    assert "open(path);" in text and "let path = f.to_string();" in text


def test_the_key_of_an_object_is_no_variable() -> None:
    before = "function f(a) {\n  const size = a.count\n\n\n\n\n  return { size: round(size) }\n}\n"
    text = shown(before, ("  const size = a.count\n", "  const length = a.count\n"), name="a.js")
    assert "{ size: round(length) }" in text


@pytest.mark.parametrize(
    ("name", "before", "old", "new", "after"),
    [
        ("a.py", "class A:\n    def __init__(self, rate):\n        self.rate = rate\n", "self, rate", "self, speed", "self.speed = speed\n"),
        ("a.py", "class A:\n    def __init__(self, rate):\n        self._rate = rate\n", "self, rate", "self, speed", "self._speed = speed\n"),
        ("a.ts", "class A {\n  constructor(rate: number) {\n    this.rate = rate\n  }\n}\n", "(rate", "(speed", "this.speed = speed\n"),
        ("a.go", "package a\n\nfunc f(sha string) Todo {\n\treturn Todo{\n\t\tSha:    sha,\n\t\tAction: 1,\n\t}\n}\n", "(sha", "(hash", "\t\tHash:   hash,\n"),
        # another value, another name, another function's parameter
        ("a.py", "class A:\n    def f(self, rate):\n        return g(1, rate=rate)\n", "self, rate", "self, speed", "g(1, rate=speed)\n"),
        ("a.py", "class A:\n    def __init__(self, rate):\n        self.rate = rate * 2\n", "self, rate", "self, speed", "self.rate = speed * 2\n"),
        ("a.py", "class A:\n    def __init__(self, rate):\n        self.pace = rate\n", "self, rate", "self, speed", "self.pace = speed\n"),
    ],
)  # fmt: skip
def test_a_name_that_takes_the_value_is_renamed_with_it(name: str, before: str, old: str, new: str, after: str) -> None:
    line = next(each for each in before.splitlines(keepends=True) if old in each)
    assert after in shown(before, (line, line.replace(old, new)), name=name)


MEMBER = "class A:\n    def __init__(self, rate):\n        self.rate = rate\n\n    def twice(self):\n        return 2 * self.rate\n"


@pytest.mark.parametrize("made", [False, True], ids=["before its accept", "after it"])
def test_a_member_that_takes_the_value_is_renamed_everywhere(made: bool) -> None:
    line, renamed = "    def __init__(self, rate):\n", "    def __init__(self, speed):\n"
    before = MEMBER.replace("self.rate = rate", "self.speed = speed") if made else MEMBER
    assert "2 * self.speed" in shown(before, (line, renamed), name="a.py")


def test_a_member_with_another_value_keeps_its_name() -> None:
    before = MEMBER + "\n    def reset(self):\n        self.rate = 0\n"
    text = shown(before, ("    def __init__(self, rate):\n", "    def __init__(self, speed):\n"), name="a.py")
    assert "2 * self.rate" in text and "self.rate = 0" in text


def test_comments_of_grammars_with_parts_in_them_keep_the_name() -> None:
    before = "fn f(file: u8) {\n    open(file);\n\n\n\n\n    // used to read a file\n    close(file);\n}\n"
    text = shown(before, ("fn f(file: u8) {\n", "fn f(entry: u8) {\n"), name="a.rs")
    assert "// used to read a file\n    close(entry);" in text


def test_an_import_with_a_like_name_is_followed() -> None:
    before = "import { createRouter } from 'routes'\n\n\n\n\nexport const router = createRouter()\n"
    old, new = before.splitlines(keepends=True)[0], "import { makeRouter } from 'routes'\n"
    assert "= makeRouter()" in shown(before, (old, new), name="a.ts")


def test_what_had_no_name_is_not_renamed() -> None:
    before = "func f(a int, _ string) {\n\tuse(a)\n\n\n\n\n\tfor _, c := range list {\n\t\tuse(c)\n\t}\n}\n"
    text = shown(before, ("func f(a int, _ string) {\n", "func f(a int, name string) {\n"), name="a.go")
    assert "for _, c := range list" in text


def test_a_field_of_another_object_is_no_method() -> None:
    before = "package a\n\nfunc (n *Node) Staged() bool {\n\treturn true\n}\n\n\n\n\nfunc (n *Node) All() bool {\n\treturn n.File.Staged\n}\n"
    renamed = ("func (n *Node) Staged() bool {\n", "func (n *Node) IsStaged() bool {\n")
    assert "return n.File.Staged\n" in shown(before, renamed, name="a.go")
