"""Continues a prompt as it is, for clients of /v1/completions that render their prompts themselves."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from tabspec.errors import PromptRefused
from tabspec.models.local.generation import generate
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import Chunk, GenerationRequest, Model, StopRule
from tabspec.models.tokens.prompting import Prompter


class _WrittenOut(Prompter):
    """Returns one prompt, with what has been written after it up to the canonical cut."""

    def __init__(self, prompter: Prompter, prompt: str | Sequence[int]) -> None:
        self.__dict__.update(prompter.__dict__)
        self._tokens_before = array("I", prompter.written_out(prompt))

    def prompt(self, head: str, request: GenerationRequest) -> array[int]:
        return self._tokens_before + array("I", self._vocabulary.encode(head))


async def go_on(
    model: Model, prompt: str | Sequence[int], stop: StopRule, resume: str = ""
) -> AsyncGenerator[Chunk, None]:
    """What ``model`` writes after ``prompt``, greedily, until ``stop`` holds or a control token is chosen. ``resume``
    is what it had written when it was interrupted.

    Raises `PromptRefused` if the model is not in this process, or cannot take the prompt.
    """
    if not isinstance(model, LocalModel):
        raise PromptRefused(f"{model.info.name} only fills in the middle: send a suffix (it may be empty)")
    local = replace(model.local, prompter=_WrittenOut(model.local.prompter, prompt))
    async with aclosing(generate(local, GenerationRequest("", "", "", stop=stop, resume=resume))) as chunks:
        async for chunk in chunks:
            yield chunk


def keep_sequences(model: Model, count: int) -> None:
    """Keep the keys and values of ``count`` sequences, if the model is in this process."""
    if isinstance(model, LocalModel):
        model.local.slots.keep(count)
