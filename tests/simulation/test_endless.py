"""A model that does not stop generating, in several ways: its request fails, and the next one is served."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tabspec.config import EngineConfig
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.scheduler import most_chunks, prompt_chunks
from tabspec.models.protocol import Chunk, GenerationRequest, Usage
from tabspec.models.scripted.model import ScriptedModel, continuing
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Reason

from .test_engine import TARGET, at

WAYS = {
    "nothing": Chunk(),
    "unfinished characters": Chunk("", (0,), (-1.0,), Usage(decoded=1)),
    "text": Chunk("a", (0,), (-1.0,), Usage(decoded=1)),
}


class Endless(ScriptedModel):
    """Its first answer never ends, though each chunk takes no time at all."""

    def __init__(self, chunk: Chunk) -> None:
        super().__init__(continuing(TARGET), prefill_s=0.1, token_s=0.01)
        self._chunk, self.sent, self.most = chunk, 0, 0

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        # Chunks of the prompt bring no tokens.
        prompt = 0 if self._chunk.tokens else prompt_chunks(request)
        self.most = self.most or prompt + most_chunks(request.stop.max_tokens)
        while self.sent <= self.most:
            self.sent += 1
            yield self._chunk
        async for chunk in super().stream(request):
            yield chunk


@pytest.mark.parametrize("way", WAYS)
def test_a_request_whose_answer_never_ends_fails_and_the_next_is_served(way: str) -> None:
    async def scene() -> None:
        model = Endless(WAYS[way])
        engine = CompletionEngine(model, EngineConfig())
        failed = await engine.complete(at(10))
        assert failed.reason is Reason.FAILED and "does not stop" in failed.detail
        assert model.sent == model.most + 1
        served = await engine.complete(at(10))
        assert served.suggestion and TARGET[10:].startswith(served.suggestion.text)
        await engine.close()
        assert model.running == 0

    run_virtual(scene())
