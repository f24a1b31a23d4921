"""Chooses the candidate that fits its place best: it adds no syntax error, does not change the meaning of the text
after the cursor, and repeats nothing. A parser judges this if the language has one; otherwise a lexer and brackets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tabspec.fitting.brackets import QUOTES, missing_closers, unmatched
from tabspec.fitting.candidates import Candidate
from tabspec.fitting.ends import open_quote
from tabspec.syntax.tree import Opaque, SyntaxTree
from tabspec.syntax.trees import PartTree
from tabspec.text import Edit

# A name that is inserted at the cursor to parse a line that is not finished.
_NAME = "x"
# What stands after a text for a lexer. It is a part of a string only if the text does not close it.
_AFTER = "\n\nx"


class _Misfit(NamedTuple):
    """How badly a candidate fits: the first of these that differs decides, and less is better."""

    surely: bool  # it repeats more than is ever meant to stand twice
    errors: int
    changed: int  # characters after it that mean something else now
    repeats: bool
    unfinished: bool  # it leaves brackets open
    order: int  # fewer characters replaced after the cursor; more of them, where the text ends alike
    length: int  # negative: longer is better
    syntax: int = 0  # those of the errors that a parser finds


@dataclass(frozen=True, slots=True)
class TextPosition:
    """A cursor in a text. ``end`` is where the cursor's line ends."""

    text: str
    offset: int
    end: int


class Reader(Protocol):
    """Reads the document as it would be with an edit at the cursor."""

    code: bool
    """Whether the cursor is in code that a parser reads."""

    def errors(self, edit: Edit) -> int:
        """The number of syntax errors near the cursor after ``edit``, if a parser finds them."""
        ...

    def loose(self, edit: Edit) -> int:
        """The number of brackets and quotes without a partner near the cursor after ``edit``, in text that no parser
        reads. No text is cut because of them."""
        ...

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        """The kinds of the characters from ``start`` to ``end`` after ``edit``; offsets are of the edited text."""
        ...


def choose(place: TextPosition, reader: Reader, found: Sequence[Candidate]) -> tuple[Candidate, bool]:
    """The candidate that fits best, and whether it fits (it adds no syntax error and changes nothing after the cursor).

    A candidate that is cut short is only chosen if no other candidate fits. Candidates are compared by, in this order:
    a long repetition, errors, changes after the cursor, repetition, unclosed brackets, and length (longer is better).
    """
    reference = Edit(place.offset, 0, "")
    base = faults(reader, reference)
    named = Edit(place.offset, 0, _NAME)
    if sum(base) and sum(with_name := faults(reader, named)) < sum(base):
        reference, base = named, with_name
    meant = reader.kinds(reference, reference.end, place.end + len(reference.insert))

    rest = place.text[place.offset : place.end]
    # With a syntax error, the text after the cursor has no valid meaning to keep. If the model wrote all of it again,
    # what it wrote decides the meaning: `* 2;` alone is a declaration in C, and in `return a * 2;` a product.
    again = any(map(str.isalnum, rest)) and any(
        not each.cut and each.text.rstrip().endswith(rest.strip()) for each in found
    )
    broken = sum(base) > 0 or again or any(each.surely for each in found)

    def scored(candidate: Candidate, errors: int, changed: int, unfinished: bool, syntax: int) -> _Misfit:
        if not candidate.replaced:
            order = 0
        else:
            order = -candidate.replaced if candidate.ends_alike(rest) else candidate.replaced
        changed = 0 if broken else changed
        length = -len(candidate.text)
        return _Misfit(candidate.surely, errors, changed, candidate.repeats, unfinished, order, length, syntax)

    def best(of: Iterable[Candidate]) -> tuple[_Misfit, Candidate] | None:
        """The first of the candidates with the least score. Those that could not have a lesser one are not read."""
        found: tuple[_Misfit, Candidate] | None = None
        for candidate in sorted(of, key=lambda each: scored(each, 0, 0, False, 0)):
            if found and found[0] <= scored(candidate, 0, 0, False, 0):
                break
            score = scored(candidate, *_read(place, reader, candidate, meant))
            found = found if found and found[0] <= score else (score, candidate)
        return found

    def fits(score: _Misfit) -> bool:
        return score.syntax <= base[0] and not (score.changed and reader.code)

    uncut = best(each for each in found if not each.cut)
    assert uncut is not None  # the text as it is is a candidate
    if fits(uncut[0]):
        return uncut[1], True
    cut = best(each for each in found if each.cut)
    # Beside a syntax error the count of errors says little: there, a text is not cut within its brackets.
    if cut and fits(cut[0]) and not (base[0] and cut[0].unfinished):
        return cut[1], True
    return uncut[1], False


def faults(reader: Reader, edit: Edit) -> tuple[int, int]:
    """The syntax errors after an edit, and the brackets and quotes without a partner."""
    return reader.errors(edit), reader.loose(edit)


def _read(place: TextPosition, reader: Reader, candidate: Candidate, meant: list[str]) -> tuple[int, int, bool, int]:
    """The errors of both kinds with a candidate, how many characters after it change their kind, whether it leaves
    brackets open, and the syntax errors alone. The user may close brackets next, so the candidate is also read with
    closers appended. The better reading counts."""
    readings = []
    for tail in dict.fromkeys(("", missing_closers(candidate.text))):
        edit = Edit(place.offset, candidate.replaced, candidate.text + tail)
        stop = place.end + len(edit.insert) - candidate.replaced
        kinds = reader.kinds(edit, edit.end, stop)
        changed = sum(now != then for now, then in zip(kinds, meant[candidate.replaced :], strict=True))
        syntax, loose = faults(reader, edit)
        readings.append((syntax + loose, changed, bool(tail), syntax))
        if readings == [(0, 0, False, 0)]:
            break  # no reading is better
    return min(readings)


