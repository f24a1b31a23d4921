"""Members moved into a field of the class: what is proposed where the class uses them."""
# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import shown

BASE_GONE = {
    "a.py": (
        "class Engine:\n    def start(self):\n        self.on = True\n\n\n"
        "class Car(Engine):\n    def __init__(self):\n        super().__init__()\n\n"
        "    def drive(self):\n        self.start()\n        if self.on:\n            self.roll()\n\n    def roll(self):\n        pass\n",
        (
            "class Car(Engine):\n    def __init__(self):\n        super().__init__()\n",
            "class Car:\n    def __init__(self):\n        self.engine = Engine()\n",
        ),
        "        self.engine.start()\n        if self.engine.on:\n            self.roll()\n",
    ),
    "a.ts": (
        "class Engine {\n  on = false;\n  start(): void {\n    this.on = true;\n  }\n}\n\n"
        "class Car extends Engine {\n  constructor() {\n    super();\n  }\n\n  drive(): void {\n    this.start();\n    this.roll();\n  }\n\n"
        "  roll(): void {}\n}\n",
        (
            "class Car extends Engine {\n  constructor() {\n    super();\n  }\n",
            "class Car {\n  constructor() {\n    this.engine = new Engine();\n  }\n",
        ),
        "    this.engine.start();\n    this.roll();\n",
    ),
    "A.java": (
        "class Engine {\n    boolean on;\n    void start() {\n        on = true;\n    }\n}\n\n"
        "class Car extends Engine {\n    Car() {\n        super();\n    }\n\n    void drive() {\n        this.start();\n    }\n}\n",
        (
            "class Car extends Engine {\n    Car() {\n        super();\n",
            "class Car {\n    Car() {\n        this.engine = new Engine();\n",
        ),
        "        this.engine.start();\n",
    ),
}


@pytest.mark.parametrize("name", BASE_GONE)
def test_members_of_a_base_that_became_a_field_are_reached_by_it(name: str):
    before, step, uses = BASE_GONE[name]
    assert uses in shown(before, step, name=name)


def test_a_member_that_the_class_has_itself_stays():
    before = BASE_GONE["a.py"][0].replace("    def roll", "    def start(self):\n        pass\n\n    def roll")
    assert "        self.start()\n" in shown(before, BASE_GONE["a.py"][1], name="a.py")


def test_a_new_field_alone_moves_nothing():
    before = BASE_GONE["a.py"][0]
    step = "        super().__init__()\n", "        super().__init__()\n        self.engine = Engine()\n"
    assert "        self.start()\n" in shown(before, step, name="a.py")


HEADER = "class Env {{\n public:\n  void run();{}\n}};\n\n\n\n\n\n\n{}"


@pytest.mark.parametrize(
    ("after", "old", "declares"),
    [
        ("", "int x;\n", True),
        ("  // runs", "int x;\n", True),
        (" LOCKS(mutex)", "int x;\n", False),  # the declaration may go on
        ("", "int Env::former() {\n", False),  # a rename
    ],
)
def test_a_member_function_is_declared_after_whole_declarations(after: str, old: str, declares: bool):
    text = shown(HEADER.format(after, old), (old, "int Env::latest() {\n"), name="a.cpp")
    assert ("  int latest();\n" in text) == declares
