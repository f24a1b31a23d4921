"""The servers on the running loop's clock, and the model that each user's engine sees.

A user stays on one server (as behind a router that hashes the user's name), which holds the keys and values of the
prompts of whom it served last, as far as its memory goes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from tabspec.lab.capacity.answers import Answers
from tabspec.lab.capacity.batch import Batch, Job
from tabspec.lab.capacity.profile import ServiceProfile
from tabspec.lab.capacity.sample import server_of
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, Usage, schedules, slots_of
from tabspec.replay.models.memo import SimulatedKv

# Of one editor: the place where it works, with one behind it asked ahead.
USER_SLOTS = 2


@dataclass(slots=True)
class Served:
    """One job as it went: seconds on the loop's clock. ``over``: when it was done, or closed by its user (``done``
    tells which)."""

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
    """Whose keys and values a server holds: at most ``tokens`` positions (0: any number), of whom it served last."""

    def __init__(self, tokens: int) -> None:
        self._most = tokens
        self._users: OrderedDict[int, tuple[SimulatedKv, int]] = OrderedDict()
        self._held = 0

    def found(self, user: int, request: GenerationRequest, tokens: int) -> Usage:
        """What of a prompt of ``tokens`` tokens is there, and what has to be computed."""
        kv, _ = self._users.get(user, (None, 0))
        return (kv or SimulatedKv(slots=USER_SLOTS)).found(request, tokens)

    def computed(self, user: int, request: GenerationRequest, tokens: int, share: float = 1.0) -> None:
        """The prompt was computed, or the first ``share`` of it, before its user closed the request."""
        kv, held = self._users.pop(user, (None, 0))
        kv = kv or SimulatedKv(slots=USER_SLOTS)
        kv.hold(request, share)
        self._held += tokens * USER_SLOTS - held
        self._users[user] = (kv, tokens * USER_SLOTS)
        while self._most and self._held > self._most and len(self._users) > 1:
            _, (_, freed) = self._users.popitem(last=False)
            self._held -= freed

    def decoded(self, user: int, request: GenerationRequest, text: str) -> None:
        """``text`` was written behind the prompt."""
        if user in self._users:
            self._users[user][0].decoded(request, text)


class SimulatedServer:
    """Steps of one server, one after another, while it has jobs."""

    def __init__(self, profile: ServiceProfile) -> None:
        self.batch = Batch(profile)
        self.kv = KvMemory(profile.kv_tokens)
        self._loop = asyncio.get_running_loop()
        self._working = False
        self._waiting: dict[Job, asyncio.Event] = {}

    def add(self, job: Job) -> asyncio.Event:
        """Take a job on; the event is set after each step that served it."""
        self.batch.add(job)
        event = self._waiting[job] = asyncio.Event()
        if not self._working:
            self._working = True
            self._loop.call_soon(self._begin)  # after the others who come at this moment
        return event

    def remove(self, job: Job) -> None:
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
        self._loop.call_soon(self._begin)  # after those who read what came, and may close it


@dataclass
class Service:
    """So many servers. ``trace`` holds each job that was there."""

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
    """It serves by urgency, so it has to be told when that changes."""

    def __init__(self, service: Service, user: int, answers: Answers) -> None:
        self._service, self._user, self._answers = service, user, answers
        self._server = service.of(user)

    @property
    def info(self) -> ModelInfo:
        return self._answers.info

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        whole = await self._answers.of(request)
        resumed, chunks = whole.behind(request.resume)
        now = asyncio.get_running_loop().time
        server = self._server
        tokens = whole.prompt_tokens + resumed
        usage = server.kv.found(self._user, request, tokens)
        decode = max(sum(chunk.usage.decoded for chunk in chunks), 1)
        job = Job(request.foreground, usage.prefill, decode, now())
        served = Served(self._user, request.foreground, usage.prefill, usage.reused, decode, now())
        self._service.trace.append(served)
        event = server.add(job)
        said, left = "", deque(chunks)
        due = 0  # decoded tokens at which the next chunk is there
        told = False
        try:
            while True:
                await event.wait()
                event.clear()
                if not told and job.decoded:
                    told = True
                    server.kv.computed(self._user, request, tokens)
                    yield Chunk(usage=usage)
                # nothing comes before the prompt is read, also not that there is nothing to say, which costs no token
                while told and left and (job.done or due + left[0].usage.decoded <= job.decoded):
                    chunk = left.popleft()
                    due += chunk.usage.decoded
                    said += chunk.text
                    served.done = not left
                    if chunk.finish:
                        server.kv.decoded(self._user, request, said)
                    yield chunk
                if not left:
                    return
        finally:
            if not told and job.prefilled:  # closed: what was not computed is not there for the next one
                server.kv.computed(self._user, request, tokens, (usage.reused + job.prefilled) / tokens)
            served.started, served.over = job.started, now()
            server.remove(job)

    async def close(self) -> None:
        return None


class Watched:
    """A real model, with what is asked of it written down in ``trace``. Its first chunk counts as the first step."""

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
