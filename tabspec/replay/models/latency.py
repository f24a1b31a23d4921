"""How long a model takes: profiles from a file, a plain number, or measured; and a model that takes so long.

On the virtual clock computing takes no time, so that a replay says the same on every machine. `TimedModel` gives
time back: what a latency profile says, or what the computation really took.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from tabspec.errors import InputError
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, Model, ModelInfo, Usage, warms
from tabspec.replay.bounded import read_json_file
from tabspec.replay.clock import outside_work

FORMAT = "tabspec-latency"
VERSION = 1


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Service times in milliseconds: of a generation with p prompt tokens to compute and d tokens decoded,

    ``prefill_fixed_ms`` + p · ``prefill_ms_per_token`` + d · ``decode_ms_per_token``. ``model`` and ``machine`` say
    in words what was measured where.

    ``together`` generations are decoded as one pass at most, and each further one makes a pass longer by ``beside`` of
    what it takes alone (0.24: four cost 1.7 times one).
    """

    prefill_fixed_ms: float
    prefill_ms_per_token: float = 0.0
    decode_ms_per_token: float = 0.0
    model: str = ""
    machine: str = ""
    together: int = 1
    beside: float = 1.0

    def step_seconds(self, decoded: int, generations: int) -> float:
        """Time in which ``decoded`` tokens come, one after another, while so many generations are decoded together."""
        return decoded * self.decode_ms_per_token * (1 + self.beside * (generations - 1)) / 1000

    def seconds(self, usage: Usage, first: bool) -> float:
        """Time of one chunk; ``first``: it is the first of its generation."""
        ms = usage.prefill * self.prefill_ms_per_token + usage.decoded * self.decode_ms_per_token
        return (ms + (self.prefill_fixed_ms if first else 0.0)) / 1000

    def as_object(self) -> dict[str, Any]:
        """As it stands in a latency file."""
        names = ("model", "machine", *_TIMES)
        found = {"format": FORMAT, "version": VERSION, **{name: getattr(self, name) for name in names}}
        return found | ({"together": self.together, "beside": self.beside} if self.together > 1 else {})


_TIMES = tuple(item.name for item in fields(LatencyProfile) if item.name.endswith(("_ms", "_per_token")))


def parse_latency(value: str) -> LatencyProfile:
    """The profile for ``--latency VALUE``: a number (milliseconds for each suggestion) or a latency file.

    Raises `InputError` with one line for a file that is missing, not JSON, of another format, or that has
    times that are no numbers from 0.
    """
    try:
        number = float(value)
    except ValueError:
        return read_latency(Path(value))
    if not (math.isfinite(number) and number >= 0):
        raise InputError(f"latency {value}: milliseconds must be a number from 0")
    return LatencyProfile(number, model=f"{number:g} ms a suggestion")


def read_latency(path: Path) -> LatencyProfile:
    """The profile in a latency file; errors as for `parse_latency`."""
    item = read_json_file(path, f"latency file {path}")
    if not isinstance(item, dict) or item.get("format") != FORMAT:
        raise InputError(f'latency file {path}: "format" must be "{FORMAT}"')
    if item.get("version") != VERSION:
        raise InputError(
            f"latency file {path}: version {item.get('version')!r} is not {VERSION}, which this tabspec reads"
        )
    for name in _TIMES:
        value = item.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise InputError(f"latency file {path}: {name!r} must be a number of milliseconds from 0, not {value!r}")
    fixed, prefill, decode = (float(item[name]) for name in _TIMES)
    together, beside = item.get("together", 1), item.get("beside", 1.0)
    if isinstance(together, bool) or not isinstance(together, int) or together < 1:
        raise InputError(f'latency file {path}: "together" must be a number of generations from 1, not {together!r}')
    if isinstance(beside, bool) or not isinstance(beside, int | float) or not 0 <= beside <= 1:
        raise InputError(f'latency file {path}: "beside" must be a share from 0 to 1, not {beside!r}')
    told = str(item.get("model", "")), str(item.get("machine", ""))
    return LatencyProfile(fixed, prefill, decode, *told, together, float(beside))


@dataclass(frozen=True, slots=True)
class Sample:
    """What one chunk cost, and how long it took."""

    usage: Usage
    first: bool
    seconds: float


