"""llama.cpp in this process, by the package llama-cpp-python: a baseline for tabspec's decoder.

It is called through llama.cpp's C interface, without a server, text conversion or sampling. A llama.cpp server cannot
be faster.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Sequence
from ctypes import POINTER, c_float, cast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tabspec.errors import ModelError, ModelNotUsable
from tabspec.models.files.folder import ModelFolder, load_tokenizer
from tabspec.models.local.logits import Logits
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import Event, Writing, writable
from tabspec.prompt.fim import FimFormat
from tabspec.suggestion import Finish


def is_installed() -> bool:
    """Whether the package llama-cpp-python is installed."""
    return find_spec("llama_cpp") is not None


class LlamaCppKV:
    """The KV cache of llama.cpp's only sequence, with ``length`` positions. Creating a new one clears the old one."""

    __slots__ = ("length",)

    def __init__(self) -> None:
        self.length = 0


class LlamaCppDecoder:
    """A `Decoder` that runs a GGUF file in llama.cpp, for one sequence at a time. Raises `ModelNotUsable`.

    ``flash`` switches on llama.cpp's flash attention. ``prefill_chunk`` is llama.cpp's default, in tokens.
    """

    prefill_chunk = 512

    def __init__(self, file: Path, *, context: int, threads: int, flash: bool = True) -> None:
        try:
            self._c: Any = importlib.import_module("llama_cpp.llama_cpp")
        except (
            ImportError,
            OSError,
            RuntimeError,
            AttributeError,
        ) as error:  # a missing dependency, or a broken library
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelNotUsable(f"llama-cpp-python cannot be loaded: {why}") from None
        self._silence = self._c.llama_log_callback(
            lambda level, text, data: None
        )  # referenced here, because C code keeps a pointer to it
        self._c.llama_log_set(self._silence, None)
        self._c.llama_backend_init()
        weights = self._c.llama_model_default_params()
        # The AMX code of llama-cpp-python 0.3.36 crashes at the first token of the bundled model. In a build with AMX,
        # this option switches it off, and all repacking of weights too. tests/benchmarks/README.md describes a build
        # without this loss.
        weights.use_extra_bufts = b"AMX_INT8 = 1" not in self._c.llama_print_system_info()
        self._model = self._c.llama_model_load_from_file(str(file).encode(), weights)
        if not self._model:
            raise ModelNotUsable(f"{file}: llama.cpp cannot load it")
        options = self._c.llama_context_default_params()
        options.n_ctx = options.n_batch = context
        options.n_ubatch = self.prefill_chunk
        options.n_threads = options.n_threads_batch = threads
        options.flash_attn_type = int(flash)
        self._running = self._c.llama_init_from_model(self._model, options)
        if not self._running:
            raise ModelNotUsable(f"{file}: llama.cpp cannot run it")
        self._memory = self._c.llama_get_memory(self._running)
        self._batch = self._c.llama_batch_init(context, 0, 1)
        self._vocabulary = self._c.llama_vocab_n_tokens(self._c.llama_model_get_vocab(self._model))
        self.context = context

    def new_kv(self) -> LlamaCppKV:
        self._c.llama_memory_clear(self._memory, False)
        return LlamaCppKV()

    def truncate(self, kv: LlamaCppKV, length: int) -> None:
        if length < kv.length:
            self._c.llama_memory_seq_rm(self._memory, 0, length, -1)
            kv.length = length

    def copy(self, source: LlamaCppKV, target: LlamaCppKV, length: int) -> None:
        raise NotImplementedError("one sequence at a time")

    def forward(self, kv: LlamaCppKV, tokens: Sequence[int], want: int) -> Logits:
        """Run one pass. The returned logits are llama.cpp's own memory and are valid only until the next pass."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token, kv.length + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = i >= len(tokens) - want
        if self._c.llama_decode(self._running, batch):
            raise RuntimeError("llama.cpp failed")
        kv.length += len(tokens)
        if not want:
            return np.empty((0, self._vocabulary), np.float32)
        rows = self._c.llama_get_logits_ith(self._running, len(tokens) - want)
        whole = cast(rows, POINTER(c_float * (want * self._vocabulary))).contents
        return np.frombuffer(whole, np.float32).reshape(want, self._vocabulary)

    def close(self) -> None:
        """Free llama.cpp's memory."""
        self._c.llama_batch_free(self._batch)
        self._c.llama_free(self._running)
        self._c.llama_model_free(self._model)


class LlamaCppModel:
    """A `Model` that decodes like llama.cpp's server.

    It reuses the longest common prefix with the last prompt and decodes greedily, without drafts or a constraint. The
    prompt and the stop rules are those of tabspec's model, but the text of the current line is tokenized as a whole.

    ``file`` is the GGUF file; ``source`` is the folder with the tokenizer and the configuration.
    """

    def __init__(self, file: Path, source: Path, *, threads: int, flash: bool = True) -> None:
        folder = ModelFolder(source)
        self._vocabulary: Vocabulary
        self._format: FimFormat
        self._vocabulary, self._format = load_tokenizer(folder.tokenizer_json(), folder.model_type, str(source))
        context = int(folder.config["max_position_embeddings"])
        self.decoder = LlamaCppDecoder(file, context=context, threads=threads, flash=flash)
        self._prompter = Prompter(self._vocabulary, self._format, context)
        self._kv, self._held = self.decoder.new_kv(), list[int]()
        self.info = ModelInfo(f"llama.cpp, {file.name}", f"llama.cpp {file.name}", context)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        writing = Writing.start(writable(request.head), writable(request.forced), "", request.stop)
        prompt = [*self._prompter.prompt(writing.head, request), *self._vocabulary.encode(writing.known)]
        row = self._prefill(prompt)
        decoded = 0
        while True:
            token = int(row.argmax())
            decoded += 1
            data = b"" if token in self._vocabulary.control else self._vocabulary.bytes_of[token]
            text, event = writing.write(data) if data else ("", Event.BROKEN)
            while event is Event.CUT:  # tabspec would choose the tokens after the cut anew; llama.cpp keeps them
                writing.move_cut()
                event = Event.GOES_ON
            ends = not data or event is not Event.GOES_ON or decoded >= request.stop.max_tokens
            yield Chunk(text, (token,), (0.0,), Usage(decoded=1), Finish.STOP if ends else None)
            if ends or len(self._held) >= self.decoder.context:
                return
            row = self._run([token])

    def _prefill(self, prompt: list[int]) -> Logits:
        kept = 0
        while kept < min(len(prompt) - 1, len(self._held)) and prompt[kept] == self._held[kept]:
            kept += 1
        self.decoder.truncate(self._kv, kept)
        del self._held[kept:]
        return self._run(prompt[kept:])

    def _run(self, tokens: list[int]) -> Logits:
        try:
            rows = self.decoder.forward(self._kv, tokens, 1)
        except RuntimeError as error:
            raise ModelError(str(error)) from error
        self._held += tokens
        row: Logits = rows[0]
        return row

    async def close(self) -> None:
        self.decoder.close()
