"""The model of a replica, shared by many readers: the worker's scheduler, with a limit on unread output."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Hashable, Sequence
from operator import itemgetter

from tabspec.models.local.batching import MOST_ROWS
from tabspec.models.process.serving import Serving, Stream
from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, slots_of

# Chunks that may be unread before the stream is paused. A token takes as long to travel through Ray and HTTP as a few
# tokens take to decode. A reader with more unread chunks than this has stopped reading.
AHEAD = 16


class ServedModel:
    """Answers of ``model``. A stream whose reader stops reading is paused until the reader has caught up."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.slots = slots_of(model)
        self._numbers = itertools.count(1)
        self._unread: dict[Hashable, asyncio.Queue[Chunk | Exception]] = {}
        self._serving = Serving(model, self._send, at_once=_places_in(model), whose=itemgetter(0))

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    def __len__(self) -> int:
        """Streams that have not ended."""
        return len(self._serving)

    async def answer(
        self, request: GenerationRequest, prompt: str | Sequence[int] | None = None, editor: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        """Answer ``request``. With a ``prompt``, continue the prompt unchanged instead. Editors take turns; a request
        without an ``editor`` counts as an editor of its own. Raises the errors of `Model.stream`."""
        unique = next(self._numbers)
        number = (editor or unique, unique)
        unread = self._unread[number] = asyncio.Queue()
        self._serving.at_once = _places_in(self._model)  # a server's slots are known when it has answered
        try:
            self._serving.start(number, request, None if prompt is None else _continuing(self._model, prompt))
            while True:
                what = await unread.get()
                if unread.empty():
                    self._serving.resume(number)
                if isinstance(what, Exception):
                    raise what
                yield what
                if what.finish is not None:
                    return
        finally:
            del self._unread[number]
            self._serving.cancel(number)

    def _send(self, number: Hashable, what: Chunk | Exception) -> None:
        if (unread := self._unread.get(number)) is not None:
            unread.put_nowait(what)
            if unread.qsize() >= AHEAD:
                self._serving.pause(number)


def _places_in(model: Model) -> int:
    """How many streams of each priority are open at a time.

    More than a pass has rows would only hold memory. Another server (`HttpModel.slots`) takes requests in their order:
    a speculation that waited there would wait before a foreground request that comes later.
    """
    return int(getattr(model, "slots", 0)) or MOST_ROWS


def _continuing(model: Model, prompt: str | Sequence[int]) -> Stream:
    from tabspec.models.local.continuing import continuing  # imports torch

    return continuing(model, prompt)
