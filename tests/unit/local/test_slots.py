"""Which KV slot a prompt gets, and that speculation makes no foreground request compute more."""

from __future__ import annotations

import asyncio
import json
import re
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.lab.tree import speculator_for
from tabspec.models.load import load_model
from tabspec.models.local.logits import Logits
from tabspec.models.local.model import LocalModel
from tabspec.models.local.slots import Choice, Slots
from tabspec.models.protocol import slots_of
from tabspec.text import Document
from tests import tiny
from tests.tools import REPOSITORY

FIXTURES = REPOSITORY / "tests" / "fixtures"

PROMPT = array("I", list(range(300)))


class NoKv:
    """A decoder that only counts what is copied."""

    context = 10_000

    def __init__(self) -> None:
        self.copied = 0

    def new_kv(self) -> None:
        return None

    def truncate(self, kv: None, length: int) -> None:
        return None

    def copy(self, source: None, target: None, length: int) -> None:
        self.copied += 1

    def forward(self, kv: None, tokens: Sequence[int], want: int) -> Logits:
        return np.zeros((want, 1), np.float32)


@pytest.mark.parametrize("of_a_pass", [1, 3, 16, 40])
@pytest.mark.parametrize("part", [False, True])
def test_a_slot_at_rest_keeps_few_rows_of_logits_and_no_pass(of_a_pass: int, part: bool) -> None:
    slots = Slots(NoKv())
    whole = np.arange(of_a_pass, dtype=np.float32)[:, None].copy()
    with slots.hold(array("I", [1, 2])) as slot:
        slot.rows = whole[-1:] if part else whole
    assert slot.rows is not None
    assert slot.rows.base is None
    assert slot.rows[:, 0].tolist() == list(range(of_a_pass))[-1 if part else -16 :]


def fill(slots: Slots, tokens: Sequence[int], foreground: bool, written: Sequence[int] = ()) -> tuple[int, int]:
    """Use a slot for a prompt, with something written behind it: how many tokens of the prompt were there, and how many
    the slot held."""
    prompt = array("I", tokens)
    with slots.hold(prompt, foreground) as slot:
        shared, held = slot.shared(prompt), len(slot.tokens)
        slot.tokens = array("I", [*prompt, *written])
        slot.choices = [None] * len(prompt) + [Choice(token, b"", 0.0) for token in written]
        return shared, held


def test_speculation_overwrites_one_slot_only() -> None:
    slots = Slots(NoKv(), 4)
    prompts = [[number] * 300 for number in range(30)]
    assert [fill(slots, prompt, True) for prompt in prompts[:3]] == [(0, 0)] * 3
    assert not any(fill(slots, prompt, False)[0] for prompt in prompts[3:])
    with ExitStack() as beside:  # several at a time take more slots, for as long as they run
        for number in range(6):
            beside.enter_context(slots.hold(array("I", [1000 + number]), False))
    assert [fill(slots, prompt, True)[0] for prompt in prompts[:3]] == [300, 300, 300]
    # Speculation after a prompt is overwritten before another place's prompt is.
    for number in range(8):
        assert fill(slots, [*prompts[0], *[100 + number] * 20], False)[0] == 300
        assert fill(slots, [*prompts[0], 200 + number], True)[0] == 300
    assert fill(slots, prompts[1], True)[0] == 300


def test_speculation_keeps_the_tokens_of_foreground_requests() -> None:
    slots = Slots(NoKv(), 4)
    fill(slots, PROMPT, True, written=[1, 2, 3, 4, 5])
    for number in range(10):  # the line's tokens, written out otherwise, and more behind them
        assert fill(slots, [*PROMPT, 1, 9, number], False)[0] >= 301
    with slots.hold(PROMPT, True, lambda choices: sum(choice is not None for choice in choices)) as slot:
        assert slot.tokens[300:].tolist() == [1, 2, 3, 4, 5]


def test_speculation_extends_the_slot_it_continues() -> None:
    decoder = NoKv()
    slots = Slots(decoder, 4)
    fill(slots, PROMPT, True, written=[1, 2])
    assert fill(slots, [*PROMPT, 1, 2, 3], False) == (302, 302)
    assert decoder.copied == 0 and len(slots.all()) == 1


def test_speculation_overwrites_guesses_after_the_end() -> None:
    """Speculation continues where only guesses are lost."""
    decoder = NoKv()
    slots = Slots(decoder, 4)
    fill(slots, PROMPT, True, written=[1, 2, 8, 9])
    slots.all()[0].ahead = 2
    assert fill(slots, [*PROMPT, 1, 2, 3], False) == (302, 304)
    assert decoder.copied == 0 and len(slots.all()) == 1


