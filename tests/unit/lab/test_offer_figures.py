"""The measures of an offer's end and joints: each can pass and each can fail."""

from __future__ import annotations

import pytest

from tabspec.lab.evaluation.offers import OfferPlace, end_is_whole, joints_hold


def place(language: str, before: str, inserted: str, after: str, written: str) -> OfferPlace:
    return OfferPlace(before, inserted, after, written, language)


@pytest.mark.parametrize(
    ("offer", "right"),
    [
        (place("python", "x = ", "self.name", "\n", "self.size"), True),
        (place("python", "x = ", "self.na", "\n", "self.name"), False),
        (place("python", "x = ", "foo(", "\n", "bar()"), False),
        (place("python", "f(", "help='A", "\n", "a=1)"), False),
        (place("python", "x = '", "../lib/", "\n", "../lib/a'"), True),  # the author opened the string
        (place("python", "f('help', 'signat", "ure", "\n", "ure', 1)"), True),
        (place("python", 'x = """\\\n', "Received", "\n", "Received a message"), True),
        (place("python", "x = ", 'f"""', "\n", "1"), False),
        (place("python", "x = 'a', ", "'b", "\n", "'c'"), False),
        (place("rust", "fn f<'a>(x: &'a str) -> ", "&", "\n", "u8 {"), True),
        (place("python", "x ", "=", "\n", "+= 1"), False),
        (place("python", "if ", "not", "\n", "a:"), False),
        (place("python", "x = f(\n    ", "a,", "\n", "a,\n    b)"), True),
        (place("lua", "local x ", "=", "\n", "<const> = 1"), False),
        (place("ruby", "puts ", "name", "\n", "other"), True),
        (place("php", "<?php\n$x = ", "$y .", "\n", "1;"), False),
    ],
)
def test_an_end_is_whole_at_the_end_of_a_word_or_expression(offer: OfferPlace, right: bool) -> None:
    assert end_is_whole(offer) is right


@pytest.mark.parametrize(
    ("offer", "right"),
    [
        (place("python", "if ", "not valid:", "\n", "valid:"), True),
        (place("python", "valid = 1\nif not", "valid", "\nnot valid\n", " valid:"), False),
        (place("python", "return ", " a", "\n", "a"), False),
        (place("python", "x = 1 ", " # why", "\n", " # because"), True),
        (place("go", "func f() {\n\t", "a\n    b", "\n}\n", "a\n\tb"), False),
        (place("python", "x = ", "'\ufffd'", "\n", "1"), False),
        (place("python", "a\r\n", "b\nc", "\r\n", "d"), False),
        (place("python", "def f(a):", "def f(a): return", "\n", " pass"), False),
        (place("python", "x = ", "1\nreturn the_total", "\nreturn the_total\n", "2"), False),
    ],
)
def test_a_joint_is_sound_unless_text_is_run_together_or_doubled(offer: OfferPlace, right: bool) -> None:
    assert joints_hold(offer) is right
