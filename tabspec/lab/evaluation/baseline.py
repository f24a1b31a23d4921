"""The nested n-gram cache as a baseline. It counts the open file around the hole, and the project's other files."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence

from tokenizers import Tokenizer

from tabspec.lab.evaluation.bits import Bits
from tabspec.lab.evaluation.infilling.infill import STOPS, Guesser, Infill
from tabspec.lab.evaluation.infilling.snippets import Snippet
from tabspec.lab.evaluation.ngram import NestedNgram, NgramCounts, NgramText, write
from tabspec.models.protocol import Chunk, GenerationRequest, ModelInfo, Usage
from tabspec.prompt.window import canonical_cut
from tabspec.suggestion import Finish
from tabspec.train.corpus.store import Corpus

# The most bytes of the project's other files that are counted: about a dozen files, more than a prompt can hold.
PROJECT_BYTES = 400_000


class Baseline:
    """Counts n-grams of the projects of a held-out corpus, on the tokens of ``tokenizer``."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer) -> None:
        self._corpus, self._tokenizer = corpus, tokenizer
        tokenizer.encode_special_tokens = True
        self._held: tuple[str, str] | None = None
        self._counts = NgramCounts()
        self._apart: list[int] = []  # tokens of the file that is now left out of the counts
        self._counted: set[int] = set()

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def project(self, project: str, language: str, apart: str) -> NgramCounts:
        """Counts of a project's files of a language, without the file ``apart``. Valid until the next call.

        Only one project is kept in memory, because its counts take hundreds of megabytes.
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
        """Bits of documents (project, path, language, text). A document's project is counted before it is read."""
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
        """A guesser that takes the most likely token each time, until the stop rule of the snippet."""

        async def guess(snippet: Snippet) -> Infill:
            outer = self.project(snippet.project, snippet.language, snippet.path)
            own = NgramCounts()
            own.add(self._encode(snippet.suffix))
            begun = time.perf_counter()
            cut = canonical_cut(snippet.prefix)
            head, stop = self._encode(snippet.prefix[:cut]), STOPS[snippet.kind]
            own.add(head)

            def over(text: str) -> bool:
                return stop.end(text) is not None or _without_dedent(text, snippet.prefix) != text

            found = self._write([outer, own], head, snippet.prefix[cut:], over, stop.max_tokens)
            text = _without_dedent(found.text[: stop.end(found.text)], snippet.prefix)
            return Infill(text, found.logprobs, time.perf_counter() - begun)

        return guess

    def model(self, project: str, language: str, apart: str, around: str) -> NgramModel:
        """The n-grams as a model for one file. They count the project's other files, and ``around``, the file's text.
        Valid until the next call of `project`."""
        own = NgramCounts()
        own.add(self._encode(around))
        return NgramModel(self, self.project(project, language, apart), own)

    def _write(
        self, levels: list[NgramCounts], head: list[int], forced: str, over: Callable[[str], bool], most: int
    ) -> NgramText:
        nested = NestedNgram(levels, self._vocabulary)
        return write(nested, head, forced, self._piece, lambda text: self._encode(text)[0], over, most)

    def _piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], skip_special_tokens=False))


class NgramModel:
    """The nested n-gram cache as a `Model`, so that a simulated user can type with it. Made by `Baseline.model`.

    It counts ``project`` and ``own``. During a request it also counts the text before the cursor.
    """

    def __init__(self, baseline: Baseline, project: NgramCounts, own: NgramCounts) -> None:
        self._baseline, self._project, self._own = baseline, project, own
        self.info = ModelInfo("nested n-grams", "nested n-grams", context_tokens=1 << 20)

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """The whole answer in one chunk."""
        encode, stop = self._baseline._encode, request.stop
        head, known = encode(request.head), request.resume
        self._own.add(head)
        try:

            def over(text: str) -> bool:
                return stop.end(known + text) is not None

            levels = [self._project, self._own]
            found = self._baseline._write(levels, head, request.forced + known, over, stop.max_tokens)
        finally:
            self._own.remove(head)
        text, finish = (known + found.text), Finish.LENGTH
        if (end := stop.end(text)) is not None:
            text, finish = text[:end], Finish.STOP
        logprobs = found.logprobs
        floors = [stop.min_first_logprob if not known else stop.min_logprob, stop.min_logprob]
        for number, (logprob, length) in enumerate(zip(logprobs, found.lengths, strict=True)):
            floor = floors[min(number, 1)]
            if floor is not None and logprob < floor and length < len(text) - len(known):
                text, logprobs, finish = known + found.text[:length], logprobs[:number], Finish.CONFIDENCE
                break
        yield Chunk(
            text[len(known) :], found.tokens[: len(logprobs)], logprobs, Usage(len(head), 0, len(logprobs)), finish
        )

    async def close(self) -> None:
        """There is nothing to close."""


def _without_dedent(text: str, prefix: str) -> str:
    """``text`` up to the first line that is indented less than the cursor's line, the last line of ``prefix``.

    N-grams need this rule, because they have no end-of-middle token.
    """
    line = prefix[prefix.rfind("\n") + 1 :]
    inner, at = len(line) - len(line.lstrip(" \t")), text.find("\n")
    while at >= 0:
        line = text[at + 1 :].split("\n", 1)[0]
        if line.strip() and len(line) - len(line.lstrip(" \t")) < inner:
            return text[:at]
        at = text.find("\n", at + 1)
    return text
