"""A tuple or a map became a type with names: what is proposed where its elements are read."""
# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest

from tests.edit_steps import shown

CASES = {
    "a.rs": (
        "struct Entry {\n    key: String,\n    size: u64,\n}\n\nstruct Index {\n    entries: Vec<(String, u64)>,\n}\n\nimpl Index {\n"
        "    fn first(&self) -> &str {\n        &self.entries[0].0\n    }\n}\n",
        ("    entries: Vec<(String, u64)>,\n", "    entries: Vec<Entry>,\n"),
        ("&self.entries[0].key\n",),
    ),
    "a.py": (
        "class Entry(NamedTuple):\n    key: str\n    size: int\n\n\ndef total(entries: list[tuple[str, int]]) -> int:\n"
        "    return entries[0][1]\n",
        (
            "def total(entries: list[tuple[str, int]]) -> int:\n",
            "def total(entries: list[Entry]) -> int:\n",
        ),
        ("return entries[0].size",),
    ),
    "a.ts": (
        "interface Entry {\n  key: string;\n  size: number;\n}\n\nclass Index {\n  entries: [string, number][] = [];\n\n"
        "  first() {\n    return this.entries[0][0];\n  }\n}\n",
        ("  entries: [string, number][] = [];\n", "  entries: Entry[] = [];\n"),
        ("return this.entries[0].key;",),
    ),
    "keys.py": (
        "@dataclass\nclass Config:\n    host: str\n    port: int\n\n\ndef run(config: dict[str, Any]):\n"
        "    bind(config['host'], config[\"port\"], config['other'])\n",
        ("def run(config: dict[str, Any]):\n", "def run(config: Config):\n"),
        ("bind(config.host, config.port, config['other'])",),
    ),
    "keys.ts": (
        "interface Config {\n  host: string;\n}\n\nfunction run(config: Record<string, string>) {\n  bind(config['host']);\n}\n",
        ("function run(config: Record<string, string>) {\n", "function run(config: Config) {\n"),
        ("bind(config.host);",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_elements_are_read_by_name(name: str):
    before, step, wanted = CASES[name]
    text = shown(before, step, name=name)
    for part in wanted:
        assert part in text


def test_a_type_with_other_fields_is_not_the_tuple():
    before, step, _ = CASES["a.rs"]
    before = before.replace("    size: u64,", "    size: u64,\n    more: bool,")
    assert "&self.entries[0].0\n" in shown(before, step, name="a.rs")
