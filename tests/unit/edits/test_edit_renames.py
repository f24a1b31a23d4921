"""Renames of members, mixed renames, numbered names and macros: what is shown, and what is not."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import shown

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
