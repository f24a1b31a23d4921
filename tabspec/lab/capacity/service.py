"""Simulated servers on the running loop's clock, and the model through which each user's engine calls them.

All requests of a user go to one server, as with a router that hashes user names. A server keeps the keys and values of
the users that it served most recently, up to the size of its memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.batch import BatchJob, ServerBatch
from tabspec.lab.capacity.population import server_of
from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage, schedules, slots_of
from tabspec.replay.models.memo import SimulatedKv

# Prompts that a server keeps for each user: one for the cursor, and one for speculation.
USER_SLOTS = 2


@dataclass(slots=True)
class Served:
    """The record of one job. Times are in seconds on the loop's clock. ``over`` is when the job ended: it was complete
    if ``done``, else its user closed it."""

    user: int
    foreground: bool
    prefill: int
    reused: int
    decode: int
    arrived: float
    started: float | None = None
    over: float = 0.0
    done: bool = False


class KvMemory:
    """The users whose keys and values a server holds: the most recent ones, with at most ``tokens`` positions in all
    (0: unlimited)."""

    def __init__(self, tokens: int) -> None:
        self._most = tokens
        self._users: OrderedDict[int, tuple[SimulatedKv, int]] = OrderedDict()
        self._held = 0

    def found(self, user: int, request: GenerationRequest, tokens: int) -> Usage:
        """The usage of a prompt of ``tokens`` tokens: the reused part, and the part to compute."""
        kv, _ = self._users.get(user, (None, 0))
        return (kv or SimulatedKv(slots=USER_SLOTS)).found(request, tokens)

    def computed(self, user: int, request: GenerationRequest, tokens: int, share: float = 1.0) -> None:
        """Record that the prompt was computed, or its first ``share`` if the user closed the request before the end."""
        kv, held = self._users.pop(user, (None, 0))
        kv = kv or SimulatedKv(slots=USER_SLOTS)
        kv.hold(request, share)
        self._held += tokens * USER_SLOTS - held
        self._users[user] = (kv, tokens * USER_SLOTS)
        while self._most and self._held > self._most and len(self._users) > 1:
            _, (_, freed) = self._users.popitem(last=False)
            self._held -= freed

    def decoded(self, user: int, request: GenerationRequest, text: str) -> None:
        """Record that ``text`` was generated after the prompt."""
        if user in self._users:
            self._users[user][0].decoded(request, text)


class SimulatedServer:
    """One server. It runs one step after another while it has jobs."""

    def __init__(self, profile: ServiceProfile) -> None:
        self.batch = ServerBatch(profile)
        self.kv = KvMemory(profile.kv_tokens)
        self._loop = asyncio.get_running_loop()
        self._working = False
        self._waiting: dict[BatchJob, asyncio.Event] = {}

    def add(self, job: BatchJob) -> asyncio.Event:
        """Add a job. The returned event is set after each step that serves it."""
        self.batch.add(job)
        event = self._waiting[job] = asyncio.Event()
        if not self._working:
            self._working = True
            self._loop.call_soon(self._begin)  # after all jobs that arrive at this moment
        return event

    def remove(self, job: BatchJob) -> None:
        self.batch.remove(job)
        del self._waiting[job]

    def _begin(self) -> None:
        took = self.batch.begin(self._loop.time())
        if took is None:
            self._working = False
        else:
            self._loop.call_later(took, self._end)

    def _end(self) -> None:
        for job in self.batch.end():
            if event := self._waiting.get(job):
                event.set()
        self._loop.call_soon(self._begin)  # after the readers of this step, which may close their jobs


@dataclass
class Service:
    """``servers`` simulated servers. ``trace`` records every job."""

    profile: ServiceProfile
    servers: int
    trace: list[Served] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.all = [SimulatedServer(self.profile) for _ in range(self.servers)]

    def of(self, user: int) -> SimulatedServer:
        return self.all[server_of(user, self.servers)]

    def totals(self) -> tuple[float, int, int, int]:
        """Seconds of work, steps, decoded tokens and computed prompt tokens of all servers so far."""
        batches = [server.batch for server in self.all]
        return (
            sum(batch.busy_s for batch in batches),
            sum(batch.steps for batch in batches),
            sum(batch.tokens for batch in batches),
            sum(batch.prefilled for batch in batches),
        )


class ServiceModel:
    """The service as a `Model`, for one user."""

    schedules = True
    """Foreground jobs are served first, so the engine must report when the priority of a request changes."""

    def __init__(self, service: Service, user: int, answers: Answers) -> None:
        self._service, self._user, self._answers = service, user, answers
        self._server = service.of(user)

    @property
    def info(self) -> ModelInfo:
        return self._answers.info

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        whole = await self._answers.of(request)
        resumed, chunks = whole.rest_after(request.resume)
        now = asyncio.get_running_loop().time
        server = self._server
        tokens = whole.prompt_tokens + resumed
        usage = server.kv.found(self._user, request, tokens)
        decode = max(sum(chunk.usage.decoded for chunk in chunks), 1)
        job = BatchJob(request.foreground, usage.prefill, decode, now())
        served = Served(self._user, request.foreground, usage.prefill, usage.reused, decode, now())
        self._service.trace.append(served)
        event = server.add(job)
        text, left = "", deque(chunks)
        due = 0  # how many tokens must be decoded before the next chunk is available
        prompt_done = False
        try:
            while True:
                await event.wait()
                event.clear()
                if not prompt_done and job.decoded:
                    prompt_done = True
                    server.kv.computed(self._user, request, tokens)
                    yield Chunk(usage=usage)
                # no chunk is emitted before the prompt is computed, not even the end of an empty answer
                while prompt_done and left and (job.done or due + left[0].usage.decoded <= job.decoded):
                    chunk = left.popleft()
                    due += chunk.usage.decoded
                    text += chunk.text
                    served.done = not left
                    if chunk.finish:
                        server.kv.decoded(self._user, request, text)
                    yield chunk
                if not left:
                    return
        finally:
            if (
                not prompt_done and job.prefilled
            ):  # closed early: later requests can only reuse the part that was computed
                server.kv.computed(self._user, request, tokens, (usage.reused + job.prefilled) / tokens)
            served.started, served.over = job.started, now()
            server.remove(job)

    async def close(self) -> None:
        return None


class Watched:
    """A real model whose requests are recorded in ``trace``. The first chunk counts as the first step."""

    def __init__(self, model: Model, user: int, trace: list[Served]) -> None:
        self._model, self._user, self._trace = model, user, trace

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    @property
    def slots(self) -> int:
        return slots_of(self._model)

    @property
    def schedules(self) -> bool:
        return schedules(self._model)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        now = asyncio.get_running_loop().time
        served = Served(self._user, request.foreground, 0, 0, 0, now())
        self._trace.append(served)
        try:
            async with aclosing(self._model.stream(request)) as chunks:
                async for chunk in chunks:
                    served.started = now() if served.started is None else served.started
                    served.prefill += chunk.usage.prefill
                    served.reused += chunk.usage.reused
                    served.decode += chunk.usage.decoded
                    served.done = chunk.finish is not None
                    yield chunk
        finally:
            served.over = now()

    async def close(self) -> None:
        await self._model.close()
