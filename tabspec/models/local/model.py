"""A model that runs in this process, on any decoder: the `Model` protocol on top of canonical generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

import torch

from tabspec.errors import ModelError, TabspecError
from tabspec.models.edit_protocol import EditRequest, chunk_of
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.ngram_table import NgramTable
from tabspec.models.local.batching import CHUNK
from tabspec.models.local.drafts import NgramDrafts
from tabspec.models.local.edits.writer import LocalEdits
from tabspec.models.local.generation import LocalDecoding, generate
from tabspec.models.local.ngram_cache import NGRAM_CACHE, NgramCaches
from tabspec.models.local.slots import Decoder, Slots, row_cost_of, sequences_of
from tabspec.models.machine.low_priority import LowPriorityThread, can_use_low_priority
from tabspec.models.machine.threads import threads_to_use
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.prompt.fim import OURS, FimFormat

# A window of text never gives a longer prompt. Keys and values for more tokens would only take memory.
MOST_CONTEXT = 4096


class LocalModel:
    """A `Model` on a decoder in this process. Each forward pass blocks the event loop.

    ``slots`` sequences keep their keys and values between requests; prefill runs ``chunk`` tokens at a time. Draft
    tokens come from ``drafts``, by default from n-grams of the prompt, of the open file and of ``table``. With
    ``ngram_cache``, the n-gram cache of the open file is mixed into the model's distribution.

    A second model in this process may write edits (`write_edits`). Its passes come after those of this one.
    """

    warm = True  # keys and values of the last prompts are kept

    def __init__(
        self,
        info: ModelInfo,
        decoder: Decoder,
        vocabulary: Vocabulary,
        form: FimFormat,
        *,
        slots: int = 4,
        chunk: int = CHUNK,
        table: NgramTable | None = None,
        ngram_cache: bool = False,
    ) -> None:
        self.info = replace(info, together=sequences_of(decoder))
        self._load_edits: Callable[[], LocalEdits] | None = None
        self._edits: asyncio.Task[LocalEdits] | None = None
        self._most_threads = 0  # as many as torch is set to at the first request
        drafts = NgramDrafts(vocabulary.control, row_cost_of(decoder), table)
        prompter = Prompter(vocabulary, form, decoder.context)
        ngram_caches = NgramCaches(prompter.encode, vocabulary.control) if ngram_cache else None
        self.local = LocalDecoding(decoder, vocabulary, prompter, Slots(decoder, slots), drafts, chunk, ngram_caches)

    @classmethod
    def of_folder(
        cls,
        folder: ModelFolder,
        name: str,
        decoder: Decoder,
        vocabulary: Vocabulary,
        form: FimFormat,
        arithmetic: Sequence[str],
        detail: str,
    ) -> LocalModel:
        """The model in ``folder`` on ``decoder``. ``arithmetic`` names what decides between tokens that are almost
        equally likely, and is a part of the fingerprint. ``detail`` is for users."""
        ngram_cache = form is OURS  # its weights were fitted to our own models; other models have larger windows
        options = (*arithmetic, form.name, str(decoder.context), *((NGRAM_CACHE,) if ngram_cache else ()))
        detail = f"{detail}, {form.name}"
        info = ModelInfo(name, folder.fingerprint(*options), decoder.context, detail)
        return cls(info, decoder, vocabulary, form, ngram_cache=ngram_cache, table=folder.draft_table(vocabulary.size))

    def write_edits(self, fingerprint: str, load: Callable[[], LocalEdits]) -> None:
        """From now on, answer requests for edits with the model that ``load`` returns at the first of them.
        ``fingerprint`` is that model's."""
        self.info = replace(self.info, edits=fingerprint)
        self._load_edits = load

    async def stream(self, request: GenerationRequest | EditRequest) -> AsyncGenerator[Chunk, None]:
        self._most_threads = self._most_threads or torch.get_num_threads()
        if (threads := threads_to_use(self._most_threads)) != torch.get_num_threads():
            torch.set_num_threads(threads)
        if isinstance(request, EditRequest):
            edits = await self._writer()
            yield chunk_of(await edits.edit(request), request.region)
            return
        with self.local.batcher.generation(request.foreground):
            async with aclosing(generate(self.local, request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _writer(self) -> LocalEdits:
        """The model that writes edits. Loaded on a thread, so that completions go on meanwhile."""
        if self._load_edits is None:
            raise ModelError("there is no model that writes edits here")
        if self._edits is None:
            self._edits = asyncio.create_task(asyncio.to_thread(self._load_edits))
        try:
            edits = await asyncio.shield(self._edits)
        except TabspecError as error:
            raise ModelError(str(error)) from None
        edits.local.batcher.run_low_priority = self.local.batcher.run_low_priority
        return edits

    def use_low_priority(self) -> None:
        """From now on, run speculative passes on a thread of low priority (`tabspec.models.machine.low_priority`).
        Without effect if the model computes on a GPU, or the system has no priorities for threads."""
        at = getattr(self.local.decoder, "device", torch.device("cpu"))
        if at.type == "cpu" and can_use_low_priority():
            self.local.batcher.run_low_priority = LowPriorityThread().run

    async def close(self) -> None:
        self.local.slots.clear()
