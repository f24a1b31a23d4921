"""Serving the streams of one model to several clients.

The worker process uses this for its one client, the daemon for all editors, and the cluster in each replica. Here is
decided how many streams are open at a time, and that clients take turns. Whether a foreground stream goes before a
speculative one is not decided here: each request carries its priority to the decoder's batching
(`tabspec.models.local.batching`), and the two priorities have places of their own, so that neither waits here for the
other. There is no torch in this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tabspec.errors import ModelUnavailable
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.process.turns import RoundRobin
from tabspec.models.protocol import Chunk, GenerationRequest, Model, Usage

Send = Callable[[Hashable, Chunk | Exception], None]
AnyRequest = GenerationRequest | EditRequest
Stream = Callable[[Any], AsyncGenerator[Chunk, None]]

# Decode steps after which a stream gives its place to another client that waits for one: as many tokens as a suggestion
# has by default, so that ordinary suggestions are never interrupted.
TURN = 48


@dataclass(eq=False)
class _ServedStream:
    """One request. ``written`` is the text sent so far; ``counted``, the number of tokens whose usage was sent.
    ``steps`` counts the decode steps of this turn. A ``paused`` stream holds no place until its client resumes it."""

    number: Hashable
    request: AnyRequest
    client: Hashable
    stream: Stream
    written: str = ""
    counted: int = 0
    steps: int = 0
    paused: bool = False
    ended: bool = False
    task: asyncio.Task[None] | None = None


@dataclass
class _PriorityStreams:
    """The streams of one priority: those that are open (hold a sequence in the model), and those that wait."""

    open: set[_ServedStream] = field(default_factory=set)
    waiting: RoundRobin[_ServedStream] = field(default_factory=RoundRobin)


class Serving:
    """Runs the streams of one model, and calls ``send`` with each chunk and the number of its stream.

    ``at_once`` is how many streams of each priority may be open (None: all). ``whose`` returns the client of a number.
    Clients take turns at the places, and give one up after `TURN` decode steps if another client waits.
    """

    def __init__(
        self,
        model: Model,
        send: Send,
        at_once: int | None = None,
        whose: Callable[[Any], Hashable] = lambda number: None,
    ) -> None:
        self._model, self._send, self._whose = model, send, whose
        self.at_once = at_once  # may be raised at any time; the next stream that starts or ends applies it
        self._streams: dict[Hashable, _ServedStream] = {}
        # Edits have places of their own: one is written in one turn, and no completion may wait for that.
        self._all_places = {
            (edit, foreground): _PriorityStreams() for edit in (False, True) for foreground in (True, False)
        }
        # A reading thread adds numbers here, so that a cancel takes effect even while a forward pass keeps the event
        # loop busy.
        self.cancelled: set[Hashable] = set()

    def __len__(self) -> int:
        """Streams that have not ended."""
        return len(self._streams)

    def start(self, number: Hashable, request: AnyRequest, stream: Stream | None = None) -> None:
        """Start a stream. ``stream`` answers this request in place of the model's own.

        Raises `ValueError` if a stream of this number has not ended.
        """
        if number in self._streams:
            raise ValueError("the id is in use")
        served = _ServedStream(number, request, self._whose(number), stream or self._model.stream)
        self._streams[number] = served
        self._wait(served)

    def cancel(self, number: Hashable) -> None:
        """Stop a stream before its next decode step. No effect if it has ended."""
        stream = self._streams.get(number)
        if stream is None:
            self.cancelled.discard(number)
        elif stream.task:
            stream.task.cancel()
        else:
            self._places(stream).waiting.discard(lambda one: one is stream)
            self._forget(stream)

    def pause(self, number: Hashable) -> None:
        """Stop a stream after the chunk that is being sent, until `resume`. Its place goes to the next stream."""
        if stream := self._streams.get(number):
            stream.paused = True
            if stream.task is None:  # it waits for a place, and `resume` lets it wait again
                self._places(stream).waiting.discard(lambda one: one is stream)

    def resume(self, number: Hashable) -> None:
        """Continue a paused stream after what it has written. No effect on any other."""
        stream = self._streams.get(number)
        if stream and stream.paused:
            stream.paused = False
            if stream.task is None:
                self._wait(stream)

    def count(self, client: Hashable) -> int:
        """How many streams of this client have not ended."""
        return sum(stream.client == client for stream in self._streams.values())

    def leave(self, client: Hashable) -> None:
        """Stop all streams of a client that has disconnected."""
        for stream in list(self._streams.values()):
            if stream.client == client:
                self.cancel(stream.number)

    def _places(self, stream: _ServedStream) -> _PriorityStreams:
        return self._all_places[not isinstance(stream.request, GenerationRequest), stream.request.foreground]

    def _wait(self, stream: _ServedStream) -> None:
        """Let a stream wait for a place, after the other streams of its client."""
        self._places(stream).waiting.push(stream.client, stream)
        self._fill()

    def _fill(self) -> None:
        """Give free places to streams that wait."""
        for places in self._all_places.values():
            while len(places.waiting) and (self.at_once is None or len(places.open) < self.at_once):
                stream = places.waiting.pop()
                places.open.add(stream)
                stream.task = asyncio.create_task(self._run(stream))
                # A `finally` in the task would not do: a task that is cancelled before its first step never runs.
                stream.task.add_done_callback(partial(self._left, stream))

    async def _run(self, stream: _ServedStream) -> None:
        """Send the model's answer, until it ends or the stream gives up its place."""
        request, number = stream.request, stream.number
        asked = request
        if isinstance(request, GenerationRequest):  # an edit is written whole, or not at all
            asked = replace(request, resume=request.resume + stream.written)
        known = stream.counted  # these tokens are a part of this turn's prompt
        try:
            async with aclosing(stream.stream(asked)) as chunks:
                while number not in self.cancelled:
                    chunk = await anext(chunks, None)
                    if number in self.cancelled:
                        break
                    if chunk is None:
                        raise ModelUnavailable("the model's answer broke off")
                    usage, known = _not_counted(chunk.usage, known)
                    chunk = replace(chunk, usage=usage)
                    stream.counted += usage.reused + usage.prefill + usage.decoded
                    stream.written += chunk.text
                    stream.steps += len(chunk.tokens)
                    self._send(number, chunk)
                    if chunk.finish is not None:
                        break
                    if stream.paused or self._turn_is_over(stream):
                        return
        except Exception as error:
            self._send(number, error)
        stream.ended = True

    def _turn_is_over(self, stream: _ServedStream) -> bool:
        others_wait = self._places(stream).waiting.others(stream.client)
        return self.at_once is not None and stream.steps >= TURN and others_wait

    def _left(self, stream: _ServedStream, task: asyncio.Task[None]) -> None:
        """A stream has left its place."""
        self._places(stream).open.discard(stream)
        stream.task, stream.steps = None, 0
        if task.cancelled() or stream.ended or stream.number in self.cancelled:
            self._forget(stream)
        elif stream.paused:
            self._fill()
        else:
            self._wait(stream)

    def _forget(self, stream: _ServedStream) -> None:
        del self._streams[stream.number]
        self.cancelled.discard(stream.number)
        self._fill()


def _not_counted(usage: Usage, known: int) -> tuple[Usage, int]:
    """``usage`` without the first ``known`` tokens of the prompt, and how many of these are left."""
    reused = min(usage.reused, known)
    prefill = min(usage.prefill, known - reused)
    return Usage(usage.prefill - prefill, usage.reused - reused, usage.decoded), known - reused - prefill
