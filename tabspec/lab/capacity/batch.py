"""The continuous batching of one server: which jobs the next step serves, and how long it takes.

Speculation pauses by the rule of the decoder's batching (`tabspec.models.local.batching.may_run`). The batching itself
is not used, because it takes 12 to 80 times as long: docs/decisions/2026-11-29-two-arbiters.md.

The code reads no clock. Times are arguments and results, so that the replay on the virtual clock and the search for the
number of servers use the same code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from tabspec.lab.capacity.profile import PREFILL_CHUNK, ServiceProfile
from tabspec.models.local.batching import may_run


@dataclass(eq=False, slots=True)
class BatchJob:
    """A generation on a server: ``prefill`` prompt tokens to compute, then ``decode`` tokens to decode.

    ``decode`` is at least 1, because an empty answer still needs its end token. ``prefilled`` and ``decoded`` count the
    tokens that are done. ``arrived`` and ``started`` are in seconds.
    """

    foreground: bool
    prefill: int
    decode: int
    arrived: float = 0.0
    started: float | None = None  # the begin of the first step that served it
    prefilled: int = 0
    decoded: int = 0

    @property
    def done(self) -> bool:
        return self.decoded >= self.decode


class ServerBatch:
    """The jobs of one server. A step serves at most ``profile.most_batch`` of them.

    Foreground jobs are served first, in the order of arrival. Speculative ones are served while no foreground job is
    open; in a server whose profile has ``beside``, also in the room that foreground jobs leave. A job that is not
    served keeps its progress.

    A step decodes one token for each job whose prompt is computed. It also computes at most `PREFILL_CHUNK` prompt
    tokens of the other jobs. The step that completes a prompt also decodes the first token.
    """

    def __init__(self, profile: ServiceProfile) -> None:
        self._profile = profile
        self._jobs: tuple[dict[BatchJob, None], dict[BatchJob, None]] = ({}, {})  # foreground, speculation; in order
        self._step: list[tuple[BatchJob, int]] = []  # jobs of the current step, with the prompt tokens of each
        self._count = 1  # how many equal steps the current step stands for
        self.busy_s = 0.0
        self.steps = 0
        self.tokens = 0
        self.prefilled = 0

    def __len__(self) -> int:
        return len(self._jobs[0]) + len(self._jobs[1])

    def add(self, job: BatchJob) -> None:
        """Queue a job. The next step can serve it."""
        self._jobs[0 if job.foreground else 1][job] = None

    def remove(self, job: BatchJob) -> None:
        """Remove a job, whether it is done or not. Without effect if the job is not queued."""
        self._jobs[0 if job.foreground else 1].pop(job, None)

    def begin(self, now: float, until: float | None = None) -> float | None:
        """Begin a step, and return the seconds that it takes. None if no job can be served.

        With ``until``, the caller promises that it adds and removes no job before that time. Then equal steps, which
        decode a token for the same jobs, are combined into one. The combined steps all begin before ``until``, and only
        the last of them can complete a job.
        """
        room = PREFILL_CHUNK
        self._step = []
        decoding = prefilling = 0
        left = 0  # tokens that remain for the job that is done first
        for job in islice(self._eligible(), self._profile.most_batch):
            part = min(job.prefill - job.prefilled, room)
            ends = job.prefilled + part == job.prefill
            if part == 0 and not ends:
                continue  # the step computes the most prompt tokens already
            room -= part
            prefilling += part
            decoding += ends
            if job.started is None:
                job.started = now
            left = min(left or job.decode, job.decode - job.decoded)
            self._step.append((job, part))
        if not self._step:
            return None
        took = self._profile.step_s(decoding, prefilling)
        self._count = 1
        if until is not None and not prefilling and took > 0:
            self._count = max(left if until == math.inf else min(left, math.ceil((until - now) / took)), 1)
        took *= self._count
        self.busy_s += took
        self.steps += self._count
        self.tokens += decoding * self._count
        self.prefilled += prefilling
        return took

    def _eligible(self) -> Iterator[BatchJob]:
        """The jobs that the next step may serve, in order."""
        foreground = len(self._jobs[0])
        return (job for job in chain(*self._jobs) if self._profile.beside or may_run(job.foreground, foreground))

    def end(self) -> list[BatchJob]:
        """End the step, and return the jobs that it served. Jobs that are done are removed."""
        served = []
        for job, part in self._step:
            job.prefilled += part
            job.decoded += self._count * (job.prefilled == job.prefill)
            served.append(job)
            if job.done:
                self.remove(job)
        self._step = []
        return served
