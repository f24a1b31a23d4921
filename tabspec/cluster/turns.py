"""Whose turn it is within a replica: foreground before speculation, each first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from tabspec.models.protocol import Chunk, GenerationRequest, Model, ModelInfo, slots_of

# Chunks that are computed for a client that has not read those before. A token's way through Ray and HTTP takes as long
# as a few tokens to decode; a client that is further behind has stopped reading.
AHEAD = 16
# Chunks after which an answer makes way for those that have had less. A suggestion has fewer (48 by default): editors'
# requests are served in the order in which they came.
SHARE = 64


@dataclass(eq=False)
class Place:
    """A stream's place in the line. ``turn`` is set while it is its turn; ``rounds`` counts the shares it has had."""

    foreground: bool
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    rounds: int = 0


class PriorityGate:
    """Lets ``slots`` of those who wait go on at a time: the first of the foreground, and where it leaves room, the
    first speculations. Of equals, those with fewer rounds come first, and then who came first. Who comes later and
    matters more takes the turn over at the other's next decode step."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._places: list[Place] = []

    @contextmanager
    def stand(self, place: Place) -> Iterator[None]:
        """Stand in line."""
        self._places.append(place)
        self._call()
        try:
            yield
        finally:
            self._places.remove(place)
            self._call()

    def next_round(self, place: Place) -> None:
        """This place has had its share."""
        place.rounds += 1
        self._call()

    def _call(self) -> None:
        order = sorted(self._places, key=lambda place: (not place.foreground, place.rounds))  # stable: who came first
        for number, place in enumerate(order):
            if number < self._slots:
                place.turn.set()
            else:
                place.turn.clear()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many stand in line: foreground, speculation."""
        foreground = sum(place.foreground for place in self._places)
        return foreground, len(self._places) - foreground


@dataclass
class _Computed:
    """Chunks on their way from the model to a reader that may be slower. ``taken`` is set when the reader takes one;
    None in the queue is the end. ``count`` is of all chunks so far."""

    chunks: asyncio.Queue[Chunk | None] = field(default_factory=asyncio.Queue)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0

    def put(self, chunk: Chunk) -> None:
        """The model has computed this."""
        self.chunks.put_nowait(chunk)
        self.count += 1

    @property
    def full(self) -> bool:
        return self.chunks.qsize() >= AHEAD

    async def room(self) -> None:
        """Wait until the reader has taken enough."""
        while self.full:
            self.taken.clear()
            await self.taken.wait()


class TurnTaking:
    """The streams of ``model``, which take turns between two of its decode steps.

    A stream whose reader falls behind leaves the line until it has caught up, and one that has had its share makes way
    for those that have had less. So no client holds up the others by not reading, or by asking for long answers.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.slots = slots_of(model)
        self.turns = PriorityGate(self.slots)

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def answer(
        self, request: GenerationRequest, prompt: str | Sequence[int] | None = None
    ) -> AsyncGenerator[Chunk, None]:
        """Answer ``request``; with a ``prompt``, go on behind it stands. Errors are those of `Model.stream`."""
        computed = _Computed()
        computing = asyncio.create_task(self._compute(request, prompt, computed))
        try:
            while (chunk := await computed.chunks.get()) is not None:
                computed.taken.set()
                yield chunk
            await computing  # raises what the model has raised
        finally:
            computing.cancel()
            await asyncio.wait([computing])
            if not computing.cancelled():
                computing.exception()  # seen: the reader has gone before it came

    async def _compute(
        self, request: GenerationRequest, prompt: str | Sequence[int] | None, computed: _Computed
    ) -> None:
        try:
            place = Place(request.foreground)
            async with aclosing(self._stream(request, prompt)) as stream:
                more = True
                while more:
                    await computed.room()
                    with self.turns.stand(place):
                        more = await self._steps(stream, place, computed)
        finally:
            computed.chunks.put_nowait(None)

    async def _steps(self, stream: AsyncGenerator[Chunk, None], place: Place, computed: _Computed) -> bool:
        """Compute until the reader falls behind (true) or the answer ends (false)."""
        while not computed.full:
            while not place.turn.is_set():
                await place.turn.wait()
            chunk = await anext(stream, None)
            if chunk is None:
                return False
            computed.put(chunk)
            if computed.count % SHARE == 0:
                self.turns.next_round(place)
            await asyncio.sleep(0)  # the reader comes first: it may have enough
        return True

    def _stream(self, request: GenerationRequest, prompt: str | Sequence[int] | None) -> AsyncGenerator[Chunk, None]:
        if prompt is None:
            return self._model.stream(request)
        from tabspec.models.local.continuing import go_on  # imports torch

        return go_on(self._model, prompt, request.stop, request.resume)
