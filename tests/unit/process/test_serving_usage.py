"""The usage of a stream that is paused while its prompt is computed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable

from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.process.serving import Serving
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.suggestion import Finish

PROMPT, PIECE = 200, 64


class Prefilling:
    """A model that computes a prompt in pieces, keeps what it has computed, and then writes four tokens."""

    info = ModelInfo("prefilling", "prefilling", 4096)

    def __init__(self) -> None:
        self.kept = 0
        self.runs = 0

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self.runs += 1
        length = PROMPT + len(request.resume)
        yield Chunk(usage=Usage(reused=self.kept))
        while self.kept < length:
            size = min(PIECE, length - self.kept)
            self.kept += size
            yield Chunk(usage=Usage(prefill=size))
            await asyncio.sleep(0)
        for left in range(3 - len(request.resume), -1, -1):
            self.kept += 1
            yield Chunk("x", (1,), (0.0,), Usage(decoded=1), None if left else Finish.STOP)

    async def close(self) -> None:
        return None


@given(st.sets(st.integers(1, 9)))
def test_each_token_is_counted_once_wherever_the_stream_is_paused(pauses: set[int]) -> None:
    """``pauses``: after how many chunks the reader pauses the stream."""

    async def play() -> tuple[Prefilling, list[Chunk]]:
        model, chunks = Prefilling(), list[Chunk]()
        ended = asyncio.Event()

        def heard(number: Hashable, what: Chunk | Exception) -> None:
            assert isinstance(what, Chunk)
            chunks.append(what)
            if what.finish:
                ended.set()
            elif len(chunks) in pauses:
                serving.pause(number)
                asyncio.get_running_loop().call_later(0, serving.resume, number)

        serving = Serving(model, heard)
        serving.start(1, GenerationRequest("head", "", ""))
        await ended.wait()
        return model, chunks

    model, chunks = asyncio.run(play())
    assert "".join(chunk.text for chunk in chunks) == "xxxx"
    total = sum((chunk.usage for chunk in chunks), Usage())
    assert total == Usage(prefill=PROMPT, decoded=4)
    if 2 in pauses:  # the second chunk is one of the prompt
        assert model.runs > 1
