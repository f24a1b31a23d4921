"""Passes on the virtual clock whose duration cannot be computed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tabspec.models.local.batching import PendingPass
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.timed_batcher import TimedBatcher


def test_a_pass_without_a_time_fails_and_the_next_one_runs() -> None:
    def seconds(batch: Sequence[PendingPass]) -> float:
        if batch[0].kv == "unknown":
            raise ValueError("no time for this pass")
        return 0.5

    async def play() -> None:
        batcher = TimedBatcher(seconds)
        with pytest.raises(ValueError, match="no time"):
            await batcher.step("unknown", 1, 1, True)
        await batcher.step("known", 1, 1, True)

    run_virtual(play())