class TreeReader:
    """Reads with a syntax tree. Inside a string, a comment or prose, brackets and quotes are counted, too."""

    def __init__(self, part: PartTree, offset: int) -> None:
        self._tree, self._start = part
        self._trees: dict[str, SyntaxTree] = {self._tree.text: self._tree}  # by text: several edits lead to the same
        self.code = self._tree.opaque(offset - self._start) is None

    def errors(self, edit: Edit) -> int:
        return self._edited(edit).errors

    def loose(self, edit: Edit) -> int:
        tree, at = self._edited(edit), edit.offset - self._start
        inside = tree.opaque(at)
        return _loose(_line_of(tree.text, at, at + len(edit.insert), inside)) if inside else 0

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        return self._edited(edit).kinds(start - self._start, end - self._start)

    def _edited(self, edit: Edit) -> SyntaxTree:
        edit = Edit(edit.offset - self._start, edit.delete, edit.insert)
        text = edit.apply(self._tree.text)
        if text not in self._trees:
            self._trees[text] = self._tree.edited(edit)
        return self._trees[text]


class LexerReader:
    """Reads the lines around the cursor with a Pygments lexer, or by brackets and quotes alone if there is no lexer."""

    code = False
    # Lines to read before and after the cursor's. Constructs that a suggestion closes usually begin within them.
    NEAR = 40

    def __init__(self, text: str, offset: int, lexer: object | None) -> None:
        self._start = _lines_back(text, offset, self.NEAR)
        self._text, self._lexer = text, lexer
        self._stop = _lines_on(text, offset, self.NEAR)
        self._read: dict[Edit, tuple[list[str], int]] = {}

    def errors(self, edit: Edit) -> int:
        return 0

    def loose(self, edit: Edit) -> int:
        text = self._near(edit)
        kinds, unread = self._lexed(edit)
        code = "".join(char if kind in (char, "none") else " " for char, kind in zip(text, kinds, strict=True))
        opaque = "".join(char for char, kind in zip(text, kinds, strict=True) if kind == "opaque")
        return _unpaired(code) + _unpaired(opaque) + unread

    def kinds(self, edit: Edit, start: int, end: int) -> list[str]:
        return self._lexed(edit)[0][start - self._start : end - self._start]

    def _near(self, edit: Edit) -> str:
        text = edit.apply(self._text)
        return text[self._start : self._stop + len(edit.insert) - edit.delete]

    def _lexed(self, edit: Edit) -> tuple[list[str], int]:
        """The kinds of the characters near the cursor, and the number of quotes that have no partner."""
        if edit not in self._read:
            text = self._near(edit)
            if self._lexer is None:
                start = text.rfind("\n", 0, edit.offset - self._start) + 1
                end = text.find("\n", edit.end - self._start)
                line = text[start : len(text) if end < 0 else end]
                self._read[edit] = _plain_kinds(text), bool(open_quote(line, ""))
            else:
                self._read[edit] = _lexed(self._lexer, text)
        return self._read[edit]


def _plain_kinds(text: str) -> list[str]:
    return ["blank" if c.isspace() else "word" if c.isalnum() or c == "_" else c for c in text]


def _lexed(lexer: object, text: str) -> tuple[list[str], int]:
    """The kinds of the characters of ``text``, and the number of its parts that the lexer cannot read, such as a quote
    without a partner, also if that string lasts to the end."""
    from pygments.token import Comment, Error, String

    kinds: list[str] = []
    unread = 0
    for _, token, value in lexer.get_tokens_unprocessed(text + _AFTER):  # type: ignore[attr-defined]
        if token in Comment or token in String:
            kind = "quote" if value in QUOTES else "opaque"
            kinds += ["blank" if char.isspace() else kind for char in value]
        else:
            kinds += _plain_kinds(value)
            unread += token in Error
    unread += kinds[len(text) :][-1:] == ["opaque"]
    return (kinds + ["blank"] * len(text))[: len(text)], unread


def _loose(text: str) -> int:
    """How many brackets of ``text`` have no partner, and whether a quote has none."""
    return _unpaired(text) + bool(open_quote(text, ""))


def _unpaired(text: str) -> int:
    closers, openers = unmatched(text)
    return len(closers) + len(openers)


def _line_of(text: str, start: int, end: int, inside: Opaque) -> str:
    """The part of a string or comment that stands on the lines from ``start`` to ``end``."""
    start = max(text.rfind("\n", 0, start) + 1, inside.start)
    end = text.find("\n", end)
    return text[start : min(inside.end, len(text) if end < 0 else end)]


def _lines_back(text: str, offset: int, count: int) -> int:
    for _ in range(count + 1):
        offset = text.rfind("\n", 0, max(offset, 0))
        if offset < 0:
            return 0
    return offset + 1


def _lines_on(text: str, offset: int, count: int) -> int:
    for _ in range(count + 1):
        offset = text.find("\n", offset) + 1
        if offset == 0:
            return len(text)
    return offset - 1
