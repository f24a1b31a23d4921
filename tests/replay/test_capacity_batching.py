"""Capacity planning's fast batching against the decoder's own, with the same jobs and the same times of passes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.lab.capacity.service import Served
from tabspec.lab.capacity.sizing import serve
from tabspec.models.local.batching import CHUNK, PendingPass
from tabspec.models.protocol import CHUNK_AHEAD
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.timed_batcher import TimedBatcher

# The bundled model with the compiled decoder's marginal cost of a row, 0.1 of a pass.
PROFILE = ServiceProfile(((1, 4.65), (16, 11.6)), 0.108)


def jobs(count: int, rate: float, foreground: bool, seed: int) -> list[Served]:
    """Jobs that arrive at ``rate`` a second, with prompts and answers of the usual sizes."""
    draw, now, made = random.Random(seed), 0.0, []
    for _ in range(count):
        now += draw.expovariate(rate)
        made.append(Served(0, foreground, draw.randint(5, 300), 0, draw.randint(3, 24), now, done=True))
    return made


def by_the_decoder(asked: Sequence[Served], profile: ServiceProfile) -> list[float]:
    """The wait of each foreground job, in seconds, if `DecodeBatcher` forms the passes."""

    def seconds(batch: Sequence[PendingPass]) -> float:
        return profile.step_s(sum(bool(member.want) for member in batch), sum(len(m.tokens) - 1 for m in batch))

    waits: list[float] = []

    async def play() -> None:
        loop, batcher = asyncio.get_running_loop(), TimedBatcher(seconds)

        async def one(job: Served) -> None:
            await asyncio.sleep(job.arrived)
            with batcher.generation(job.foreground):
                size = CHUNK if job.foreground else CHUNK_AHEAD
                pieces = [min(size, job.prefill - at) for at in range(0, job.prefill, size)]
                for tokens in pieces[:-1]:
                    await batcher.step(None, tokens, 0, job.foreground)
                await batcher.step(None, pieces[-1], 1, job.foreground)  # it also decodes the first token
                for _ in range(job.decode - 1):
                    await batcher.step(None, 1, 1, job.foreground)
            if job.foreground:
                waits.append(loop.time() - job.arrived)

        await asyncio.gather(*map(one, asked))

    run_virtual(play())
    return waits


@pytest.mark.slow
@pytest.mark.parametrize("rate", [2.0, 8.0])
def test_waits_are_those_of_the_decoders_batching(rate: float) -> None:
    """Within a tenth: a long prompt is computed beside decode steps here, and in passes of its own there."""
    foreground = jobs(600, rate, True, 1)
    asked = sorted(foreground + jobs(900, rate * 1.5, False, 2), key=lambda job: job.arrived)
    here, there = sorted(wait for wait, _ in serve(asked, PROFILE)), sorted(by_the_decoder(asked, PROFILE))
    assert len(here) == len(there) == 600
    for share in (0.5, 0.9):
        at = int(600 * share)
        assert here[at] == pytest.approx(there[at], rel=0.1)