def test_logits_are_kept_for_the_last_tokens() -> None:
    slots = Slots(NoKv())
    with slots.hold(PROMPT) as slot:
        slot.tokens, slot.choices = PROMPT[:], [None] * len(PROMPT)
        whole = np.arange(100, dtype=np.float32)[:, None]  # the last row, 99, is behind the last token
        slot.rows, slot.ahead = whole[60:], 39

        def known(length: int) -> list[float] | None:
            rows = slot.logits(length)
            return None if rows is None else rows[:, 0].tolist()

        assert known(300) == [99] and known(298) == [97, 98, 99] and known(260) is None
        slot.truncate(NoKv(), 298)
        assert known(298) == [97] and known(297) == [96, 97] and slot.ahead == 37
    assert slot.rows is not None and slot.rows.base is None and slot.rows[:, 0].tolist() == list(range(82, 98))
    slot.truncate(NoKv(), 200)
    assert slot.rows is None and slot.ahead == 0


def test_speculation_continues_in_its_own_slot_without_another_copy() -> None:
    decoder = NoKv()
    slots = Slots(decoder, 4)
    fill(slots, PROMPT, True, written=[1, 2, 3])
    for number in range(10):
        fill(slots, [*PROMPT, 1, 9, number], False)
    assert decoder.copied == 1 and len(slots.all()) == 2


@pytest.mark.parametrize("foreground", [False, True])
def test_a_prompt_takes_the_slot_with_the_most_tokens_that_still_hold(foreground: bool) -> None:
    slots = Slots(NoKv(), 4)
    fill(slots, PROMPT, True, written=[1, 2, 3])
    fill(slots, [*PROMPT, 7, 8], False)  # used later, and the prompt is whole there, too

    def holding(choices: Sequence[Choice | None]) -> int:
        return sum(choice is not None for choice in choices)

    with slots.hold(PROMPT, foreground, holding) as slot:
        assert slot.tokens[300:].tolist() == [1, 2, 3]


def test_accepting_line_by_line_keeps_the_slot_of_another_place() -> None:
    """What was asked ahead is accepted again and again: one place, however many slots its lines were in."""
    slots = Slots(NoKv(), 4)
    other, here = [5000] * 300, list(PROMPT)
    fill(slots, other, True)
    for line in range(20):
        fill(slots, here, True, written=[10_000 + line])
        ahead = [
            *here,
            *(1000 * line + number for number in range(100, 130)),
        ]  # the line that was accepted, canonically
        fill(slots, ahead, False)
        here = ahead
    assert fill(slots, other, True) == (300, 300)


@dataclass(frozen=True)
class Play:
    """What is shown at a place, turns of the loop that speculation has then, and what is typed against it."""

    text: str
    at: int
    turns: int
    typed: str


def plays(count: int) -> list[Play]:
    """In ordinary Python code, at places where there is a suggestion more often than not."""
    random = Random(5)
    texts: list[str] = json.loads((FIXTURES / "openings.json").read_text("utf-8"))
    likely = re.compile(r"(?:= |return |self\.|def |import |if |for )")
    found = []
    for number in range(count):
        text = texts[number * len(texts) // count]
        at = random.choice([match.end() for match in likely.finditer(text, 600)])
        found.append(Play(text, at, random.randrange(120), random.choice("xqz")))
    return found


async def rows_of_requests(model: LocalModel, policy: Policy, played: Sequence[Play]) -> list[int]:
    """The rows that the request behind what was typed computes, for each play."""
    model.local.slots.clear()
    counting = model.local.decoder
    assert isinstance(counting, tiny.Counting)
    config = EngineConfig(policy=policy).updated({"economy": 0.0})
    engine = CompletionEngine(model, config, slots=slots_of(model), speculator=speculator_for(policy))
    name, rows = "file:///a.py", []
    for play in played:
        text, at = play.text, play.at
        context = EditContext(Document(name, text, "python"), at)
        answer = await engine.complete(context)
        if answer.suggestion:
            engine.shown(context, answer.suggestion)
        for _ in range(play.turns):
            await asyncio.sleep(0)
        before = counting.rows
        text, at = text[:at] + play.typed + text[at:], at + len(play.typed)
        await engine.complete(EditContext(Document(name, text, "python"), at))
        rows.append(counting.rows - before)
        while engine.in_flight != (0, 0):  # noqa: ASYNC110 (the next place begins at rest)
            await asyncio.sleep(0)
    await engine.close()
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("places", [10, pytest.param(40, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("policy", [Policy.CHAIN, Policy.TREE])
async def test_a_request_computes_no_more_than_without_speculation(policy: Policy, places: int) -> None:
    """Of the bundled model: where it is interrupted by a request, what it was doing has cost that request nothing."""
    model = load_model("")
    assert isinstance(model, LocalModel)
    # What the request waits for is the pass in which it comes; `DecodeBatcher` sees to that, and to what runs beside
    # it.
    model.local = replace(model.local, decoder=tiny.Counting(model.local.decoder), drafts=tiny.NoDrafts())
    model.local.slots = Slots(model.local.decoder)
    played = plays(places)
    without = await rows_of_requests(model, Policy.CACHE, played)
    ahead = await rows_of_requests(model, policy, played)
    assert any(without)
    assert [b - a for a, b in zip(without, ahead, strict=True) if b > a] == []
