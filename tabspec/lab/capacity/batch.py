"""One server's continuous batching: who is served in the next step, and what the step does. Pure: time goes in and out
as numbers, so that the same code runs on the virtual clock and in the search for the number of servers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, islice

from tabspec.lab.capacity.profile import PREFILL_CHUNK, ServiceProfile


@dataclass(eq=False, slots=True)
class Job:
    """A generation on a server: ``prefill`` prompt tokens to compute, then ``decode`` tokens (at least one: that there
    is nothing to say is a token, too). What is done already is in ``prefilled`` and ``decoded``."""

    foreground: bool
    prefill: int
    decode: int
    arrived: float = 0.0
    started: float | None = None  # when the first step began that served it
    prefilled: int = 0
    decoded: int = 0

    @property
    def done(self) -> bool:
        return self.decoded >= self.decode


class Batch:
    """The jobs of one server. In each step, at most ``profile.most_batch`` of them are served: the foreground's first,
    then speculations, both in the order in which they came. A job that is not served keeps what it has.

    A step decodes a token for each job whose prompt is computed, and computes at most `PREFILL_CHUNK` tokens of the
    others' prompts; the end of a prompt gives the first token.
    """

    def __init__(self, profile: ServiceProfile) -> None:
        self._profile = profile
        self._jobs: tuple[dict[Job, None], dict[Job, None]] = ({}, {})  # foreground, speculation; in order
        self._step: list[tuple[Job, int]] = []  # whom the step under way serves, with prompt tokens
        self._count = 1  # how many such steps
        self.busy_s = 0.0
        self.steps = 0
        self.tokens = 0
        self.prefilled = 0

    def __len__(self) -> int:
        return len(self._jobs[0]) + len(self._jobs[1])

    def add(self, job: Job) -> None:
        """Queue a job. It is served from the next step on."""
        self._jobs[0 if job.foreground else 1][job] = None

    def remove(self, job: Job) -> None:
        """Forget a job, done or not; without effect if it is not there."""
        self._jobs[0 if job.foreground else 1].pop(job, None)

    def begin(self, now: float, until: float | None = None) -> float | None:
        """Begin a step; how many seconds it takes. None if there is nothing to do.

        Where nobody comes or goes before ``until``, all steps that begin before that and serve the same jobs in the
        same way are taken as one, up to the first that ends a job.
        """
        room = PREFILL_CHUNK
        self._step = []
        decoding = prefilling = 0
        left = 0  # tokens of the job that is done first
        for job in islice(chain(*self._jobs), self._profile.most_batch):
            part = min(job.prefill - job.prefilled, room)
            ends = job.prefilled + part == job.prefill
            if part == 0 and not ends:
                continue  # no room for its prompt in this step
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

    def end(self) -> list[Job]:
        """The step (or what was taken as one) is over: whom it has served. Those that are done are removed."""
        served = []
        for job, part in self._step:
            job.prefilled += part
            job.decoded += self._count * (job.prefilled == job.prefill)
            served.append(job)
            if job.done:
                self.remove(job)
        self._step = []
        return served
