"""The class that runs in a replica: it loads the model and answers requests. It does not depend on Ray."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tabspec.cluster.request_body import ClusterRequest
from tabspec.cluster.served import ServedModel
from tabspec.errors import ModelError, ModelUnavailable, PromptRefused
from tabspec.models.load import load_model
from tabspec.models.protocol import Chunk, Model, ModelInfo
from tabspec.models.scripted.file import SCHEME, read_script

# One foreground request and one speculation. The second waits in the replica, where it starts without a round trip.
LEAST_SLOTS = 2


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The options of `tabspec.models.load.load_model`, and ``sequences``: for how many sequences a replica keeps keys
    and values between requests. An editor in use has one or two."""

    name: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    format: str = ""
    decoder: str = "auto"
    sequences: int = 32


class Replica:
    """One copy of the model. Its methods are called from other processes."""

    def __init__(self, options: ModelOptions) -> None:
        self._model = ServedModel(_load(options))

    async def describe(self) -> tuple[ModelInfo, int]:
        """The model, and how many requests one client should send at a time."""
        return self._model.info, max(self._model.slots, LEAST_SLOTS)

    async def waiting(self) -> int:
        """The number of streams that have not ended."""
        return len(self._model)

    async def answer(self, asked: ClusterRequest) -> AsyncGenerator[Chunk | ModelError, None]:
        """The model's chunks, and the error if one ends them. Cancelling the task that reads them stops the model
        before its next step."""
        try:
            async with aclosing(self._model.answer(asked.request, asked.prompt, asked.editor)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            yield _plain(error)


def _plain(error: Exception) -> ModelError:
    """An error in the form in which it is sent. It is sent as a value, so that no traceback leaves the replica."""
    message = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
    return next((kind for kind in (ModelUnavailable, PromptRefused) if isinstance(error, kind)), ModelError)(message)


def _load(options: ModelOptions) -> Model:
    if options.name and options.name.startswith(SCHEME):
        return read_script(Path(options.name.removeprefix(SCHEME)))[0]
    model = load_model(
        options.name, device=options.device, dtype=options.dtype, format=options.format, decoder=options.decoder
    )
    if not (options.name and options.name.startswith(("http://", "https://"))):
        from tabspec.models.local.continuing import keep_sequences  # imports torch

        keep_sequences(model, options.sequences)
    return model
