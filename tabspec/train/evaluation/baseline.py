"""The nested n-gram cache as a contestant: it sees the open file around the hole and the other files of the project."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial

from tokenizers import Tokenizer

from tabspec.prompt.window import canonical_cut
from tabspec.train.corpus import Corpus
from tabspec.train.evaluation.bits import Bits
from tabspec.train.evaluation.infill import STOPS, Guess, Guesser
from tabspec.train.evaluation.ngram import NestedNgram, NgramCounts
from tabspec.train.evaluation.snippets import Snippet

# Bytes of the project's other files that are counted: a dozen files, more than any window that a model is shown.
PROJECT_BYTES = 400_000


class Baseline:
    """Knows the held-out corpus's projects. Tokens are those of ``tokenizer``."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        tokenizer.encode_special_tokens = True
        self._held: tuple[str, str] | None = None
        self._counts = NgramCounts()
        self._apart: list[int] = []  # tokens of the file that is taken out of the counts at present
        self._counted: set[int] = set()

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def project(self, project: str, language: str, apart: str) -> NgramCounts:
        """Counts of a project's files of a language, without the file ``apart``. Valid until the next call.

        One project is held at a time (counts take hundreds of megabytes), so ask for one after the other.
        """
        if self._held != (project, language):
            self._held, self._counts, self._apart, size = (project, language), NgramCounts(), [], 0
            self._counted = set()
            for index in self._files(project, language):
                if size < PROJECT_BYTES:
                    self._counts.add(self._encode(self._corpus.text(index)))
                    size += self._corpus[index].end - self._corpus[index].start
                    self._counted.add(index)
        self._counts.add(self._apart)
        self._apart = []
        for index in self._files(project, language):
            if self._corpus[index].path == apart and index in self._counted:
                self._apart = self._encode(self._corpus.text(index))
                self._counts.remove(self._apart)
        return self._counts

    def _files(self, project: str, language: str) -> list[int]:
        return [i for i, e in enumerate(self._corpus) if e.project == project and e.language == language]

    def bits(self, documents: Sequence[tuple[str, str, str, str]]) -> Bits:
        """What documents (project, path, language, text) cost, each with its project known and itself learned."""
        total = Bits()
        for project, path, language, text in documents:
            nested = NestedNgram([self.project(project, language, path), NgramCounts()], self._vocabulary)
            tokens = self._encode(text)
            total += Bits(nested.bits(tokens), len(text.encode()), len(tokens))
        return total

    @property
    def _vocabulary(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def guesser(self) -> Guesser:
        """A guesser by the most likely token, again and again, until the snippet's stop.

        The line so far is decoded under a constraint, as the models do it (docs/architecture.md): a cursor in the
        middle of a token must not spoil the context.
        """

        async def guess(snippet: Snippet) -> Guess:
            outer = self.project(snippet.project, snippet.language, snippet.path)
            own = NgramCounts()
            own.add(self._encode(snippet.suffix))
            begun = time.perf_counter()
            cut = canonical_cut(snippet.prefix)
            tokens, forced = self._encode(snippet.prefix[:cut]), snippet.prefix[cut:]
            own.add(tokens)
            nested = NestedNgram([outer, own], self._vocabulary)
            text, logprobs, stop = "", list[float](), STOPS[snippet.kind]
            while len(logprobs) < stop.max_tokens and stop.end(text) is None and not _left_block(text, snippet):
                found = nested.best(tokens[-own.order :], partial(self._agrees, forced))
                if found is None and not forced:
                    break
                token, chance = found or (self._encode(forced)[0], 1.0)
                tokens.append(token)
                piece = self._piece(token)
                if forced and not piece.startswith(forced):
                    forced = forced[len(piece) :]
                    continue
                text += piece[len(forced) :]
                forced = ""
                logprobs.append(math.log(chance))
            end = stop.end(text)
            return Guess(_without_dedent(text[:end], snippet), tuple(logprobs), time.perf_counter() - begun)

        return guess

    def _piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], skip_special_tokens=False))

    def _agrees(self, forced: str, token: int) -> bool:
        piece = self._piece(token) if forced else ""
        return forced.startswith(piece) or piece.startswith(forced)


def _indentation(snippet: Snippet) -> int:
    line = snippet.prefix[snippet.prefix.rfind("\n") + 1 :]
    return len(line) - len(line.lstrip(" \t"))


def _left_block(text: str, snippet: Snippet) -> bool:
    """Whether the last line begun stands further out than the first: it has no end-of-middle token to stop at."""
    return _without_dedent(text, snippet) != text


def _without_dedent(text: str, snippet: Snippet) -> str:
    """``text`` up to the first line that is indented less than the line of the cursor."""
    inner, at = _indentation(snippet), text.find("\n")
    while at >= 0:
        line = text[at + 1 :].split("\n", 1)[0]
        if line.strip() and len(line) - len(line.lstrip(" \t")) < inner:
            return text[:at]
        at = text.find("\n", at + 1)
    return text
