"""A model that sends many chunks for a long line or a long prompt is not one that does not stop writing."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.models.http import HttpModel
from tabspec.models.protocol import CHUNK_AHEAD, Chunk, GenerationRequest, Usage
from tabspec.models.scripted.model import ScriptedModel, continuing
from tabspec.text import Document
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running


async def test_a_long_line_of_numbers_is_completed_under_a_grammar() -> None:
    line = "data = [" + "7, " * 200  # Qwen's tokenizer has a token for each digit and each blank
    async with running(llama_cpp(Stub())) as stub:

        async def answer(_: Request, reply: Reply) -> None:
            await reply.events(*openai_events(*line, "7]", "\n"))

        stub.routes["/v1/completions"] = answer
        model = HttpModel(stub.url)
        engine = CompletionEngine(model, EngineConfig())
        answered = await engine.complete(EditContext(Document("file:///a.py", line, "python"), len(line)))
        await engine.close()
        await model.close()
    assert answered.suggestion and answered.suggestion.text == "7]", answered.detail


async def test_a_long_prompt_that_is_computed_in_small_pieces_is_answered() -> None:
    text = "value = 1\n" * 4000

    class Slow(ScriptedModel):
        async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
            for _ in range(len(request.head) // CHUNK_AHEAD):  # a token a character
                yield Chunk(usage=Usage(prefill=CHUNK_AHEAD))
            async for chunk in super().stream(request):
                yield chunk

    config = EngineConfig(prefix_chars=len(text))
    engine = CompletionEngine(Slow(continuing(text + "value = 2\n")), config)
    answered = await engine.complete(EditContext(Document("file:///a.py", text, "python"), len(text)))
    await engine.close()
    assert answered.suggestion, answered.detail
