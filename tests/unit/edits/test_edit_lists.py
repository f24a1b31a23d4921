"""An element is added to one list: it is proposed for the lists that are parallel to it."""

# ruff: noqa: E501
# A case of a table is read best on one line.

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.edits.proposals.propose import LEAST, propose
from tabspec.edits.step import Step
from tabspec.text import Document
from tests.edit_steps import after, chain, walked
from tests.examples import examples

INIT = """class Config:
    def __init__(
        self,
        host: str = "localhost",
{}        port: int = 80,
        loop: str = "auto",
    ):
        self.host = host
{}        self.port = port
        self.loop = loop


Config(
    host=host,
{}    port=port,
)
"""
LIMIT = ("        limit: int = 1,\n", "        self.limit = limit\n", "    limit=limit,\n")
ENUM = """enum Kind {
    Small,
{}    LargeOne,
    Huge,
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Small => "small",
{}        Kind::LargeOne => "large-one",
        Kind::Huge => "huge",
    }
}
"""
NAMES = """from a import (
    Alpha,
{}    Gamma,
)

__all__ = [
    "Alpha",
{}    "Gamma",
]
"""


def filled(template: str, *parts: str) -> str:
    """A text with parts put in, one for each place."""
    for part in parts:
        template = template.replace("{}", part, 1)
    return template.replace("{}", "")


def grown(template: str, lines: tuple[str, ...], name: str) -> tuple[str, str]:
    """The text after the first line was added and all proposals were accepted, and what it should be."""
    before = filled(template)
    at = template.index("{}")
    step = Step(f"file:///{name}", before.count("\n", 0, at), at, "", lines[0])
    document = Document(step.uri, before[:at] + lines[0] + before[at:])
    return walked(document, propose(document, at + len(lines[0]) - 1, [step])), filled(template, *lines)


@pytest.mark.parametrize(
    ("template", "lines", "name"),
    [
        (INIT, LIMIT, "a.py"),
        (ENUM, ("    MidSize,\n", '        Kind::MidSize => "mid-size",\n'), "a.rs"),
        (NAMES, ("    Beta,\n", '    "Beta",\n'), "a.py"),
        ("int first(int);\n{}int third(int);\n\nstatic Entry table[] = {\n    {\"first\", first},\n{}    {\"third\", third},\n};\n", ("int second(int);\n", '    {"second", second},\n'), "a.c"),
        ("struct A {\n  int width;\n{}  int depth;\n};\n\nvoid print(A& a) {\n    show(a.width);\n{}    show(a.depth);\n}\n", ("  int height;\n", "    show(a.height);\n"), "a.cpp"),
        ("const x = {\n  logLevel: 1,\n{}  maxSize: 2,\n};\n\nLOG_LEVEL = x;\n{}MAX_SIZE = x;\n", ("  minSize: 3,\n", "MIN_SIZE = x;\n"), "a.ts"),
    ],
)  # fmt: skip
def test_counterparts_are_proposed(template: str, lines: tuple[str, ...], name: str) -> None:
    found, wanted = grown(template, lines, name)
    assert found == wanted
    crlf, wanted = grown(template.replace("\n", "\r\n"), tuple(line.replace("\n", "\r\n") for line in lines), name)
    assert crlf == wanted


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (INIT.replace("self.port = port", "self.port = int(port)").replace("port=port", "port=80"), LIMIT[0]),  # not parallel
        (INIT.replace("{}        self.port", "        self.limit = 1\n        self.port").replace("{}    port=port", "    limit=2,\n    port=port"), LIMIT[0]),  # known there
        (INIT, "        # a comment\n"),
        (INIT, "        x: int = 1,\n"),  # too short to tell
        (INIT, "\n"),
        ("import alpha\n{}import gamma\n\nimport alpha\n{}import gamma\n", "import beta\n"),
    ],
)  # fmt: skip
def test_nothing_is_proposed_elsewhere(template: str, line: str) -> None:
    text, _ = grown(template, (line,), "a.py")
    assert text == filled(template, line)


def test_the_last_element_of_a_list_is_not_followed() -> None:
    """The element after it is what tells the place: of those at the end a third were right."""
    document, steps = after(
        "a = [\n    first,\n    second,\n]\nb = [\n    first,\n    second,\n]\n",
        ("    second,\n]\nb", "    second,\n    third,\n]\nb"),
    )
    assert chain(document, steps, least=LEAST) == ()


def test_the_chain_is_left_after_each_accept() -> None:
    before, (first, *rest) = filled(INIT), LIMIT
    document, steps = after(
        before, ('        host: str = "localhost",\n', f'        host: str = "localhost",\n{first}')
    )
    cursor, accepted = document.text.index(first), list[str]()
    while edits := propose(document, cursor, steps):
        document, cursor = edits[0].apply(document), edits[0].cursor
        accepted.append(edits[0].change.insert)
    assert accepted == rest and document.text == filled(INIT, *LIMIT)


def test_a_line_that_is_begun_counts_when_it_is_written() -> None:
    """An editor's Enter makes an empty line, and what is typed there is a step of its own."""
    document, steps = after(
        filled(INIT),
        ('        host: str = "localhost",\n', '        host: str = "localhost",\n        \n'),
        ("        \n", "        limi\n"),
        ("        limi\n", LIMIT[0]),
    )
    text = walked(document, propose(document, 0, steps))
    assert text == filled(INIT, *LIMIT)
    assert propose(document, 0, steps[:1]) == ()


def test_a_name_without_a_letter_has_no_counterparts() -> None:
    """`___` is the same in each convention of names, and the name beside it has other forms further down."""
    before = "log_level,\n{}___,\n\nLOG_LEVEL,\n{}___,\n"
    text, _ = grown(before, ("max_size,\n",), "a.py")
    assert text == filled(before, "max_size,\n")


_NAMES = st.sampled_from(["log_level", "LOG_LEVEL", "logLevel", "MaxSize", "max_size", "___", "__x", "_1é"])
_SHAPES = st.sampled_from(["{},", "self.{0} = {0}", '    "{}",'])
_LISTS = st.builds(lambda shape, names: [shape.format(name) for name in names], _SHAPES, st.lists(_NAMES, max_size=8))


@settings(max_examples=examples(100))
@given(st.lists(_LISTS, max_size=2))
def test_names_of_any_form_give_a_chain_that_can_be_walked(lists: list[list[str]]) -> None:
    """Each line of the document is taken for the one that was added, also one whose name is only underscores."""
    lines = [f"{line}\n" for each in lists for line in [*each, ""]]
    document = Document("file:///a.py", "".join(lines))
    for at, line in enumerate(lines):
        step = Step(document.uri, at, sum(map(len, lines[:at])), "", line)
        edits = propose(document, step.offset, [step], least=0.0)
        assert not edits or walked(document, edits) != document.text
