"""Latency profiles (from a file, from a number, or fitted to measurements), and a model that takes that long.

On the virtual clock computing takes no time, so a replay has the same result on every machine. `TimedModel` adds the
time of the model: that of a latency profile, or the measured time of the computation.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

from tabspec.errors import InputError
from tabspec.models.local.batching import CHUNK, PendingPass
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, Model, ModelInfo, Usage, warms
from tabspec.replay.bounded import read_json_file
from tabspec.replay.clock import outside_work
from tabspec.replay.models.timed_batcher import TimedBatcher
from tabspec.system.typed_json import JsonReader

FORMAT = "tabspec-latency"
VERSION = 1


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Service times in milliseconds. A generation that computes p prompt tokens and decodes d tokens takes

    ``prefill_fixed_ms`` + p · ``prefill_ms_per_token`` + d · ``decode_ms_per_token``. ``model`` and ``machine`` are
    descriptions for reports.

    At most ``together`` generations share a pass. ``beside`` is the marginal cost of each further one, as a share of
    the time of a pass alone (with 0.24, a pass of four takes 1.7 times as long as a pass of one).
    """

    prefill_fixed_ms: float
    prefill_ms_per_token: float
    decode_ms_per_token: float
    model: str = ""
    machine: str = ""
    together: int = 1
    beside: float = 1.0

    def pass_seconds(self, batch: Sequence[PendingPass]) -> float:
        """Time of one pass in seconds. The ``kv`` of each member is a `_Timed`."""
        alone: float = max(member.kv.seconds for member in batch)
        return alone * (1 + self.beside * (len(batch) - 1))

    def passes(self, usage: Usage, first: bool, foreground: bool) -> Iterator[tuple[int, int, float]]:
        """The passes that the worker would run for a chunk. Yields (tokens, rows of logits, seconds if alone)."""
        size = CHUNK if foreground else CHUNK_AHEAD
        left = usage.prefill
        if first and not left and self.prefill_fixed_ms:
            yield 1, 1, self.seconds(Usage(), first)
        while left:
            tokens = min(size, left)
            left -= tokens
            yield tokens, int(not left), self.seconds(Usage(prefill=tokens), first)
            first = False
        for _ in range(usage.decoded):
            yield 1, 1, self.seconds(Usage(decoded=1), False)

    def seconds(self, usage: Usage, first: bool) -> float:
        """Time of one chunk in seconds. ``first``: the chunk is the first of its generation."""
        ms = usage.prefill * self.prefill_ms_per_token + usage.decoded * self.decode_ms_per_token
        return (ms + (self.prefill_fixed_ms if first else 0.0)) / 1000


def parse_latency(value: str) -> LatencyProfile:
    """The profile for ``--latency VALUE``: a number (milliseconds for each suggestion) or a latency file.

    Raises `InputError` if the number is negative or not finite, or if the file is missing, is not JSON, has another
    format, or contains invalid times.
    """
    try:
        number = float(value)
    except ValueError:
        return read_latency(Path(value))
    if not (math.isfinite(number) and number >= 0):
        raise InputError(f"latency {value}: milliseconds must be a number from 0")
    return LatencyProfile(number, 0.0, 0.0, f"{number:g} ms a suggestion")


def read_latency(path: Path) -> LatencyProfile:
    """The profile in a latency file; errors as for `parse_latency`."""
    item = read_json_file(path, f"latency file {path}")
    if not isinstance(item, dict) or item.get("format") != FORMAT:
        raise InputError(f'latency file {path}: "format" must be "{FORMAT}"')
    if item.get("version") != VERSION:
        raise InputError(
            f"latency file {path}: version {item.get('version')!r} is not {VERSION}, which this tabspec reads"
        )
    try:
        profile: LatencyProfile = JsonReader(signed=()).read(item, LatencyProfile, "profile")
    except ValueError as error:
        raise InputError(f"latency file {path}: {error}") from None
    if profile.together < 1:
        raise InputError(f'latency file {path}: "together" must be a number of generations from 1')
    if profile.beside > 1:
        raise InputError(f'latency file {path}: "beside" must be a share from 0 to 1')
    return profile


