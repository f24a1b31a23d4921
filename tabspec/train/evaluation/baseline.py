"""The nested n-gram cache as a contestant: it sees the open file around the hole and the other files of the project."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from tokenizers import Tokenizer

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
        self._projects: dict[tuple[str, str], NgramCounts] = {}

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def project(self, project: str, language: str, apart: str) -> NgramCounts:
        """Counts of a project's files of a language, without the file ``apart``.

        Files nearest in path first, until `PROJECT_BYTES` are counted.
        """
        key = (project, apart)
        if key not in self._projects:
            counts = NgramCounts()
            size = 0
            folder = apart.rpartition("/")[0]
            chosen = [i for i, e in enumerate(self._corpus) if e.project == project and e.language == language]
            chosen.sort(key=lambda i: not self._corpus[i].path.startswith(folder))
            for index in chosen:
                entry = self._corpus[index]
                if entry.path != apart and size < PROJECT_BYTES:
                    counts.add(self._encode(self._corpus.text(index)))
                    size += entry.end - entry.start
            self._projects = {key: counts}  # one at a time: counts of a project take hundreds of megabytes
        return self._projects[key]

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
        """A guesser by the most likely token, again and again, until the snippet's stop."""

        async def guess(snippet: Snippet) -> Guess:
            outer = self.project(snippet.project, snippet.language, snippet.path)
            own = NgramCounts()
            own.add(self._encode(snippet.suffix))
            begun = time.perf_counter()
            tokens = self._encode(snippet.prefix)
            own.add(tokens)
            nested = NestedNgram([outer, own], self._vocabulary)
            start, logprobs = len(tokens), []
            stop = STOPS[snippet.kind]
            text = ""
            while len(tokens) - start < stop.max_tokens:
                found = nested.best(tokens[-own.order :])
                if found is None:
                    break
                tokens.append(found[0])
                logprobs.append(math.log(found[1]))
                text = self._tokenizer.decode(tokens[start:], skip_special_tokens=False)
                if stop.end(text) is not None or _left_block(text, snippet):
                    break
            end = stop.end(text)
            return Guess(_without_dedent(text[:end], snippet), tuple(logprobs), time.perf_counter() - begun)

        return guess


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
