"""A model that runs in this process, on any decoder: the `Model` protocol on top of canonical generation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from tabspec.models.generate import CHUNK, Drafts, LocalDecoding, generate, no_drafts
from tabspec.models.prompting import Prompter
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.models.slots import Decoder, Slots
from tabspec.models.vocabulary import Vocabulary
from tabspec.prompt.fim import FimFormat


class LocalModel:
    """A `Model` on a decoder in this process. Forward passes block the event loop for as long as each of them takes.

    ``slots`` sequences keep their keys and values between requests; prefill runs ``chunk`` tokens at a time.
    """

    def __init__(
        self,
        info: ModelInfo,
        decoder: Decoder,
        vocabulary: Vocabulary,
        form: FimFormat,
        *,
        slots: int = 4,
        chunk: int = CHUNK,
        drafts: Drafts = no_drafts,
    ) -> None:
        self.info = info
        prompter = Prompter(vocabulary, form, decoder.context)
        self.local = LocalDecoding(decoder, vocabulary, prompter, Slots(decoder, slots), drafts, chunk)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        async with aclosing(generate(self.local, request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        self.local.slots.clear()
