"""How long a model takes: profiles from a file, a plain number, or measured; and a model that takes so long.

On the virtual clock computing takes no time, so that a replay says the same on every machine. `TimedModel` gives
time back: what a latency profile says, or what the computation really took.
"""

from __future__ import annotations

import asyncio
import json
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
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage
from tabspec.replay.clock import outside_work

FORMAT = "tabspec-latency"
VERSION = 1


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Service times in milliseconds: of a generation with p prompt tokens to compute and d tokens decoded,

    ``prefill_fixed_ms`` + p · ``prefill_ms_per_token`` + d · ``decode_ms_per_token``. ``model`` and ``machine`` say
    in words what was measured where.
    """

    prefill_fixed_ms: float
    prefill_ms_per_token: float = 0.0
    decode_ms_per_token: float = 0.0
    model: str = ""
    machine: str = ""

    def seconds(self, usage: Usage, first: bool) -> float:
        """Time of one chunk; ``first``: it is the first of its generation."""
        ms = usage.prefill * self.prefill_ms_per_token + usage.decoded * self.decode_ms_per_token
        return (ms + (self.prefill_fixed_ms if first else 0.0)) / 1000

    def as_object(self) -> dict[str, Any]:
        """As it stands in a latency file."""
        names = ("model", "machine", *_TIMES)
        return {"format": FORMAT, "version": VERSION, **{name: getattr(self, name) for name in names}}


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
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"latency file {path}: cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise InputError(f"latency file {path}: not JSON") from None
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
    return LatencyProfile(fixed, prefill, decode, str(item.get("model", "")), str(item.get("machine", "")))


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
    """

    model: Model
    profile: LatencyProfile | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def info(self) -> ModelInfo:
        return self.model.info

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
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
