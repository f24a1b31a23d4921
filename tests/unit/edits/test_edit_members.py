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


FIELDS_GONE = {
    "a.go": (
        "package a\n\ntype Limits struct {\n\tRate  int\n\tBurst int\n}\n\ntype Server struct {\n\trate  int\n\tburst int\n\tname  string\n}\n\n"
        'func (s *Server) allow() bool {\n\treturn s.rate > s.burst && s.name != ""\n}\n\nfunc (o *Other) allow() bool {\n\treturn o.rate > 0\n}\n',
        ("\trate  int\n\tburst int\n", "\tlimits Limits\n"),
        "return s.limits.Rate > s.limits.Burst && s.name",
    ),
    "a.ts": (
        "interface Limits {\n  rate: number;\n  burst: number;\n}\n\nclass Server {\n  private rate: number;\n  private burst: number;\n\n"
        "  allow() {\n    return this.rate > this.burst;\n  }\n}\n",
        ("  private rate: number;\n  private burst: number;\n", "  private limits: Limits;\n"),
        "return this.limits.rate > this.limits.burst;",
    ),
    "a.rs": (
        "struct Limits {\n    rate: u32,\n    burst: u32,\n}\n\nstruct Server {\n    rate: u32,\n    burst: u32,\n}\n\n"
        "impl Server {\n    fn allow(&self) -> bool {\n        self.rate > self.burst\n    }\n}\n",
        ("struct Server {\n    rate: u32,\n    burst: u32,\n}\n", "struct Server {\n    limits: Limits,\n}\n"),
        "        self.limits.rate > self.limits.burst\n",
    ),
    "a.py": (
        "@dataclass\nclass Limits:\n    rate: int\n    burst: int\n\n\nclass Server:\n    def __init__(self, rate, burst):\n"
        "        self.rate = rate\n        self.burst = burst\n\n    def allow(self):\n        return self.rate > self.burst\n",
        (
            "    def __init__(self, rate, burst):\n        self.rate = rate\n        self.burst = burst\n",
            "    def __init__(self, rate, burst):\n        self.limits = Limits(rate, burst)\n",
        ),
        "        return self.limits.rate > self.limits.burst\n",
    ),
}


@pytest.mark.parametrize("name", FIELDS_GONE)
def test_fields_that_moved_into_another_type_are_reached_by_it(name: str):
    before, step, uses = FIELDS_GONE[name]
    text = shown(before, step, name=name)
    assert uses in text
    if name == "a.go":
        assert "return o.rate > 0" in text


def test_a_member_that_the_class_has_itself_stays():
    before = BASE_GONE["a.py"][0].replace("    def roll", "    def start(self):\n        pass\n\n    def roll")
    assert "        self.start()\n" in shown(before, BASE_GONE["a.py"][1], name="a.py")


def test_a_new_field_alone_moves_nothing():
    before = BASE_GONE["a.py"][0]
    step = "        super().__init__()\n", "        super().__init__()\n        self.engine = Engine()\n"
    assert "        self.start()\n" in shown(before, step, name="a.py")
