"""Continues a prompt as it is, for clients of /v1/completions that render their prompts themselves."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from copy import copy

from tabspec.errors import PromptRefused
from tabspec.models.local.generation import generate
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import Chunk, GenerationRequest, Model
from tabspec.models.tokens.prompting import Prompter


class _WrittenOut(Prompter):
    """Returns one prompt, with what has been written after it up to the canonical cut."""

    def __init__(self, prompter: Prompter, prompt: str | Sequence[int]) -> None:
        self.__dict__.update(prompter.__dict__)
        self._tokens_before = array("I", prompter.written_out(prompt))

    def prompt(self, head: str, request: GenerationRequest) -> array[int]:
        return self._tokens_before + array("I", self._vocabulary.encode(head))


def continuing(model: Model, prompt: str | Sequence[int]) -> Callable[[GenerationRequest], AsyncGenerator[Chunk, None]]:
    """A `Model.stream` that continues ``prompt``, greedily, until the request's stop rule holds or a control token
    comes. Of a request only the stop rule, the priority and ``resume`` count.

    The stream raises `PromptRefused` for a model that is not in this process, or a prompt that it cannot take.
    """

    async def stream(request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if not isinstance(model, LocalModel):
            raise PromptRefused(f"{model.info.name} only fills in the middle: send a suffix (it may be empty)")
        local = copy(model.local)  # with the same slots and the same batching
        local.prompter = _WrittenOut(local.prompter, prompt)
        plain = GenerationRequest("", "", "", stop=request.stop, resume=request.resume, foreground=request.foreground)
        with local.batcher.generation(plain.foreground):
            async with aclosing(generate(local, plain)) as chunks:
                async for chunk in chunks:
                    yield chunk

    return stream


def keep_sequences(model: Model, count: int) -> None:
    """Keep the keys and values of ``count`` sequences, if the model is in this process."""
    if isinstance(model, LocalModel):
        model.local.slots.keep(count)
