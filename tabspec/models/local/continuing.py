"""Going on behind a prompt as it stands, for clients of /v1/completions that write their prompts themselves."""

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
    """Knows one prompt. Behind it stands what has been written since, up to the canonical cut."""

    def __init__(self, prompter: Prompter, prompt: str | Sequence[int]) -> None:
        self.__dict__.update(prompter.__dict__)
        self._tokens_before = array("I", prompter.written_out(prompt))

    def prompt(self, head: str, request: GenerationRequest) -> array[int]:
        return self._tokens_before + array("I", self._vocabulary.encode(head))


async def go_on(
    model: Model, prompt: str | Sequence[int], stop: StopRule, resume: str = ""
) -> AsyncGenerator[Chunk, None]:
    """What ``model`` writes behind ``prompt``, greedily, until ``stop`` holds or a control token comes. ``resume`` is
    what it had written already when it was interrupted.

    Raises `PromptRefused` for a model that is not in this process, or a prompt that it cannot take.
    """
    if not isinstance(model, LocalModel):
        raise PromptRefused(f"{model.info.name} only fills in the middle: send a suffix (it may be empty)")
    local = replace(model.local, prompter=_WrittenOut(model.local.prompter, prompt))
    async with aclosing(generate(local, GenerationRequest("", "", "", stop=stop, resume=resume))) as chunks:
        async for chunk in chunks:
            yield chunk


def keep_sequences(model: Model, count: int) -> None:
    """Let a model of this process keep the keys and values of ``count`` sequences; of others that is no business."""
    if isinstance(model, LocalModel):
        model.local.slots.keep(count)
