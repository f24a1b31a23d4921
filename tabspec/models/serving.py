"""Serving several streams of one model: foreground first, and a cancel between two decode steps.

The worker process runs this; there is no torch in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from tabspec.models.protocol import Chunk, GenerationRequest, Model

Send = Callable[[int, Chunk | Exception], None]


class Serving:
    """Runs the streams of one model and hands their chunks to ``send`` with the stream's number.

    While a foreground stream runs, the others wait: one that is running already stops at its next decode step.
    """

    def __init__(self, model: Model, send: Send) -> None:
        self._model, self._send = model, send
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._foreground: set[int] = set()
        self._calm = asyncio.Event()  # no foreground stream is running
        self._calm.set()
        # Set from another thread, so that a cancel is seen although a forward pass keeps the event loop busy.
        self.cancelled: set[int] = set()

    def start(self, number: int, request: GenerationRequest) -> None:
        """Begin a stream. ``number`` is not in use."""
        if request.foreground:
            self._foreground.add(number)
            self._calm.clear()
        self._tasks[number] = asyncio.create_task(self._run(number, request))

    def cancel(self, number: int) -> None:
        """Stop a stream; without effect if it has ended."""
        if task := self._tasks.get(number):
            task.cancel()
        else:
            self.cancelled.discard(number)

    async def _run(self, number: int, request: GenerationRequest) -> None:
        try:
            async with aclosing(self._model.stream(request)) as stream:
                while number not in self.cancelled:
                    if not request.foreground:
                        await self._calm.wait()
                    chunk = await anext(stream, None)
                    if chunk is None or number in self.cancelled:
                        return
                    self._send(number, chunk)
        except Exception as error:
            self._send(number, error)
        finally:
            del self._tasks[number]
            self.cancelled.discard(number)
            self._foreground.discard(number)
            if not self._foreground:
                self._calm.set()
