"""Next edits by pattern: what is proposed after which steps, in which order, and where silence is right."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.changes import changes
from tabspec.edits.proposals.propose import found_in, propose
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step
from tabspec.text import Document, difference
from tests.edit_steps import after, chain, walked
from tests.examples import examples

LOCAL = """def total(prices):
    return sum(prices)

def other(prices):
    # prices are prices
    print("prices", prices)
    log.prices(x, prices=prices)
    return prices
"""


def test_a_local_rename_stays_in_its_function_and_out_of_strings_and_comments():
    document, steps = after(LOCAL, ("def other(prices):\n", "def other(costs):\n"))
    text = walked(document, chain(document, steps))
    assert (
        text
        == """def total(prices):
    return sum(prices)

def other(costs):
    # prices are prices
    print("prices", costs)
    log.prices(x, prices=costs)
    return costs
"""
    )


def test_a_function_renamed_is_renamed_where_it_is_called():
    document, steps = after(
        "def fetch(a):\n    return a\n\ndef use():\n    return fetch(1)\n", ("def fetch(a):\n", "def load(a):\n")
    )
    (edit,) = chain(document, steps)
    assert edit.source is EditSource.RENAME
    assert edit.apply(document).text.endswith("    return load(1)\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = fetch(1)\n", "x = fetch(1) + fetch(2)\n"),  # nothing was renamed
        ("x = fetch(1)\n", "x = load(1)\nload = fetch\n"),  # both names are in use
    ],
)
def test_what_is_no_rename_proposes_none(old, new):
    document, steps = after(old + "y = fetch(3)\n", (old, new))
    assert not [edit for edit in chain(document, steps) if edit.source is EditSource.RENAME]


def test_what_no_person_typed_teaches_nothing():
    document, steps = after("def f(a):\n    return a\n", ("def f(a):\n", "def f(b):\n"))
    pasted = [Step(each.uri, each.line, each.offset, each.old, each.new, typed=False) for each in steps]
    assert chain(document, steps) and not list(found_in(document, pasted))


def test_a_change_and_its_opposite_teach_nothing():
    text = "a = old(1)\nb = new(2)\nc = old(3)\nd = new(4)\n"
    document, steps = after(text, ("a = old(1)\n", "a = new(1)\n"), ("b = new(2)\n", "b = old(2)\n"))
    assert not list(found_in(document, steps))


def test_the_same_argument_goes_to_the_calls_that_look_alike():
    before = 'a = get("x", 1)\nb = get("y", 1)\nprint("z", 1)\nc = get("w", 1)\n'
    document, steps = after(
        before,
        ('a = get("x", 1)\n', 'a = get("x", 1, timeout=9)\n'),
        ('b = get("y", 1)\n', 'b = get("y", 1, timeout=9)\n'),
    )
    assert 'c = get("w", 1, timeout=9)\n' in walked(document, chain(document, steps))


def test_what_became_async_is_awaited():
    before = "def load(a):\n    return a\n\ndef use(b):\n    x = load(b)\n    return x\n"
    document, steps = after(before, ("def load(a):\n", "async def load(a):\n"))
    assert walked(document, chain(document, steps)).endswith("async def use(b):\n    x = await load(b)\n    return x\n")


def test_a_variant_with_fields_is_matched_with_them():
    before = "enum E {\n    A,\n    B,\n}\nfn f(e: E) -> u8 {\n    match e {\n"
    before += "        E::A => 1,\n        E::B => 2,\n    }\n}\n"
    document, steps = after(before, ("    B,\n", "    B { n: u8 },\n"), uri="file:///a.rs")
    assert "        E::A => 1,\n        E::B { n } => 2,\n" in walked(document, chain(document, steps))


def test_a_member_function_defined_in_a_source_file_is_declared_in_the_header():
    header = Document("file:///a.h", "class A {\npublic:\n    int f() const;\n\nprivate:\n    int x;\n};\n", "cpp")
    step = Step("file:///a.cpp", 9, 100, "", "int A::g(int y) const {\n    return x + y;\n}\n")
    source = Document("file:///a.cpp", " " * 100 + step.new)
    (edit,) = propose(source, 100, [step], [header], least=0.0)
    assert edit.apply(header).text == header.text.replace("f() const;\n", "f() const;\n    int g(int y) const;\n")


def test_the_chain_goes_down_first_and_then_from_the_top():
    lines = [f"x{n} = fetch({n})\n" for n in range(60)]
    before = "".join(lines[:30]) + "def fetch(a):\n    return a\n" + "".join(lines[30:])
    document, steps = after(before, ("def fetch(a):\n", "def load(a):\n"))
    numbers = [document.position(edit.change.offset).line for edit in chain(document, steps)]
    turn = numbers.index(min(numbers))
    assert numbers[0] < 30 or numbers[0] > 30
    assert numbers[turn:] == sorted(numbers[turn:]) and numbers[1:turn] == sorted(numbers[1:turn])


# --- oracles ------------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(["foo", "bar", "foobar", "x", "foo_bar", "_foo"])
_TEXTS = st.lists(st.one_of(_WORDS, st.sampled_from([" ", "\n", "(", ")", ".", ",", "é", "1"])), max_size=60)


@given(_TEXTS, _WORDS)
def test_occurrences_are_those_of_a_regular_expression(parts, word):
    text = "".join(parts)
    assert occurrences(text, word) == [match.start() for match in re.finditer(rf"(?<!\w){word}(?!\w)", text)]


@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from(["alpha", "beta", "alphabet", "gamma"]), min_size=1, max_size=30))
def test_a_function_is_renamed_at_each_of_its_occurrences_and_nowhere_else(names):
    """Brute force: a regular expression replaces the name in all of a body without strings, comments and members."""
    body = "".join(f"v{n} = {name}({n})\n" for n, name in enumerate(names))
    document, steps = after("def alpha(a):\n    return a\n\n" + body, ("def alpha(a):\n", "def renamed(a):\n"))
    assert walked(document, chain(document, steps)) == re.sub(r"\balpha\b", "renamed", document.text)


@given(st.text(alphabet="ab_AB1.() \n\té", max_size=80), st.text(alphabet="ab_AB1.() \n\té", max_size=80))
def test_changes_never_fail_and_are_what_the_step_holds(old, new):
    for change in changes(Step("file:///a.py", 0, 0, old, new)):
        assert change.text in new and (change.old or change.new)
        assert "".join(change.old) in re.sub(r"[ \t]", "", old)


@settings(max_examples=examples(60))
@given(
    st.lists(
        st.sampled_from(["def f(a):\n", "    return a\n", "x = f(a, b)\n", "x = g(a)\n", "\n", "é = 'a'\n"]),
        max_size=12,
    ),
    st.lists(
        st.sampled_from(["def f(a):\n", "def h(a):\n", "x = f(a)\n", "x = g(b)\n", "@d\n"]), min_size=2, max_size=6
    ),
    st.sampled_from(["py", "rs", "cpp", "ts", "txt"]),
)
def test_any_history_gives_a_chain_that_can_be_walked(lines, pieces, ending):
    """Also a history that contradicts the document: places are looked up in the document as it is."""
    document = Document(f"file:///a.{ending}", "".join(lines))
    steps = [
        Step(document.uri, n, n * 7, old, new)
        for n, (old, new) in enumerate(zip(pieces[::2], pieces[1::2], strict=False))
    ]
    edits = propose(document, 0, steps, least=0.0)
    text = walked(document, edits)
    assert not edits or text != document.text
    for number, edit in enumerate(edits):
        assert edit.position == number and edit.parent == (edits[number - 1].digest if number else 0)


def test_a_huge_paste_teaches_nothing():
    step = Step("file:///a.py", 0, 0, "x = 1\n" * 4000, "y = 1\n" * 4000)
    assert not changes(step)


def test_a_step_and_its_difference_are_one_change():
    change = difference("a = foo(1)\n", "a = foo(1, 2)\n")
    assert change is not None
    (found,) = changes(Step("file:///a.py", 0, 0, "a = foo(1)\n", "a = foo(1, 2)\n"))
    assert (found.new, found.left[-1], found.right[0]) == ((",", "2"), "1", ")")
