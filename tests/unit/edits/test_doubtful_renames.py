"""Renames that are followed only after a second example, or by a model."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.propose import LEAST
from tests.edit_steps import after, chain, shown

LOCAL = "def f(job):\n    a = job.a\n    b = 1\n    c = 2\n    d = 3\n    e = 4\n    job.stop()\n    g = 5\n    h = 6\n    return job\n"
RENAMED = "def f(job):\n", "def f(task):\n"
OTHERS = [("    b = 1\n", "    b = 5\n"), ("    d = 3\n", "    d = 6\n")]
SECOND = "    job.stop()\n", "    task.stop()\n"
SHARED = "def job(x):\n    return x\n\n\na = job(1)\n\nb = 1\n\nc = 2\n\nd = job(2)\n"
SHARED_RENAMED = "def job(x):\n", "def task(x):\n"


@pytest.mark.parametrize(
    ("before", "renamed", "other"),
    [
        # the old name went away without the new one
        (LOCAL, RENAMED, ("    a = job.a\n", "")),
        (SHARED, SHARED_RENAMED, ("a = job(1)\n", "")),
        # the new name was written where the old one was not
        (LOCAL, RENAMED, ("    b = 1\n", "    b = task.b\n")),
        (SHARED, SHARED_RENAMED, ("b = 1\n", "b = task(1, 2)\n")),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_doubtful_rename_is_left_to_a_model(before, renamed, other, first) -> None:
    last = before.splitlines()[-1]
    steps = [other, renamed] if first else [renamed, other]
    assert last not in shown(before, renamed, name="a.py")
    assert last in shown(before, *steps, name="a.py")
    document, made = after(before, *steps)
    found = [edit for edit in chain(document, made) if edit.source is EditSource.RENAME]
    assert found and all(0.3 <= edit.probability < LEAST for edit in found)


@pytest.mark.parametrize("others", [OTHERS, [*OTHERS, ("    c = 2\n", "    c = task.c\n")]])
def test_a_second_example_takes_the_doubt_away(others) -> None:
    """Also one that is a use, renamed by hand after the definition."""
    assert "return task" in shown(LOCAL, *OTHERS, RENAMED, name="a.py")  # what was done before is no going on
    assert "return task" in shown(LOCAL, RENAMED, OTHERS[0], name="a.py")
    indented = OTHERS[0][1], "    " + OTHERS[0][1]
    assert "return task" in shown(
        LOCAL, RENAMED, OTHERS[0], indented, name="a.py"
    )  # white space alone is no other work
    assert "return job" in shown(LOCAL, RENAMED, *others, name="a.py")
    assert "return task" in shown(LOCAL, RENAMED, *others, SECOND, name="a.py")


MEMBER = "class A:\n    def __init__(self):\n        self.job = 1\n    b = 1\n    c = 2\n    d = 3\n    def g(self):\n        return self.job"
MEMBER_RENAMED = "        self.job = 1\n", "        self.task = 1\n"


@pytest.mark.parametrize(("before", "renamed"), [(LOCAL.rstrip(), RENAMED), (MEMBER, MEMBER_RENAMED)])
def test_the_only_function_or_class_of_a_file_is_no_whole_file(before, renamed) -> None:
    last = before.splitlines()[-1]
    assert last not in shown(before, renamed, OTHERS[0], name="a.py")
    assert last in shown(before, renamed, *OTHERS, name="a.py")


def test_a_function_is_followed_however_far_the_user_has_gone_on() -> None:
    others = ("b = 1\n", "b = 5\n"), ("c = 2\n", "c = 6\n")
    assert "job" not in shown(SHARED, SHARED_RENAMED, *others, name="a.py")


def test_a_name_with_another_name_in_it_does_not_count() -> None:
    others = [("    a = job.a\n", "    a = job.b + jobs\n"), ("    b = 1\n", "    b = tasks\n")]
    for other in others:
        assert "return task" in shown(LOCAL, RENAMED, other, name="a.py")


@pytest.mark.parametrize(
    ("line", "followed"),
    [
        (("import numpy\n", "import numpy as np\n"), True),
        (("from a import numpy\n", "from a import numpy as np\n"), False),
    ],
)
def test_only_a_module_that_gets_another_name_is_followed(line: tuple[str, str], followed: bool) -> None:
    before = line[0] + "\n\nx = 1\n\n\ny = numpy.mean(x)\n"
    assert ("y = np.mean(x)" in shown(before, line, name="a.py")) is followed


def test_a_type_is_no_use_of_a_local_name() -> None:
    before = "package a\n\nfunc f() (int, bool) {\n\ta := 1\n\tb := 2\n\ti, bool := g()\n\ta = 3\n\tb = 4\n\treturn i, bool\n}\n"
    text = shown(before, ("\ti, bool := g()\n", "\ti, ok := g()\n"), name="a.go")
    assert text == before.replace("bool := g()", "ok := g()").replace("return i, bool", "return i, ok")