def fit_profile(samples: Iterable[Sample], model: str = "", machine: str = "") -> LatencyProfile:
    """The profile that fits measured samples.

    Medians all along (Theil-Sen for the slope of the prefill), so that a few chunks that met a busy machine do not
    count. Raises `InputError` if no generation was measured to fit to.
    """
    samples = list(samples)
    if not any(sample.first for sample in samples):
        raise InputError("no generation was measured, so no latency profile can be made")
    steps = [s for s in samples if s.usage.decoded and not s.usage.prefill and not s.first]
    decode = median([s.seconds / s.usage.decoded for s in steps] or [0.0])
    # Models that prefill in pieces tell of each; what they find in their KV cache comes first, and costs nothing.
    prefills = [s for s in samples if s.usage.prefill] or [s for s in samples if s.first]
    points = [(s.usage.prefill, s.seconds - s.usage.decoded * decode) for s in prefills]
    # pairs of 100 points are 5,000, which is plenty
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points[:100], 2) if x1 != x2]
    slope = max(median(slopes), 0.0) if slopes else 0.0
    fixed = max(median(y - slope * x for x, y in points), 0.0)
    return LatencyProfile(fixed * 1000, slope * 1000, decode * 1000, model, machine)


@dataclass
class TimedModel:
    """Makes each chunk of ``model`` take its time on the running loop's clock.

    With a ``profile``, the time it says for the chunk's usage; without one, the time that computing it really took
    (``samples`` keeps those, for `fit_profile`). ``model`` must not wait on the loop's clock itself: under virtual
    time it stands still while a chunk is computed.

    Where the profile lets generations be decoded together, they share one processor as they do in the worker: prefill
    is done for one at a time, a foreground generation makes the others wait, and waits itself for the pass that has
    begun: a decode step, or a piece of a speculation's prefill.
    """

    model: Model
    profile: LatencyProfile | None = None
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open: set[object] = set()  # speculative generations that are not paused
        self._front = 0  # foreground ones
        self._calm = asyncio.Event()
        self._calm.set()
        self._prefilled = self._stepped = 0.0  # when the prefill that is under way ends, and the pass

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    @property
    def warm(self) -> bool:
        return warms(self.model)

    @property
    def slots(self) -> int:
        """Generations at a time."""
        return self.profile.together if self.profile else 1

    @property
    def schedules(self) -> bool:
        """Where generations share a processor, the foreground comes first."""
        return self.slots > 1

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if self.profile is None or self.profile.together == 1:
            async with aclosing(self._alone(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        self._front += request.foreground
        if request.foreground:
            self._calm.clear()
        try:
            async with aclosing(self._beside(request, self.profile)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._front -= request.foreground
            if not self._front:
                self._calm.set()

    async def _beside(self, request: GenerationRequest, profile: LatencyProfile) -> AsyncGenerator[Chunk, None]:
        """The chunks, each when the processor that all generations share has come to it."""
        now, first, mark = asyncio.get_running_loop().time, True, object()
        async with aclosing(self.model.stream(request)) as chunks:
            while True:
                with outside_work():
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                pieces = self._pieces(chunk.usage.prefill, first, request.foreground, profile)
                for seconds in pieces:
                    if not request.foreground:
                        await self._turn(fresh=True)
                    self._prefilled = max(now(), self._prefilled, self._stepped) + seconds
                    await asyncio.sleep(self._prefilled - now())
                if not request.foreground:
                    await self._turn(fresh=first or bool(pieces))
                if chunk.usage.decoded:
                    begin = max(now(), self._prefilled, self._stepped if first or pieces else 0.0)
                    self._open.add(mark)
                    count = 1 if request.foreground else len(self._open)
                    end = begin + profile.step_seconds(chunk.usage.decoded, count)
                    self._stepped = max(self._stepped, end)
                    try:
                        await asyncio.sleep(max(end - now(), 0.0))
                    finally:
                        self._open.discard(mark)
                first = False
                yield chunk

    async def _turn(self, fresh: bool) -> None:
        """Wait, as a speculation, until no foreground generation is open and the processor is free. What goes on takes
        its step beside others; what is ``fresh`` begins behind them."""
        now = asyncio.get_running_loop().time
        while True:
            await self._calm.wait()
            free = max(self._prefilled, self._stepped if fresh else 0.0)
            if free <= now():
                return
            await asyncio.sleep(free - now())

    @staticmethod
    def _pieces(prefill: int, first: bool, foreground: bool, profile: LatencyProfile) -> list[float]:
        """Seconds of each pass in which so many tokens of a prompt are computed: a speculation's in pieces."""
        size = prefill if foreground else CHUNK_AHEAD
        counts = [min(size, prefill - at) for at in range(0, prefill, size)] if prefill else [0] * first
        times = [profile.seconds(Usage(prefill=count), first and not at) for at, count in enumerate(counts)]
        return [seconds for seconds in times if seconds]

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
