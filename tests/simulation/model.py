"""A model that gives any prompt a random but fixed answer, and fails as planned.

Its answers are a function of everything it is shown: the whole prefix window, the suffix window, the file's name and
language. They are consistent as greedy decoding is: having typed a part of an answer, one is answered with the rest,
token boundaries and log-probabilities included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.local.batching import MOST_ROWS
from tabspec.models.process.heartbeat import Heartbeat
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, StopRule, Usage
from tabspec.suggestion import Finish

from .faults import FAILURES, Fault, Faults, Plan, raised
from .passes import LONG, Pass, Passes

# Few characters, so that users and suggestions often agree; with all that post-processing looks at.
ALPHABET = "aab .()[]\"'\n\n  xé😀"
_SILENT = "the worker does not answer"
_BYTES = [char.encode() for char in ALPHABET]


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is empty for a token that holds but the first bytes of a character."""

    text: str
    logprob: float


@lru_cache(maxsize=4096)
def write(prefix: str, suffix: str, salt: str, stop: StopRule, end_percent: int) -> tuple[tuple[Token, ...], Finish]:
    """The whole answer, a token at a time, and how it ends.

    The next character, whether a token ends behind it, and whether the answer does, depend on a checksum of the text so
    far, and on nothing else; so the answer from behind a part of it is its rest.
    """
    state, other = crc32(prefix.encode("utf-8", "surrogatepass")), crc32((suffix + "\0" + salt).encode())
    tokens: list[Token] = []
    pending, lines, blank, written = "", 0, True, ""
    while True:
        dice = _mix(state ^ other)
        char = ALPHABET[(dice >> 8) % len(ALPHABET)]
        ends = (dice >> 20) % 100 < end_percent
        stops = char == "\n" and not blank and lines + 1 >= stop.max_lines
        token_ends = (dice >> 16) % 5 < 2 or not char.isascii() or ends or stops
        if pending and token_ends:
            cut = stop.around and stop.around.cut_point(written + pending, len(written))
            # (Asked by the engine only; the oracle has the whole answer.)
            if cut is not None and len(tokens) < stop.max_tokens:
                tokens.append(Token(pending[: cut - len(written)], _logprob(dice)))
                return tuple(tokens), Finish.STOP
            tokens.append(Token(pending, _logprob(dice)))
            written, pending = written + pending, ""
        if len(tokens) >= stop.max_tokens:
            return tuple(tokens[: stop.max_tokens]), Finish.LENGTH
        if ends or stops:
            return tuple(tokens), Finish.END if ends else Finish.STOP
        if not char.isascii():
            tokens.append(Token("", _logprob(dice + 1)))
        pending += char
        if char == "\n":
            lines, blank = lines + (not blank), True
        elif not char.isspace():
            blank = False
        state = crc32(_BYTES[(dice >> 8) % len(ALPHABET)], state)


