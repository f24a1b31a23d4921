"""What is offered of what a model wrote: no second closing bracket, no blank ends, nothing that stands there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.fitting.early_stop import end_with_block
from tabspec.fitting.postprocess import UNKNOWN_WORD, postprocess
from tabspec.fitting.truncation import FitStep
from tabspec.suggestion import Finish, GeneratedText, Reason, Suggestion
from tabspec.text import Document


def offered(before: str, text: str, behind: str = "") -> Suggestion | Reason:
    context = EditContext(Document("file:///a.py", before + behind), len(before))
    return postprocess(context, GeneratedText(text, Finish.END))


@pytest.mark.parametrize(
    ("before", "text", "behind", "result"),
    [
        ("f(", "a, b)", ")", "f(a, b)"),
        ("f(", "a, b", ")", "f(a, b)"),
        ("def f(", "a, b) -> int:", ")", "def f(a, b) -> int:"),
        ("def f(", "a, b):", "):", "def f(a, b):"),
        ("f(", "g(x)", ")", "f(g(x))"),
        ("f(", "g(x))", ")", "f(g(x))"),
        ("f(g(", "x))", "))", "f(g(x))"),
        ("x = [", "1, 2]", "]", "x = [1, 2]"),
        ("x = {", '"a": [1]}', "}", 'x = {"a": [1]}'),
        ('print("', 'hello")', '")', 'print("hello")'),
        ('print("', "hello (world)", '")', 'print("hello (world)")'),
        ('x = "', 'a" + b', '"', 'x = "a" + b'),
        ("if x", " == 1:", ":", "if x == 1:"),
        ("f(", "a)", ")  # why", "f(a)  # why"),
        ("return ", "a + b", "", "return a + b"),
    ],
)
def test_the_line_reads_right_after_an_accept(before: str, text: str, behind: str, result: str) -> None:
    suggestion = offered(before, text, behind)
    assert isinstance(suggestion, Suggestion)
    context = EditContext(Document("file:///a.py", before + behind), len(before))
    assert context.after_accept(suggestion).document.text == result


@pytest.mark.parametrize(
    ("before", "text", "behind"), [("a", "", ""), ("a", "  ", ""), ("a", "\n\n", ""), ("f(", ")", ")"), ("x", "y", "y")]
)
def test_nothing_is_no_suggestion(before: str, text: str, behind: str) -> None:
    assert offered(before, text, behind) is Reason.EMPTY


def test_white_space_at_the_end_goes() -> None:
    suggestion = offered("x = ", "1  \n\n   ")
    assert isinstance(suggestion, Suggestion) and suggestion.text == "1"


def test_the_probability_is_that_of_the_tokens() -> None:
    context = EditContext(Document("file:///a.py", "total = 1\n\nprint(to", "python"), 19)
    for text, logprobs, expected in (
        ("tal", (-1.0, -0.5), -1.5),
        ("day", (-1.0, -0.5), -1.5 * UNKNOWN_WORD),
        ("tal", (), None),
    ):
        found = postprocess(context, GeneratedText(text, Finish.END, (1, 3)[: len(logprobs)], logprobs))
        assert isinstance(found, Suggestion) and found.text == text
        assert found.probability == (None if expected is None else pytest.approx(math.exp(expected))), "unknown without"


@pytest.mark.parametrize(
    ("before", "text", "kept"),
    [
        ("    x", " = 1\n    y = 2\nz = 3", " = 1\n    y = 2"),
        ("    if x", ":\n        y\n    else:\n        z\nend", ":\n        y\n    else:\n        z"),
        ("    f(", "\n        a,\n    )\n)", "\n        a,\n    )\n)"),
        ("        y", "\n    return 1", "\n    return 1"),
        ("        y", "\n\n    a\n    b\nc", "\n\n    a\n    b"),
        ("\tx", "\n\ty\nz", "\n\ty"),
        ("<ul>", "\n  <li>\n</ul>", "\n  <li>\n</ul>"),
        ("<ul>", "\n  <li>\n<p>", "\n  <li>"),
        ("  ", "  a\n  b\nc", "  a\n  b"),
        ("x", "", ""),
    ],
)
def test_a_suggestion_ends_with_its_block(before: str, text: str, kept: str) -> None:
    assert end_with_block(before, text) == kept


LINES = st.lists(st.sampled_from(["", "a", " b", "  c", "  )", " </a>", "\td"]), max_size=7).map("\n".join)


@given(st.sampled_from(["", "  ", " x", "   y"]), LINES)
def test_what_is_kept_stands_nowhere_further_out(before: str, text: str) -> None:
    kept = end_with_block(before, text)
    assert text.startswith(kept) and (kept == text or text[len(kept)] == "\n")
    assert end_with_block(before, kept) == kept

    def indent(line: str) -> str:
        return line[: len(line) - len(line.lstrip())]

    here = bool(kept.split("\n")[0].strip())  # something is said on the cursor's line
    lines = [line for i, line in enumerate((before + kept).split("\n")) if line.strip() and (i or here)]
    first, *others = [indent(line) for line in lines] or [""]
    if before and here and first == before * 2:  # the indentation is written again
        first = before
    closing = [line.lstrip().startswith((")", "</")) for line in lines[1:]]
    assert all(mine or each == first or not first.startswith(each) for each, mine in zip(others, closing, strict=True))


def test_steps_can_be_left_out() -> None:
    context = EditContext(Document("file:///a.py", "f()"), 2)
    generated = GeneratedText("a)", Finish.END)
    without = postprocess(context, generated, frozenset(FitStep) - {FitStep.OVERLAP})
    assert isinstance(without, Suggestion) and without.replace_after == 0
