"""Local models on the virtual clock: how long passes take, and that two models share one processor."""

from __future__ import annotations

import asyncio

import pytest

from tabspec.lab.measuring.timed_decoding import PassTime, Processor, TimedDecodeBatcher
from tabspec.models.local.batching import DecodeBatcher
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.timed_batcher import NoDecoder


def test_a_pass_takes_its_time_and_two_models_take_turns() -> None:
    async def play() -> None:
        processor = Processor(PassTime(fixed=10.0, token=1.0))
        completions = TimedDecodeBatcher(NoDecoder(), processor)
        edits = TimedDecodeBatcher(NoDecoder(), processor, completions)
        now, ended = asyncio.get_running_loop().time, dict[str, float]()

        async def run(name: str, batcher: DecodeBatcher, tokens: int, foreground: bool) -> None:
            with batcher.generation(foreground):
                await batcher.forward(None, range(tokens), 1, foreground)
            ended[name] = now()

        async with asyncio.TaskGroup() as group:
            group.create_task(run("edit ahead", edits, 50, False))
            await asyncio.sleep(0.001)
            # Both wait for the pass that is running. Then the completion comes first.
            group.create_task(run("edit", edits, 30, True))
            group.create_task(run("completion", completions, 20, True))
            group.create_task(run("completion ahead", completions, 40, False))
        expected = {"edit ahead": 0.06, "completion": 0.09, "edit": 0.13, "completion ahead": 0.18}
        assert ended == pytest.approx(expected)
        assert list(ended) == list(expected)
        assert processor.busy_s == pytest.approx(0.18)

    run_virtual(play())


def test_a_pass_whose_caller_has_left_still_takes_its_time() -> None:
    async def play() -> None:
        batcher = TimedDecodeBatcher(NoDecoder(), Processor(PassTime(fixed=10.0, token=0.0)))
        left = asyncio.create_task(batcher.forward(None, [1], 1, True))
        await asyncio.sleep(0.004)
        left.cancel()
        await batcher.forward(None, [2], 1, True)
        assert asyncio.get_running_loop().time() == pytest.approx(0.02)
        with pytest.raises(asyncio.CancelledError):
            await left

    run_virtual(play())
