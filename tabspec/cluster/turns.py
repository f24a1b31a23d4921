"""Whose turn it is within a replica: foreground before speculation, each first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager

from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, slots_of


class Turns:
    """Lets ``slots`` of those who wait go on at a time: the first of the foreground, and where it leaves room, the
    first speculations. Who comes later and matters more takes the turn over at the other's next decode step."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._lines: tuple[list[asyncio.Event], list[asyncio.Event]] = ([], [])  # foreground, speculation

    @contextmanager
    def stand(self, foreground: bool) -> Iterator[asyncio.Event]:
        """Stand in line; the event is set while it is one's turn."""
        line, turn = self._lines[0 if foreground else 1], asyncio.Event()
        line.append(turn)
        self._call()
        try:
            yield turn
        finally:
            line.remove(turn)
            self._call()

    def _call(self) -> None:
        for place, turn in enumerate([*self._lines[0], *self._lines[1]]):
            if place < self._slots:
                turn.set()
            else:
                turn.clear()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many stand in line: foreground, speculation."""
        return len(self._lines[0]), len(self._lines[1])


class TurnTaking:
    """The streams of ``model``, which take turns between two of its decode steps."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.slots = slots_of(model)
        self.turns = Turns(self.slots)

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def answer(
        self, request: GenerationRequest, prompt: str | Sequence[int] | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer ``request``; with a ``prompt``, go on behind it as it stands. Errors are those of `Model.stream`."""
        async with aclosing(self._stream(request, prompt)) as stream:
            with self.turns.stand(request.foreground) as turn:
                while True:
                    await turn.wait()
                    chunk = await anext(stream, None)
                    if chunk is None:
                        return
                    yield chunk

    def _stream(self, request: GenerationRequest, prompt: str | Sequence[int] | None) -> AsyncGenerator[Chunk, None]:
        if prompt is None:
            return self._model.stream(request)
        from tabspec.models.continuing import go_on  # imports torch

        return go_on(self._model, prompt, request.stop, request.resume)
