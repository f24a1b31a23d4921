"""A corpus on disk: a memory-mapped file with all texts, and one JSON line for each document.

    DIR/text.bin          the documents in UTF-8, one after another
    DIR/documents.jsonl   {"project", "path", "language", "start", "end"} for each, in that order (offsets in bytes)
    DIR/manifest.json     the projects with versions and licences, and the characters dropped, by reason

All texts are in one file, so that several processes can share its pages in memory.
"""

from __future__ import annotations

import json
import mmap
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tabspec.errors import InputError

TEXT, DOCUMENTS, MANIFEST = "text.bin", "documents.jsonl", "manifest.json"


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document of the corpus, with its offsets in bytes."""

    project: str
    path: str
    language: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """The file's base name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The path of the file's folder, relative to the project."""
        return self.path.rpartition("/")[0]


class Corpus(Sequence[DocumentEntry]):
    """A corpus opened for reading. Raises `InputError` if the folder is not one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            with (folder / DOCUMENTS).open(encoding="utf-8") as lines:
                self._entries = [DocumentEntry(**json.loads(line)) for line in lines]
            size = (folder / TEXT).stat().st_size
            if not self._entries or not size:
                raise InputError(f"{folder}: the corpus is empty; give it more sources")
            with (folder / TEXT).open("rb") as file:
                self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{folder}: not a corpus made by 'tabspec train corpus': {error}") from error
        if self._entries[-1].end != size:
            raise InputError(
                f"{folder}: {TEXT} has {size} bytes, but {DOCUMENTS} needs {self._entries[-1].end}; build it again"
            )

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def text(self, index: int) -> str:
        """The text of document ``index``."""
        entry = self._entries[index]
        return self._text[entry.start : entry.end].decode("utf-8")

    def piece(self, index: int, start: int, end: int) -> str:
        """Bytes ``start`` to ``end`` of document ``index`` as text, without incomplete characters at its ends."""
        entry = self._entries[index]
        return self._text[entry.start + start : min(entry.start + end, entry.end)].decode("utf-8", "ignore")

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return self._entries[-1].end

    def texts(self) -> Iterator[str]:
        """All texts in order."""
        for index in range(len(self)):
            yield self.text(index)


class CorpusWriter:
    """Writes a corpus under a temporary name, and renames it when it is complete.

    It is a context manager. After an exception, or if it got no documents, it leaves no files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._aside = folder.with_name(folder.name + ".partial")
        self._end = 0
        self.manifest: dict[str, Any] = {}

    def __enter__(self) -> CorpusWriter:
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(parents=True)
        self._text = (self._aside / TEXT).open("wb")
        self._documents = (self._aside / DOCUMENTS).open("w", encoding="utf-8")
        return self

    def add(self, project: str, path: str, language: str, text: str) -> None:
        """Append a document."""
        data = text.encode("utf-8")
        entry = DocumentEntry(project, path, language, self._end, self._end + len(data))
        self._text.write(data)
        self._documents.write(json.dumps(asdict(entry)) + "\n")
        self._end = entry.end

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._text.close()
        self._documents.close()
        if kind is not None or not self._end:
            shutil.rmtree(self._aside, ignore_errors=True)
            return
        (self._aside / MANIFEST).write_text(json.dumps(self.manifest, indent=1) + "\n", encoding="utf-8")
        if self._folder.is_dir() and (self._folder / DOCUMENTS).is_file():
            shutil.rmtree(self._folder)  # only a corpus is replaced, no other folder
        self._aside.replace(self._folder)