@dataclass(eq=False, slots=True)
class _Timed:
    """Takes the place of a generation's KV cache: the time in seconds of the generation's next pass if alone."""

    seconds: float = 0.0


# A token that comes quicker needed no pass: it was a draft token of the pass before, or its text arrived with that of
# another. Such tokens take 0.01 to 0.04 ms, a decode step of the bundled model 0.3 to 0.45 (AMD EPYC).
_NO_PASS_S = 1e-4


@dataclass(frozen=True, slots=True)
class Sample:
    """The usage of one chunk, and its measured time."""

    usage: Usage
    first: bool
    seconds: float


def fit_profile(samples: Iterable[Sample], model: str = "", machine: str = "") -> LatencyProfile:
    """Fit a profile to measured samples.

    All estimates are medians (Theil-Sen for the slope of the prefill), so a few chunks that were slow because the
    machine was busy do not matter. A decoded token takes its share of a pass: those from drafts need none. Raises
    `InputError` if there is no sample of the first chunk of a generation.
    """
    samples = list(samples)
    if not any(sample.first for sample in samples):
        raise InputError("no generation was measured, so no latency profile can be made")
    steps = [s for s in samples if s.usage.decoded and not s.usage.prefill and not s.first]
    passes = [s.seconds / s.usage.decoded for s in steps if s.seconds > _NO_PASS_S]
    decode = median(passes) * len(passes) / len(steps) if passes else 0.0
    # Models that prefill in pieces report each piece. The reused tokens come first, in a chunk without prefill.
    prefills = [s for s in samples if s.usage.prefill] or [s for s in samples if s.first]
    points = [(s.usage.prefill, s.seconds - s.usage.decoded * decode) for s in prefills]
    # 100 points make about 5,000 pairs, which is enough for a stable median
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points[:100], 2) if x1 != x2]
    slope = max(median(slopes), 0.0) if slopes else 0.0
    fixed = max(median(y - slope * x for x, y in points), 0.0)
    return LatencyProfile(fixed * 1000, slope * 1000, decode * 1000, model, machine)


@dataclass
class TimedModel:
    """Delays each chunk of ``model`` on the running loop's clock.

    With a ``profile``, the delay is the profile's time for the chunk's usage. Without one, it is the measured time of
    computing the chunk; ``samples`` keeps these times for `fit_profile`. ``model`` must not wait for a timer of the
    loop, because the virtual clock is stopped while a chunk is computed.

    If the profile allows several generations in a pass, the worker's own batching decides which of them share one
    (`TimedBatcher`).
    """

    model: Model
    profile: LatencyProfile | None = None
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._batcher = TimedBatcher(self.profile.pass_seconds) if self.profile else None

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    @property
    def warm(self) -> bool:
        return warms(self.model)

    @property
    def slots(self) -> int:
        """How many generations may run at the same time."""
        return self.profile.together if self.profile else 1

    @property
    def schedules(self) -> bool:
        """Whether the model puts foreground generations before speculative ones. It does if they can share passes."""
        return self.slots > 1

    def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if self._batcher and self.profile and self.profile.together > 1:
            return self._shared(request, self.profile, self._batcher)
        return self._alone(request)

    async def _shared(
        self, request: GenerationRequest, profile: LatencyProfile, batcher: TimedBatcher
    ) -> AsyncGenerator[Chunk, None]:
        """Emits each chunk at the end of the last pass that it needs."""
        mark, first = _Timed(), True
        with batcher.generation(request.foreground):
            async with aclosing(self.model.stream(request)) as chunks:
                while True:
                    with outside_work():
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    for tokens, want, mark.seconds in profile.passes(chunk.usage, first, request.foreground):
                        await batcher.step(mark, tokens, want, request.foreground)
                    first = False
                    yield chunk

    async def _alone(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        first = True
        async with aclosing(self.model.stream(request)) as chunks:
            while True:
                started = time.perf_counter()
                with outside_work():
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                took = time.perf_counter() - started
                if self.profile is None:
                    self.samples.append(Sample(chunk.usage, first, took))
                else:
                    took = self.profile.seconds(chunk.usage, first)
                if took:
                    await asyncio.sleep(took)
                first = False
                yield chunk

    async def close(self) -> None:
        await self.model.close()
