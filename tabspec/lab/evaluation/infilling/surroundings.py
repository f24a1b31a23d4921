"""Related code for a snippet: the files of its held-out project that its document imports."""

from __future__ import annotations

from pathlib import PurePosixPath

from tabspec.engine.neighbours import Neighbours
from tabspec.lab.evaluation.infilling.snippets import Snippet
from tabspec.models.protocol import RelatedText
from tabspec.prompt.imports import imported
from tabspec.prompt.window import Window
from tabspec.text import Document
from tabspec.train.corpus.store import Corpus

_ROOT = PurePosixPath("/")


class Surroundings:
    """Finds related code in a corpus. A prompt gets at most ``chars`` characters of it."""

    def __init__(self, corpus: Corpus, chars: int) -> None:
        self._corpus, self._chars = corpus, chars
        self._places = {(entry.project, entry.path): index for index, entry in enumerate(corpus)}

    def related(self, snippet: Snippet, window: Window) -> tuple[RelatedText, ...]:
        """The related code for a snippet, chosen as in the engine from the files that its document imports."""
        neighbours = Neighbours(self._chars)
        neighbours.imports(snippet.context.uri, self._imported(snippet))
        return neighbours.related(snippet.context, window)

    def _imported(self, snippet: Snippet) -> list[Document]:
        text = snippet.prefix + snippet.suffix  # without the middle, which must stay unknown
        found: dict[int, None] = {}
        for paths in imported(_ROOT / snippet.path, text, snippet.language, _ROOT):
            places = (self._places.get((snippet.project, str(path.relative_to(_ROOT)))) for path in paths)
            place = next((place for place in places if place is not None), None)
            if place is not None and self._corpus[place].path != snippet.path:
                found[place] = None
        return [Document(f"file:///{self._corpus[i].path}", self._corpus.text(i), snippet.language) for i in found]
