"""The engine's interface to a model: `Model`, with its requests and the chunks of its answers.

Imports no torch: the language server imports this module.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from tabspec.fitting.early_stop import Around
from tabspec.suggestion import Finish

# Prompt tokens that a speculation computes at a time. A foreground request waits for the end of such a piece. With the
# bundled model, 64 tokens take 16 ms and 256 take 45; 1,000 tokens take 246 ms in pieces of 64, and 177 in pieces of
# 256 (compiled decoder, two cores; docs/decisions/2026-11-25-foreground.md).
CHUNK_AHEAD = 64

_LINE_END = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class StopRule:
    """Where a suggestion ends if the model does not end it itself.

    ``max_lines`` counts lines that are not blank: 1 stops at the end of the line that is being written (after a
    finished line: at the end of the next one). The line end that stops a suggestion is not part of it. ``max_tokens``
    counts decoded tokens. ``min_logprob`` stops before a token that is less likely than that (natural logarithm; None:
    never), ``min_first_logprob`` before the very first one. ``around``, if given, stops where fitting would cut off
    everything that follows.
    """

    max_lines: int = 1
    max_tokens: int = 48
    min_logprob: float | None = None
    min_first_logprob: float | None = None
    around: Around | None = None

    def end(self, text: str, since: int = 0) -> int | None:
        """Length at which ``text`` has to be cut, or None if it may continue. ``since``: after so many characters it is
        known that the text may continue."""
        end = self._lines(text)
        settled = self.around.cut_point(text, since) if self.around else None
        return settled if end is None or (settled is not None and settled < end) else end

    def _lines(self, text: str) -> int | None:
        lines, start = 0, 0
        for line_end in _LINE_END.finditer(text):
            end = line_end.start()
            if text[start:end].strip():
                lines += 1
                if lines >= self.max_lines:
                    return end
            start = end + 1
        return None


@dataclass(frozen=True, slots=True)
class RelatedText:
    """Text of another file, shown to the model before the document."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """One way in which an answer may begin: the text of a first token, and its log-probability (natural logarithm)."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request for the text between ``head`` + ``forced`` and ``suffix``.

    All three come from a `tabspec.prompt.window.Window`. ``head`` is tokenized as it is; ``forced`` is decoded under a
    constraint (docs/design/decoding.md), so that the answer is a function of the text alone. ``path`` is the file's
    base name (a hint to the language). ``before`` and ``after`` are the document's text around the window, possibly
    shortened: no part of the prompt, but for the n-gram cache of the open file. ``resume`` is what an earlier
    generation for the same request had written when it was interrupted: the answer continues after it and does not
    repeat it. ``foreground``: an editor waits for the answer. If ``beginnings`` is not 0, the request is not for text
    but for up to so many ways to begin it, in `Chunk.beginnings`. Models that do not know them return none.
    """

    head: str
    forced: str
    suffix: str
    path: str = ""
    language: str = ""
    related: tuple[RelatedText, ...] = ()
    before: str = ""
    after: str = ""
    stop: StopRule = field(default_factory=StopRule)
    resume: str = ""
    foreground: bool = True
    beginnings: int = 0

    @property
    def prefix(self) -> str:
        """The text before the cursor, from the window's start on."""
        return self.head + self.forced


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a generation cost: prompt tokens computed, prompt tokens found in the KV cache, decoded ones."""

    prefill: int = 0
    reused: int = 0
    decoded: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prefill + other.prefill, self.reused + other.reused, self.decoded + other.decoded)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a generation.

    ``text`` holds whole characters (bytes of an unfinished one wait for the next chunk), never special tokens.
    ``tokens`` and ``logprobs`` (natural logarithm) belong to the tokens decoded since the last chunk. ``usage`` counts
    since the last chunk; the prompt is counted in the first one, so that an interrupted generation is counted, too.
    ``finish`` is set on the last chunk only. ``beginnings`` are set if the request is for them: the most likely first,
    no two of the same text. The answer to a request for an edit (`tabspec.models.edit_protocol.EditRequest`) is one
    chunk with the region's new text, and the ``probability`` that it is right, if that was measured.
    """

    text: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()
    finish: Finish | None = None
    beginnings: tuple[Beginning, ...] = ()
    probability: float | None = None

    @property
    def counts_only(self) -> bool:
        """Whether it has nothing but ``usage``."""
        return not (self.text or self.tokens or self.finish or self.beginnings)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Properties of a model. ``fingerprint`` changes whenever its answers may (weights, prompt format, dtype).
    ``together``: how many generations it decodes in one pass. ``edits`` is the fingerprint of the model that writes
    edits in the same process; "": none."""

    name: str
    fingerprint: str
    context_tokens: int
    detail: str = ""
    together: int = 1
    edits: str = ""


class Model(Protocol):
    """A model that can fill in the middle."""

    @property
    def info(self) -> ModelInfo: ...

    def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Generate, a chunk for each decode step.

        Closing the generator (`aclose`, or cancelling the task that reads it) stops the model before its next
        decode step. Raises `ModelError` where the model fails, `ModelUnavailable` where it cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Free what the model holds. No stream may be open."""
        ...


def slots_of(model: Model) -> int:
    """How many generations a model runs at a time: its ``slots`` if it has that attribute, else as many as it decodes
    in one pass."""
    return int(getattr(model, "slots", 0)) or model.info.together


def warms(model: Model) -> bool:
    """Whether to ask this model ahead for the beginnings of an answer where a cursor rests: its ``warm``. That pays
    if the prompt's keys and values are kept, and if computing it delays no other user."""
    return bool(getattr(model, "warm", False))


def schedules(model: Model) -> bool:
    """Whether a model puts foreground requests first itself: its ``schedules`` if it has that attribute, else whether
    it runs several generations on one processor. Such a model has to be informed when a speculation becomes
    foreground."""
    return bool(getattr(model, "schedules", model.info.together > 1))
