"""Renames after which the old name stays in use, and kinds of definitions: what is shown, and what is not."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import shown

KEPT = "def job(x):\n    a = x\n    b = 1\n    c = 2\n    d = 3\n    return job(a)\n\n\nresult = job(1)\n"
RENAMED = ("def job(x):\n", "def task(x):\n")
LOCAL = "def f(job):\n    a = 1\n    b = 2\n    c = 3\n    return job\n"


@pytest.mark.parametrize(
    "step",
    [
        ("    d = 3\n", "    d = 3\n    job.run()\n"),  # used again
        ("    b = 1\n", "    b = other.job()\n"),
        ("    d = 3\n", "    d = 3\n    import job\n"),
    ],
)
def test_a_name_that_is_written_again_after_its_rename_stays_in_use(step: tuple[str, str]) -> None:
    assert "result = task(1)" in shown(KEPT, RENAMED, name="a.py")
    assert "result = job(1)" in shown(KEPT, RENAMED, step, name="a.py")


def test_a_name_that_is_imported_before_the_rename_stays_in_use() -> None:
    before = "import os\n\n\n" + KEPT
    imported = "import os\n", "import os\nfrom tools import job\n"
    assert "result = job(1)" in shown(before, imported, RENAMED, name="a.py")
    used = "result = job(1)\n", "result = job(1)\nother = job(2)\n"
    assert "other = task(2)" in shown(before, used, RENAMED, name="a.py")


def test_a_local_name_is_followed_whatever_other_functions_call_theirs() -> None:
    before = LOCAL + "\n\ndef g():\n    pass\n"
    steps = ("def f(job):\n", "def f(task):\n"), ("    pass\n", "    job = 1\n")
    assert "return task" in shown(before, *steps, name="a.py")


@pytest.mark.parametrize("around", ["import job\n\n\n", "job = 1\n\n\n", "def job():\n    pass\n\n\n"])
def test_a_local_name_that_hid_an_outer_one_is_not_followed(around: str) -> None:
    renamed = "def f(job):\n", "def f(task):\n"
    assert "return task" in shown(LOCAL, renamed, name="a.py")
    assert "return job" in shown(around + LOCAL, renamed, name="a.py")


def test_a_parameter_of_an_outer_function_counts_as_an_outer_name() -> None:
    inner = "".join("    " + line for line in LOCAL.splitlines(keepends=True))
    renamed = "    def f(job):\n", "    def f(task):\n"
    assert "return task" in shown("def outer(x):\n" + inner, renamed, name="a.py")
    assert "return job" in shown("def outer(job):\n" + inner, renamed, name="a.py")


@pytest.mark.parametrize(
    ("name", "before", "old", "new", "after"),
    [
        (
            "a.cpp",
            "struct Job {\n  std::vector<int> parts;\n};\n\n\n\nint use(Job* job) {\n  return job->parts.size();\n}\n",
            "  std::vector<int> parts;\n", "  std::vector<int> items;\n", "job->items.size()",
        ),
        (
            "a.ts",
            "interface Job {\n  mail: string;\n}\n\n\n\nexport const of = (job: Job, mail: string) => job.mail + mail;\n",
            "  mail: string;\n", "  email: string;\n", "job.email + mail;",
        ),
        (
            "a.rb",
            "class Job\n  def last\n    1\n  end\n\n\n\n  def both\n    last + 1\n  end\nend\n",
            "  def last\n", "  def latest\n", "    latest + 1\n",
        ),
        (
            "a.php",
            "<?php\nfunction f(string $mail) {\n    $a = 1;\n    $b = 2;\n    $c = 3;\n    return $mail;\n}\n",
            "function f(string $mail) {\n", "function f(string $address) {\n", "return $address;",
        ),
        (
            "a.java",
            "enum Job {\n    FIRST,\n    LAST;\n\n\n\n    static Job of(int x) {\n        return x > 0 ? FIRST : LAST;\n    }\n}\n",
            "    FIRST,\n", "    BEGIN,\n", "x > 0 ? BEGIN : LAST",
        ),
    ],
)  # fmt: skip
def test_definitions_of_each_language_are_followed(name: str, before: str, old: str, new: str, after: str) -> None:
    assert after in shown(before, (old, new), name=name)


CLASS = {
    "a.py": (
        "class Cart:\n    def __init__(self):\n        self.lines = []\n        self.total = 0\n\n\n    def size(self):\n        return len(self.lines)\n\n\ndef read(lines):\n    return lines, other.lines\n",
        ("        self.lines = []\n", "        self.entries = []\n"),
        "return len(self.entries)\n\n\ndef read(lines):\n    return lines, other.lines\n",
    ),
    "a.js": (
        "class Cart {\n  constructor() {\n    this.lines = [];\n  }\n\n\n\n  size() {\n    return this.lines.length;\n  }\n}\nconst lines = other.lines;\n",
        ("    this.lines = [];\n", "    this.entries = [];\n"),
        "return this.entries.length;\n  }\n}\nconst lines = other.lines;\n",
    ),
    "a.rb": (
        "class Cart\n  def initialize\n    @lines = []\n  end\n\n\n\n  def size(lines)\n    @lines.size\n  end\nend\n",
        ("    @lines = []\n", "    @entries = []\n"),
        "def size(lines)\n    @entries.size\n",
    ),
}


@pytest.mark.parametrize("name", CLASS)
def test_a_member_that_the_constructor_sets_is_followed_in_its_class(name: str) -> None:
    before, step, after = CLASS[name]
    assert after in shown(before, step, name=name)


def test_a_member_that_another_method_sets_is_no_definition() -> None:
    before = "class Cart:\n    def clear(self):\n        self.lines = []\n        self.total = 0\n\n\n    def size(self):\n        return len(self.lines)\n"
    assert "len(self.lines)" in shown(before, ("        self.lines = []\n", "        self.rows = []\n"), name="a.py")


CALLS = {
    "a.go": (
        "package a\n\nfunc (s *Store) Fetch(key string) int {\n\treturn 1\n}\n\n\nfunc use(s *Store, o *Other) int {\n\treturn s.Fetch(1) + o.Fetch(2)\n}\n",
        ("func (s *Store) Fetch(key string) int {\n", "func (s *Store) Lookup(key string) int {\n"),
        "s.Lookup(1) + o.Fetch(2)",
    ),
    "a.py": (
        "class Store:\n    def fetch(self):\n        return 1\n\n\n\ndef use(store: Store, other: Other):\n    return store.fetch() + other.fetch()\n",
        ("    def fetch(self):\n", "    def lookup(self):\n"),
        "store.lookup() + other.fetch()",
    ),
    "a.rs": (
        "impl Store {\n    fn fetch(&self) -> u32 {\n        1\n    }\n}\n\n\n\nfn both(s: &mut Store, o: &Other) -> u32 {\n    s.fetch() + o.fetch()\n}\n",
        ("    fn fetch(&self) -> u32 {\n", "    fn lookup(&self) -> u32 {\n"),
        "s.lookup() + o.fetch()",
    ),
    "A.java": (
        "class Store {\n    int fetch() {\n        return 1;\n    }\n\n\n\n    static int both(Store s, Other o) {\n        return s.fetch() + o.fetch();\n    }\n}\n",
        ("    int fetch() {\n", "    int lookup() {\n"),
        "s.lookup() + o.fetch()",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_of_an_object_follows_the_method_if_its_type_is_declared(name: str) -> None:
    before, step, after = CALLS[name]
    assert after in shown(before, step, name=name)


IMPORTED = "import numpy\nimport os.path\n\n\n\n\ndef mean(values):\n    return numpy.mean(values), os.path.sep\n"


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        ("import numpy\n", "import numpy as np\n", "return np.mean(values), os.path.sep"),
        ("import os.path\n", "import os.path as files\n", "return numpy.mean(values), os.path.sep"),
    ],
)
def test_an_import_under_another_name_is_followed_if_it_is_one_name(old: str, new: str, after: str) -> None:
    assert after in shown(IMPORTED, (old, new), name="a.py")


def test_an_import_under_another_name_leaves_other_imports_alone() -> None:
    others = "import numpy\nimport numpy.linalg\nfrom numpy import array\na = 1\nb = 2\nc = 3\nx = numpy.mean(array)\n"
    after = shown(others, ("import numpy\n", "import numpy as np\n"), name="a.py")
    assert after == others.replace("import numpy\n", "import numpy as np\n", 1).replace("numpy.mean", "np.mean")


@pytest.mark.parametrize(
    ("name", "before", "use"),
    [
        ("a.rs", "const COUNT: u32 = 3;\n", "fn f() {\n    for i in 0..COUNT {}\n}\n"),
        ("a.rb", "COUNT = 3\n", "(1..COUNT).each { |i| puts i }\n"),
        ("a.ts", "const COUNT = [3];\n", "const all = [0, ...COUNT];\n"),
    ],
)
def test_a_range_and_a_spread_are_no_members(name: str, before: str, use: str) -> None:
    gap = "\n" * 8
    renamed = before, before.replace("COUNT", "TIMES")
    assert shown(before + gap + use, renamed, name=name) == (before + gap + use).replace("COUNT", "TIMES")


def test_a_value_that_moved_into_another_one_is_not_renamed() -> None:
    before = "def f(instance):\n    a = instance.x\n    b = 2\n    c = 3\n    d = 4\n    return instance\n"
    renamed = "def f(instance):\n", "def f(serializer):\n"
    moved = "    a = instance.x\n", "    a = serializer.instance.x\n"
    assert "return serializer" in shown(before, renamed, name="a.py")
    assert "return instance" in shown(before, renamed, moved, name="a.py")
    other = "    b = 2\n", "    b = a_serializer.instance_id\n"
    assert "return serializer" in shown(before, renamed, other, name="a.py")


def test_a_line_with_both_names_keeps_both() -> None:
    before = "limit = 1\na = 1\nb = 2\nc = 3\n\n\ndef f():\n    return limit\n"
    renamed = "limit = 1\n", "most = 1\n"
    assert "return most" in shown(before, renamed, name="a.py")
    assert "return limit" in shown(before, ("b = 2\n", "b = 2\nlimit = most + b\n"), renamed, name="a.py")


@pytest.mark.parametrize(
    ("line", "renamed"),
    [
        ("    self.task = job", True),
        ("    run(task=job)", True),
        ("    task = job.first", False),
        ("    return job.left(task)", False),
        ("    return job + other", True),
    ],
)
def test_a_line_that_has_the_new_name_already_keeps_the_old_one(line: str, renamed: bool) -> None:
    before = f"def f(self, job):\n    a = 1\n    b = 2\n    c = 3\n{line}\n"
    text = shown(before, ("def f(self, job):\n", "def f(self, task):\n"), name="a.py")
    assert ("job" not in text) is renamed
