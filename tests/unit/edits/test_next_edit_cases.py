"""What patterns propose for cases of many kinds in eleven languages: nothing wrong, and nothing where none is due."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tabspec.edits.proposals.tokens import tokens
from tabspec.lab.evaluation.next_edit.cases import offers, read_cases
from tabspec.lab.evaluation.next_edit.judged import distance

CASES = Path(__file__).parents[2] / "fixtures" / "next_edits.jsonl"
# Changes of style, of types on other lines, missing imports: patterns are not sure of these, and leave them to a model.
LEFT_TO_THE_MODEL = 14


def _cases() -> list[dict[str, str]]:
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def offered() -> dict[str, str | None]:
    """The text after what is offered for each case."""
    return {offer.id: offer.text for offer in asyncio.run(offers(read_cases(CASES), None))}


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["id"])
def test_an_offer_is_a_part_of_what_follows(case: dict[str, str], offered: dict[str, str | None]) -> None:
    text = offered[case["id"]]
    if case["expected"] is None:
        assert text is None
    elif text is not None:
        now, then, end = ([token.text for token in tokens(each)] for each in (case["text"], text, case["expected"]))
        assert now != then
        assert distance(now, then) + distance(then, end) == distance(now, end)


def test_most_of_the_others_get_an_offer(offered: dict[str, str | None]) -> None:
    due = [case["id"] for case in _cases() if case["expected"] is not None]
    assert sum(offered[name] is None for name in due) <= LEFT_TO_THE_MODEL
