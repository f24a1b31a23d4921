"""The data of edit examples on disk: texts for synthetic edits, and versions of files with the hunks to the next ones.

    DIR/texts/                  a corpus (tabspec.train.corpus.store)
    DIR/releases/               a corpus of the old versions
    DIR/releases/hunks.jsonl    for each document, in order: {"pair": number, "hunks": [[start, stop, [lines]], ...]}

Documents with the same pair number are of the same two releases of a project. Successive versions of a file are
adjacent, so that the folder compresses well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from tabspec.errors import InputError
from tabspec.train.corpus.store import Corpus
from tabspec.train.edits.hunks import LineHunk

TEXTS, RELEASES, HUNKS = "texts", "releases", "hunks.jsonl"


class Releases:
    """Versions of files with their hunks. Raises `InputError` if the folder is not one."""

    def __init__(self, folder: Path) -> None:
        self.corpus = Corpus(folder)
        try:
            with (folder / HUNKS).open(encoding="utf-8") as lines:
                read = [json.loads(line) for line in lines]
            self._pairs = [int(entry["pair"]) for entry in read]
            # kept as text: parsed only when used, because objects need far more memory
            self._hunks = [json.dumps(entry["hunks"]) for entry in read]
            self.counts = [len(entry["hunks"]) for entry in read]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder}: not made by 'tabspec train edits': {error}") from error
        if len(read) != len(self.corpus):
            raise InputError(
                f"{folder}: {HUNKS} has {len(read)} lines for {len(self.corpus)} documents; build it again"
            )
        self._members: defaultdict[int, list[int]] = defaultdict(list)
        for index, pair in enumerate(self._pairs):
            self._members[pair].append(index)

    def __len__(self) -> int:
        return len(self._pairs)

    def document(self, index: int) -> tuple[list[str], list[LineHunk]]:
        """The old version of a document, and its hunks from top to bottom.

        It has no empty line after its last line end, as when serving. A hunk of that line is left out.
        """
        lines = self.corpus.text(index).removesuffix("\n").split("\n")
        hunks = [LineHunk(start, stop, tuple(new)) for start, stop, new in json.loads(self._hunks[index])]
        return lines, [hunk for hunk in hunks if hunk.stop <= len(lines)]

    def same_release(self, index: int) -> list[int]:
        """The other documents of the same two releases."""
        return [other for other in self._members[self._pairs[index]] if other != index]
