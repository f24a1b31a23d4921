"""Two models in one process: whose foreground generations come first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import product

import pytest

from tabspec.models.local.batching import DecodeBatcher


class Decoder:
    """Notes which sequence was run, in the order of the passes."""

    def __init__(self, ran: list[str]) -> None:
        self.ran = ran

    def forward(self, kv: str, tokens: Sequence[int], want: int) -> str:
        self.ran.append(kv)
        return "logits"


async def turns(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("completion", "edit"), [*product((True, False), repeat=2)])
async def test_completions_come_before_edits_and_the_foreground_before_speculation(
    completion: bool, edit: bool
) -> None:
    """A generation of each model, of any priority: while it is open, the other one runs only if it comes first."""
    ran: list[str] = []
    first = DecodeBatcher(Decoder(ran))  # type: ignore[arg-type]
    second = DecodeBatcher(Decoder(ran), first)  # type: ignore[arg-type]
    with first.generation(completion):
        waiting = asyncio.create_task(second.forward("edit", [1], 1, edit))
        await turns()
        # A speculative completion does not hold up any edit; a completion that is waited for holds up all of them.
        assert ran == ([] if completion else ["edit"])
    await turns()
    assert ran == ["edit"] and waiting.done()
    ran.clear()
    with second.generation(edit):
        waiting = asyncio.create_task(first.forward("completion", [1], 1, completion))
        await turns()
        # An edit that is waited for holds up speculative completions only.
        assert ran == ([] if edit and not completion else ["completion"])
    await turns()
    assert ran == ["completion"] and waiting.done()


async def test_the_same_model_goes_on_as_before() -> None:
    ran: list[str] = []
    first = DecodeBatcher(Decoder(ran))  # type: ignore[arg-type]
    second = DecodeBatcher(Decoder(ran), first)  # type: ignore[arg-type]
    with second.generation(True):
        speculative = asyncio.create_task(second.forward("ahead", [1], 1, False))
        waited = asyncio.create_task(second.forward("edit", [1], 1, True))
        await turns()
        assert ran == ["edit"] and waited.done()
    await turns()
    assert ran == ["edit", "ahead"] and speculative.done()
