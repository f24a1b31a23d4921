"""The learning rate during a run: a warm-up, a constant part, and a linear decay to zero."""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Budget:
    """The length of a run: ``steps``, or ``seconds`` of wall-clock time in all parts of a resumed run."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None) or (self.steps or self.seconds or 0) <= 0:
            raise ConfigError("give either how many steps or how many minutes to train: --steps or --minutes")

    def progress(self, step: int, seconds: float) -> float:
        """The share of the run that is done, from 0 to 1."""
        part = step / self.steps if self.steps else seconds / (self.seconds or 1.0)
        return min(part, 1.0)


def rate(progress: float, step: int, warmup: int, decay: float) -> float:
    """The factor of the learning rate, from 0 to 1.

    ``warmup``: the number of steps in which the rate rises linearly. ``decay``: the share of the run, at its end, in
    which the rate falls linearly to zero. This trains as well as a cosine schedule, and the length can still be changed
    during the run
    (Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training durations").
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = min(1.0, (1.0 - progress) / decay) if decay else 1.0
    return rise * max(fall, 0.0)
