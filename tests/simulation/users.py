"""A user at one document: the editor's state, and random things to do to it."""

from __future__ import annotations

import re
from random import Random

from tabspec.context import EditContext
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit

from .model import ALPHABET

_UNIT = re.compile(r"\r\n|.", re.DOTALL)
LONGEST_DOCUMENT = 400


class Editor:
    """One open document with its cursor, its undo history, and the suggestion on the screen."""

    def __init__(self, uri: str, random: Random) -> None:
        self.uri, self._random = uri, random
        self.version = self.cursor = 0
        self.line_end = random.choice(("\n", "\n", "\r\n"))
        self.text = self.words(random.choice((0, 3, 30, 200)))
        self.move_to(random.randrange(len(self.text) + 1))
        self.open()

    def open(self) -> None:
        """Open the document, as what its language may be, without what is past."""
        self.language = self._random.choice(("python", "c"))
        self.screen: tuple[EditContext, Suggestion] | None = None
        self._past: list[tuple[str, int]] = []
        self._future: list[tuple[str, int]] = []

    @property
    def context(self) -> EditContext:
        return EditContext(Document(self.uri, self.text, self.language, self.version), self.cursor)

    def words(self, length: int) -> str:
        """Random text; most line ends are the document's own."""
        text = "".join(self._random.choice(ALPHABET) for _ in range(length))
        return text.replace("\n", self.line_end if self._random.random() < 0.95 else "\r\n")

    # --- edits ------------------------------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        self.edit(Edit(self.cursor, 0, text), self.cursor + len(text))

    def edit(self, edit: Edit, cursor: int) -> None:
        """One edit, after which the cursor is there."""
        self._past = [*self._past[-20:], (self.text, self.cursor)]
        self._future = []
        self._become(edit.apply(self.text), cursor)
        if len(self.text) > LONGEST_DOCUMENT:
            self._become(self.text[-LONGEST_DOCUMENT // 2 :], min(self.cursor, LONGEST_DOCUMENT // 2))

    def accept(self, suggestion: Suggestion) -> EditContext:
        """Put a suggestion, or a part of one, into the document; the state before that."""
        before = self.context
        edit = before.edit_for(suggestion)
        self.edit(edit, edit.end)
        return before

    def backspace(self) -> None:
        unit = next(iter(_UNIT.findall(self.text[max(self.cursor - 2, 0) : self.cursor])[-1:]), "")
        self.edit(Edit(self.cursor - len(unit), len(unit), ""), self.cursor - len(unit))

    def undo(self) -> None:
        if self._past:
            self._future.append((self.text, self.cursor))
            self._become(*self._past.pop())

    def redo(self) -> None:
        if self._future:
            self._past.append((self.text, self.cursor))
            self._become(*self._future.pop())

    def edit_elsewhere(self) -> None:
        """Insert or delete somewhere; the cursor stays at its text."""
        at, text = self._random.randrange(len(self.text) + 1), ""
        delete = self._random.choice((0, 1, min(5, len(self.text) - at)))
        delete = min(delete, len(self.text) - at)
        if at < self.cursor < at + delete:
            return
        if not delete or self._random.random() < 0.5:
            text = self.words(self._random.choice((1, 1, 6)))
        before = at + delete <= self.cursor and at < self.cursor
        self.edit(Edit(at, delete, text), self.cursor + (len(text) - delete if before else 0))

    def replace_all(self) -> None:
        """As a formatter does."""
        self.edit(Edit(0, len(self.text), self.words(self._random.choice((0, 40, 120)))), 0)
        self.move_to(self._random.randrange(len(self.text) + 1))

    def move(self) -> None:
        far = self._random.random() < 0.3
        self.move_to(self._random.randrange(len(self.text) + 1) if far else self.cursor + self._random.choice((-1, 1)))

    def move_to(self, cursor: int) -> None:
        self._become(self.text, cursor)

    def _become(self, text: str, cursor: int) -> None:
        cursor = min(max(cursor, 0), len(text))
        if text[cursor - 1 : cursor + 1] == "\r\n":
            cursor += 1  # no editor has a cursor in between
        self.version += text != getattr(self, "text", text)
        self.text, self.cursor = text, cursor

    # --- what to type -----------------------------------------------------------------------------------------------

    def agreeing(self, text: str) -> str:
        """A beginning of ``text``: a few characters, or now and then all of it."""
        units = _UNIT.findall(text)
        count = len(units) if self._random.random() < 0.1 else self._random.choice((1, 1, 1, 2, 4))
        return "".join(units[:count])

    def contradicting(self, text: str) -> str:
        """Something that does not begin as ``text`` does, or agrees with it for some characters and then not."""
        units = _UNIT.findall(text)
        agreeing = units[: self._random.choice((0, 0, 1, 2))]
        other = self._random.choice("ab(x")
        return "".join(agreeing) + ("y" if units[len(agreeing) :][:1] == [other] else other)
