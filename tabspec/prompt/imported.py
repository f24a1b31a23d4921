"""Reads the files that a document imports: only from its own workspace folder, and no ignored file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tabspec.ignore import path_of
from tabspec.prompt.imports import imported
from tabspec.prompt.related import MOST_CHARS
from tabspec.system.regular import read_regular
from tabspec.text import Document

# Imported files that are read for a document. One that imports fifty others is related closely to none of them.
MOST_FILES = 24


def read_imported(document: Document, folders: Iterable[Path], ignored: Callable[[str], bool]) -> list[Document]:
    """The documents that ``document``'s imports name, in their order, from the innermost of ``folders`` around it.

    Files that are ``ignored``, too long or not UTF-8 are left out, and so are links that lead out of the folder.
    """
    path = Path(path_of(document.uri))
    around = [folder for folder in folders if path.is_relative_to(folder)]
    if not document.uri.startswith("file:") or not around:
        return []
    root = max(around, key=lambda folder: len(folder.parts))
    found: dict[str, Document] = {}
    for names in imported(path, document.text, document.language, root):
        if len(found) == MOST_FILES:
            break
        for uri, text in _texts(map(Path, names), root, ignored):
            if uri not in (document.uri, *found):
                found[uri] = Document(uri, text, document.language)
            break  # the first candidate that exists
    return list(found.values())


def _texts(paths: Iterable[Path], root: Path, ignored: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """(URI, text) of the files among ``paths`` that may be read."""
    for path in paths:
        try:
            real = Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for links in a circle
            if not real.is_file() or not real.is_relative_to(root.resolve()):
                continue
            if ignored(path.as_uri()) or ignored(real.as_uri()):
                continue
            # Without following links: the file that was checked is the one that is read, even if a link replaces it.
            yield path.as_uri(), _text(read_regular(real, MOST_CHARS, follow=False))
        except (OSError, ValueError):  # gone, unreadable, too long, or not UTF-8
            continue


def _text(data: bytes) -> str:
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
