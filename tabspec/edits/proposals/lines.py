"""The same lines put before or after lines of one shape: a decorator, an attribute, a call in functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.tokens import is_identifier, tokens
from tabspec.edits.step import Step, lines_of
from tabspec.text import Document, Edit

# Longer runs are pasted rather than repeated by hand.
MOST_LINES = 6
_HOLE = "\0"


@dataclass(frozen=True)
class _Put:
    """Lines that were put beside a line: ``shape`` is that line's tokens, with holes where examples differ."""

    lines: tuple[str, ...]  # without the indentation that all have
    above: bool  # whether they stand above the line
    shape: tuple[str, ...]
    examples: int = 1


def same_lines(steps: Sequence[Step], document: Document) -> Iterator[Found]:
    """Where the same lines may be put again. Two examples are needed to learn the shape of the line beside."""
    known: list[_Put] = []
    for step in steps:
        for put in _puts(step, document):
            for at, other in enumerate(known):
                if (both := _both(other, put)) is not None:
                    known[at] = both
                    break
            else:
                known.append(put)
    for put in reversed([each for each in known if each.examples > 1 and _is_telling(each.shape)]):
        yield from _places(put, document)


def _puts(step: Step, document: Document) -> Iterator[_Put]:
    """The lines that a step put in, with the line below them and the one above."""
    if not step.typed:
        return
    old, new = step.old_lines, step.new_lines
    count = len(new) - len(old)
    if not 0 < count <= MOST_LINES or not "".join(new[:count]).strip():
        return
    if new[count:] == old and old:
        yield _Put(_dedented(new[:count]), True, _tokens(old[0]))
    elif new[: len(old)] == old and old:
        yield _Put(_dedented(new[len(old) :]), False, _tokens(old[-1]))
    elif not old and step.uri == document.uri:
        line = _line_of(step, document)
        if line is not None and line + count < document.line_count:
            yield _Put(_dedented(new), True, _tokens(document.line(line + count)))
        if line:
            yield _Put(_dedented(new), False, _tokens(document.line(line - 1)))


def _line_of(step: Step, document: Document) -> int | None:
    """The line at which the step's lines stand now."""
    at = document.text.find(step.new, max(step.offset - len(step.new), 0))
    at = at if at >= 0 else document.text.find(step.new)
    return document.position(at).line if at >= 0 else None


def _both(a: _Put, b: _Put) -> _Put | None:
    """What two examples have in common; None if they are of different kinds."""
    if a.lines != b.lines or a.above != b.above or len(a.shape) != len(b.shape):
        return None
    shape = tuple(x if x == y else _HOLE for x, y in zip(a.shape, b.shape, strict=True))
    if any(hole == _HOLE and not is_identifier(y) for hole, y in zip(shape, b.shape, strict=True)):
        return None
    return _Put(a.lines, a.above, shape, a.examples + 1)


def _is_telling(shape: Sequence[str]) -> bool:
    return any(is_identifier(each) for each in shape) and len(shape) > 1


def _places(put: _Put, document: Document) -> Iterator[Found]:
    lines = lines_of(document.text)
    anchor = max((each for each in put.shape if each != _HOLE), key=len)
    for number, line in enumerate(lines):
        if anchor not in line or not _fits(put.shape, _tokens(line)):
            continue
        size = len(put.lines)
        beside = lines[max(number - size, 0) : number] if put.above else lines[number + 1 : number + 1 + size]
        if set(map(str.strip, beside)) & {each.strip() for each in put.lines if each.strip()}:
            continue  # they stand there already
        indent = line[: len(line) - len(line.lstrip())]
        text = "".join(f"{indent}{each}\n" if each.strip() else "\n" for each in put.lines)
        start = (
            document.line_starts[number + (not put.above)] if number + 1 < document.line_count or put.above else None
        )
        if start is not None:
            yield Found(
                document,
                Edit(start, 0, text),
                EditSource.SIBLING,
                f"lines-{min(put.examples, 3)}",
            )


def _fits(shape: Sequence[str], line: Sequence[str]) -> bool:
    return len(shape) == len(line) and all(
        x == y or (x == _HOLE and is_identifier(y)) for x, y in zip(shape, line, strict=True)
    )


def _tokens(line: str) -> tuple[str, ...]:
    return tuple(token.text for token in tokens(line))


def _dedented(lines: Sequence[str]) -> tuple[str, ...]:
    full = [line for line in lines if line.strip()]
    size = min((len(line) - len(line.lstrip()) for line in full), default=0)
    return tuple(line[size:] for line in lines)
