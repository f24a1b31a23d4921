"""Serving several streams of one model: foreground first, clients in turn, and a cancel between two decode steps.

The worker process runs this for its one front, and the daemon for all that are connected; there is no torch in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from tabspec.models.process.turns import RoundRobin
from tabspec.models.protocol import Chunk, GenerationRequest, Model

Send = Callable[[Hashable, Chunk | Exception], None]

# Decode steps after which a stream makes room if another client waits: as many tokens as a suggestion has by default,
# so that ordinary ones are never interrupted.
TURN = 48


@dataclass(eq=False)
class _ServedStream:
    number: Hashable
    request: GenerationRequest
    client: Hashable
    written: str = ""
    steps: int = 0
    task: asyncio.Task[None] | None = None


@dataclass
class _Class:
    """The streams of one urgency: those that are open (hold a sequence in the model), and those in line."""

    open: set[_ServedStream] = field(default_factory=set)
    line: RoundRobin[_ServedStream] = field(default_factory=RoundRobin)

    @property
    def empty(self) -> bool:
        return not self.open and not len(self.line)


class Serving:
    """Runs the streams of one model and hands their chunks to ``send`` with the stream's number.

    While a foreground stream runs or waits, speculative ones wait: one that is running already stops at its next decode
    step. `at_once` bounds the open streams of each of the two (None: all are open at once); ``whose`` returns the
    client of a number, and clients take turns: in line, and after `TURN` steps.
    """

    def __init__(
        self,
        model: Model,
        send: Send,
        at_once: int | None = None,
        whose: Callable[[Hashable], Hashable] = lambda number: None,
    ) -> None:
        self._model, self._send, self._whose = model, send, whose
        self.at_once = at_once  # may be raised at any time: it holds from the next stream on
        self._streams: dict[Hashable, _ServedStream] = {}
        self._urgent, self._ahead = _Class(), _Class()
        self._calm = asyncio.Event()  # no foreground stream is there
        self._calm.set()
        # Set from another thread, so that a cancel is seen although a forward pass keeps the event loop busy.
        self.cancelled: set[Hashable] = set()

    def __len__(self) -> int:
        """Streams that are open or in line."""
        return len(self._streams)

    def start(self, number: Hashable, request: GenerationRequest) -> None:
        """Begin a stream. Raises `ValueError` if a stream of this number is open or in line."""
        if number in self._streams:
            raise ValueError("the id is in use")
        stream = self._streams[number] = _ServedStream(number, request, self._whose(number))
        self._class(stream).line.push(stream.client, stream)
        self._go_on()

    def cancel(self, number: Hashable) -> None:
        """Stop a stream; without effect if it has ended."""
        stream = self._streams.get(number)
        if stream is None:
            self.cancelled.discard(number)
        elif stream.task:
            stream.task.cancel()
        else:
            self._class(stream).line.discard(lambda one: one is stream)
            self._forget(stream)

    def count(self, client: Hashable) -> int:
        """How many streams of this client are open or in line."""
        return sum(stream.client == client for stream in self._streams.values())

    def leave(self, client: Hashable) -> None:
        """A client has gone: stop all of its streams."""
        for stream in list(self._streams.values()):
            if stream.client == client:
                self.cancel(stream.number)

    def _class(self, stream: _ServedStream) -> _Class:
        return self._urgent if stream.request.foreground else self._ahead

    def _go_on(self) -> None:
        """Open what may be open."""
        for kind in (self._urgent, self._ahead):
            if kind is self._ahead and not self._urgent.empty and self.at_once is not None:
                break  # it would only hold a sequence, and wait
            while len(kind.line) and (self.at_once is None or len(kind.open) < self.at_once):
                stream = kind.line.pop()
                kind.open.add(stream)
                stream.task = asyncio.create_task(self._run(stream))
                # No `finally` in the task: one that is cancelled before its first step never runs at all.
                stream.task.add_done_callback(partial(self._left, stream))
        if self._urgent.empty:
            self._calm.set()
        else:
            self._calm.clear()

    async def _run(self, stream: _ServedStream) -> None:
        """Read the model's answer: to its end, or until the stream's turn is over."""
        request, number = stream.request, stream.number
        asked = replace(request, resume=request.resume + stream.written)
        try:
            async with aclosing(self._model.stream(asked)) as chunks:
                while number not in self.cancelled:
                    if not request.foreground:
                        await self._calm.wait()
                    chunk = await anext(chunks, None)
                    if chunk is None or number in self.cancelled:
                        break
                    stream.written += chunk.text
                    stream.steps += len(chunk.tokens)
                    self._send(number, chunk)
                    if chunk.finish is None and self._turn_is_over(stream):
                        return
        except Exception as error:
            self._send(number, error)
        stream.steps = 0  # it has ended

    def _turn_is_over(self, stream: _ServedStream) -> bool:
        waiting = self._class(stream).line.others(stream.client)
        return self.at_once is not None and stream.steps >= TURN and waiting

    def _left(self, stream: _ServedStream, task: asyncio.Task[None]) -> None:
        kind = self._class(stream)
        kind.open.discard(stream)
        again = not task.cancelled() and stream.steps >= TURN and stream.number not in self.cancelled
        stream.task, stream.steps = None, 0
        if again:
            kind.line.push(stream.client, stream)
            self._go_on()
        else:
            self._forget(stream)

    def _forget(self, stream: _ServedStream) -> None:
        del self._streams[stream.number]
        self.cancelled.discard(stream.number)
        self._go_on()
