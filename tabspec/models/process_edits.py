"""`ProcessEdits`: the edit model in a local model's process. Imports no torch."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from tabspec.errors import ModelUnavailable
from tabspec.models.edit_protocol import EditAnswer, EditRequest, RegionSize
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.text import difference

BUNDLED_EDITS = "bundled edits"
"""The name of the bundled edit model, for users."""

REGION = RegionSize(400, 400, chars=16_384, steps=64, past_chars=12_000)
"""What a request to it holds. It reads some 1,600 characters; the rest is for a last edit farther from the cursor."""


class LocalProcess(Protocol):
    """A model in this process, in a worker process or in the daemon."""

    @property
    def info(self) -> ModelInfo: ...

    def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]: ...

    async def close(self) -> None: ...


class ProcessEdits:
    """An `EditModel` that answers in the process of ``model``. ``owned``: it is closed with this one.

    One request at a time: a second one would share few passes, which are mostly prefill.
    """

    slots = 1
    schedules = True  # foreground before speculation
    judges = True  # patterns that repeat a change

    def __init__(self, model: LocalProcess, *, owned: bool = False) -> None:
        self._model, self._owned = model, owned

    @property
    def info(self) -> ModelInfo:
        found = self._model.info
        return ModelInfo(BUNDLED_EDITS, found.edits or f"not loaded yet: {found.fingerprint}", found.context_tokens)

    @property
    def region(self) -> RegionSize | None:
        found = self._model.info
        return None if found.context_tokens and not found.edits else REGION  # no context: it is not loaded yet

    async def edit(self, request: EditRequest) -> EditAnswer:
        usage = Usage()
        async with aclosing(self._model.stream(request)) as chunks:
            async for chunk in chunks:
                usage += chunk.usage
                if chunk.finish is not None:
                    change = difference(request.region, chunk.text)
                    return EditAnswer(change, chunk.logprobs, usage, chunk.probability)
        raise ModelUnavailable("the model's answer broke off")

    async def close(self) -> None:
        if self._owned:
            await self._model.close()