def _mix(x: int) -> int:
    """A permutation of 32-bit numbers in which every bit depends on every other (murmur3's finalizer)."""
    x = (x ^ (x >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    x = (x ^ (x >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return x ^ (x >> 16)


def _logprob(dice: int) -> float:
    return -(dice % 997) / 500


class Stream:
    """One stream of the model, as its log keeps it."""

    __slots__ = (
        "beside",
        "cancelled",
        "decoded",
        "failure",
        "held",
        "left",
        "passes",
        "plan",
        "request",
        "seconds",
        "stopping",
        "taken",
        "text",
        "woken",
        "writing",
    )

    def __init__(self, request: GenerationRequest, plan: Plan, passes: Passes | None = None) -> None:
        self.request, self.plan = request, plan
        self.text = request.resume  # written so far
        self.decoded = 0
        self.cancelled = False  # asked to stop, and not yet gone
        self.stopping = 0.0  # for so many seconds
        self.failure: BaseException | None = None
        self.woken: asyncio.Future[None] | None = None
        self.passes = passes  # if it shares them with others
        self.taken = 0  # of these
        self.beside: set[Pass] = set()  # those with speculative work, while a request waited for it
        self.seconds = 0.0  # that its next step takes alone
        self.left: float | None = None  # since when no request waits for it
        self.held = 0.0  # seconds for which the pass that it was in keeps it, once it is cancelled
        self.writing = True  # and not cleaning up, or at its end

    @property
    def longest_step(self) -> float:
        """Seconds after a cancellation within which the stream must be gone."""
        return max(self.plan.longest_step, self.held + self.plan.cleanup)

    def __str__(self) -> str:
        fault = self.plan.fault.name if self.plan.fault else "-"
        marks = " urgent" * self.request.foreground + " stopping" * self.cancelled
        return f"{self.request.prefix[-20:]!r} {self.text!r} {fault}{marks}"


class SimulatedModel:
    """Streams what `write` says, with faults. ``open`` holds the streams that run now.

    With ``together`` above 1 there is one processor: steps of so many streams are one pass, and while a foreground
    stream is open, the others are paused (`passes`). Else each stream runs as if it were alone.

    Its process may freeze (only where streams run alone): then no step ends and no ping is answered, and the product's
    own `Heartbeat` has to notice.
    """

    def __init__(self, faults: Faults, end_percent: int, together: int = 1) -> None:
        self.faults, self.end_percent = faults, end_percent
        self.info = ModelInfo("simulated", "simulated", 1 << 20, together=together)
        self.passes = self._new_passes()
        self.open: list[Stream] = []
        self.failed: list[Stream] = []
        self.wrongs: list[str] = []  # what an engine must never do to a model
        self.asked: list[GenerationRequest] = []
        self.decoded = 0
        self.down = False
        self._went_on: set[tuple[str, str]] = set()  # questions to which an answer did not end
        self.frozen_since: float | None = None
        self.freezes = 0
        self._heartbeat: Heartbeat | None = None  # of a process that is frozen
        self._watching: asyncio.Task[None] | None = None
        self._overdue: list[asyncio.Future[None]] = []  # steps that end as soon as the process goes on

    def write(self, request: GenerationRequest) -> tuple[tuple[Token, ...], Finish]:
        """The whole answer to ``request``, whatever it resumes."""
        salt = f"{request.path}\0{request.language}"
        return write(request.prefix, request.suffix, salt, request.stop, self.end_percent)

    def die(self) -> None:
        """The worker dies, and all of its streams with it."""
        self.down = True
        self._fail_all("the worker died")
        self.thaw()
        if self.passes:
            self.passes.fail(ModelUnavailable("the worker died"))
            self.passes = self._new_passes()  # of the process that is started in its place

    def revive(self) -> None:
        self.down = False
        self.thaw()

    def freeze(self, seconds: float) -> None:
        """The process stands still for so long, or until the heartbeat has given it up and another one is there."""
        if self.frozen_since is not None or self.down:
            return
        loop = asyncio.get_running_loop()
        self.frozen_since, self.freezes = loop.time(), self.freezes + 1
        self._heartbeat = Heartbeat(lambda: None, self._silent_changed)
        self._watching = asyncio.create_task(self._give_up(self._heartbeat, loop.call_later(seconds, self.thaw)))

    def thaw(self) -> None:
        """The process goes on, or there is another one."""
        overdue, self._overdue = self._overdue, []
        self.frozen_since = self._heartbeat = None
        if self._watching:
            self._watching.cancel()
            self._watching = None
        for step in overdue:
            _wake(step)

    async def _give_up(self, heartbeat: Heartbeat, thawing: asyncio.TimerHandle) -> None:
        try:
            await heartbeat.watch(busy=lambda: bool(self.open), loading=lambda: False)
            self._watching = None  # this task ends by itself
            self.thaw()
        finally:
            thawing.cancel()

    def _silent_changed(self, silent: bool) -> None:
        if silent:
            self._fail_all(_SILENT)

    def _fail_all(self, why: str) -> None:
        for stream in self.open:
            if stream.woken and not stream.woken.done():
                stream.woken.set_exception(ModelUnavailable(why))

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        stream = Stream(request, self.faults.plan(), self.passes)
        self.asked.append(request)
        self.open.append(stream)
        try:
            with stream.passes.generation(request.foreground) if stream.passes else nullcontext():
                async for chunk in self._chunks(stream):
                    stream.text += chunk.text
                    stream.decoded += chunk.usage.decoded
                    self.decoded += chunk.usage.decoded
                    yield chunk
        except GeneratorExit:
            stream.cancelled = True
            raise
        except BaseException as failure:
            if not stream.cancelled:
                stream.failure = failure
                self.failed.append(stream)
            raise
        finally:
            stream.writing = False
            try:
                await self._clean_up(stream)
            finally:
                self.open.remove(stream)

    @property
    def warm(self) -> bool:
        return True

    async def close(self) -> None:
        return None

    async def _chunks(self, stream: Stream) -> AsyncGenerator[Chunk, None]:
        plan, request = stream.plan, stream.request
        tokens, finish = self.write(request)
        tokens = self._behind(tokens, request)
        fails_at = min(plan.at, len(tokens)) if plan.fault in FAILURES else -1
        for i, token in enumerate((Token("", 0.0), *tokens)):
            if self.down:
                raise ModelUnavailable("the worker is down")
            if self._heartbeat:
                self._heartbeat.expect()
            if i == fails_at:
                assert plan.fault
                if failure := raised(plan.fault):
                    raise failure
                stream.failure = ModelUnavailable("broken off")
                self.failed.append(stream)
                return
            stream.seconds = plan.step if i else plan.prefill
            await self._next_step(stream, i)
            if i:
                yield Chunk(token.text, (i,), (token.logprob,), Usage(decoded=1))
            else:
                yield Chunk(usage=Usage(prefill=1))
                if request.beginnings:  # there are none, but the prompt has been computed
                    yield Chunk(finish=Finish.LENGTH)
                    return
        if plan.fault is Fault.ENDLESS:
            self._went_on.add((request.prefix, request.suffix))
            stream.failure = ModelError("never ends")
            self.failed.append(stream)
            while True:
                await self._next_step(stream, 1)
                yield Chunk("", (0,), (-1.0,), Usage(decoded=1))  # the first byte of a character, say
        yield Chunk(finish=finish)

    def _behind(self, tokens: tuple[Token, ...], request: GenerationRequest) -> tuple[Token, ...]:
        """The tokens that are left after what ``request`` resumes, which must be where a token ends."""
        resume, done, count = request.resume, "", 0
        while done != resume and count < len(tokens):
            done += tokens[count].text
            count += 1
        if done != resume:
            self.wrongs.append(f"was asked to resume behind {resume!r}, which is not what it wrote")
        if resume and count == len(tokens) and (request.prefix, request.suffix) not in self._went_on:
            self.wrongs.append(f"was asked to resume behind {resume!r}, which was all")
        return tokens[count:]

    async def _next_step(self, stream: Stream, number: int) -> None:
        if stream.passes:
            await self._shared_step(stream, stream.passes, number)
        else:
            await self._step(stream)

    async def _step(self, stream: Stream) -> None:
        """Prefill or one decode step, alone."""
        try:
            await self._pass(stream, stream.seconds)
        except asyncio.CancelledError:
            stream.cancelled = True
            if stream.plan.fault in (Fault.LATE, Fault.DEAF):
                await self._pass(stream, stream.seconds)
            if stream.plan.fault is not Fault.DEAF:
                raise

    async def _shared_step(self, stream: Stream, passes: Passes, number: int) -> None:
        """Step ``number`` (0: prefill), in a pass with whatever else is ready. Draft tokens make some steps longer."""
        if passes is not self.passes:
            raise ModelUnavailable("the worker died")
        tokens = 1 + number % 2 if number else LONG
        try:
            await passes.forward(stream, [0] * tokens, tokens if number else 1, stream.request.foreground)
            await self._pass(stream, passes.left)
        except asyncio.CancelledError:
            stream.cancelled = True
            stream.held = passes.left if passes.current and stream in passes.current.rows else 0.0
            if stream.plan.fault in (Fault.LATE, Fault.DEAF) and stream.held:
                await self._pass(stream, stream.held)
            if stream.plan.fault is not Fault.DEAF or not stream.held:
                raise

    def _new_passes(self) -> Passes | None:
        return Passes(lambda stream: stream.seconds, self._began) if self.info.together > 1 else None

    def _began(self, begun: Pass, tokens: Sequence[int]) -> None:
        """A pass begins: is it one that may? Raises where one of those in it makes it fail."""
        if not all(stream in self.open and stream.writing and not stream.cancelled for stream in begun.rows):
            self.wrongs.append("a pass with a sequence that was cancelled")
        if len(set(begun.rows)) < len(begun.rows):
            self.wrongs.append("a pass with one sequence twice")
        if len(begun.rows) > 1 and sum(tokens) > MOST_ROWS:
            self.wrongs.append(f"a pass of {sum(tokens)} tokens for {len(begun.rows)} sequences")
        if self.front() and not all(stream.request.foreground for stream in begun.rows):
            self.wrongs.append("speculative work in a pass, while a foreground stream is open")
        for stream in begun.rows:
            stream.taken += 1
        if any(stream.plan.fault is Fault.PASS and stream.taken == stream.plan.at for stream in begun.rows):
            raise ModelError("out of memory in a pass")

    def front(self) -> int:
        """Foreground streams that are open on the processor."""
        return sum(s.request.foreground and s.writing and s.passes is self.passes for s in self.open)

    async def _clean_up(self, stream: Stream) -> None:
        try:
            if stream.plan.cleanup:
                await self._pass(stream, stream.plan.cleanup)
        except asyncio.CancelledError:
            if stream.cancelled:
                self.wrongs.append("was cancelled a second time while it cleaned up")
            raise

    async def _pass(self, stream: Stream, seconds: float) -> None:
        """Let time pass; the worker's death ends it early, and a frozen worker late."""
        if self._heartbeat and self._heartbeat.silent:
            raise ModelUnavailable(_SILENT)
        loop = asyncio.get_running_loop()
        stream.woken = loop.create_future()
        timer = loop.call_later(seconds, self._over, stream.woken)
        try:
            await stream.woken
        finally:
            timer.cancel()

    def _over(self, step: asyncio.Future[None]) -> None:
        if self.frozen_since is None:
            _wake(step)
        else:
            self._overdue.append(step)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
