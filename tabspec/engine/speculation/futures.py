"""The futures of a shown suggestion: what the user may do next, and how likely that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tabspec.context import EditContext
from tabspec.fitting.truncation import line_before, rest_of_line
from tabspec.suggestion import Suggestion
from tabspec.text import uses_crlf


class FutureKind(StrEnum):
    """What the user does in a future."""

    ACCEPT = "accept"  # takes the suggestion
    ACCEPT_ENTER = "accept_enter"  # takes it and begins a new line
    ACCEPT_LINE = "accept_line"  # takes its first line only
    ENTER = "enter"  # begins a new line instead
    REST = "rest"  # stays where the cursor is: the place is asked for before anything is typed there


# Of the suggestions taken, the share that was followed by this; of those refused, for ENTER; of the places where a
# cursor was put, for REST, those where typing went on as suggested. Counted on twelve development sessions: 4 of 374,
# none of 374, 2 of 3,200 and, in two ways to replay them, 4 of 880. docs/decisions/2026-11-25-price.md.
SHARES: Mapping[FutureKind, float] = {
    FutureKind.ACCEPT_ENTER: 0.01,
    FutureKind.ACCEPT_LINE: 0.002,
    FutureKind.ENTER: 0.0006,
    FutureKind.REST: 0.005,
}

# Of the places where a cursor was put, the share where the next thing was that something was typed there: 86 of 761 in
# the one development session that recorded its cursors (67 of 493 where it stayed for 200 ms).
TYPED_AT_REST = 0.11


@dataclass(frozen=True, slots=True)
class Future:
    """``step`` is the text that leads to it, as a suggestion to accept; ``probability`` that it comes."""

    kind: FutureKind
    step: Suggestion
    probability: float


Wanted = Callable[[FutureKind, float], bool]
"""Whether a future of this kind and probability is of interest."""


def futures(
    context: EditContext, suggestion: Suggestion, accept: float, wanted: Wanted = lambda _kind, _probability: True
) -> Iterator[Future]:
    """The futures of ``suggestion`` at ``context`` that are ``wanted``, given the probability that it is accepted.

    What an unwanted one would be is not found out: for the indentation behind an accept, that copies the document.
    """
    if wanted(FutureKind.ACCEPT, accept):
        yield Future(FutureKind.ACCEPT, suggestion, accept)
    accept_enter, accept_line = accept * SHARES[FutureKind.ACCEPT_ENTER], accept * SHARES[FutureKind.ACCEPT_LINE]
    typed_enter = (1 - accept) * SHARES[FutureKind.ENTER]
    enters = wanted(FutureKind.ACCEPT_ENTER, accept_enter), wanted(FutureKind.ENTER, typed_enter)
    if any(enters) and not rest_of_line(context)[suggestion.replace_after :].strip():
        # Where something stands behind the cursor, Enter would split the line.
        line_end = "\r\n" if uses_crlf(context.document.text) else "\n"
        if enters[0]:
            after = context.after_accept(suggestion)
            enter = replace(suggestion, text=suggestion.text + line_end + auto_indent(after))
            yield Future(FutureKind.ACCEPT_ENTER, enter, accept_enter)
        if enters[1] and line_before(context).strip() and not suggestion.text.startswith(("\r", "\n")):
            yield Future(FutureKind.ENTER, Suggestion(line_end + auto_indent(context)), typed_enter)
    if wanted(FutureKind.ACCEPT_LINE, accept_line) and (line := suggestion.first_line()) != suggestion:
        yield Future(FutureKind.ACCEPT_LINE, line, accept_line)


def auto_indent(context: EditContext) -> str:
    """The white space that an editor puts after Enter: that of the line, one level more behind an opening character."""
    line = line_before(context)
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    opens = line.rstrip().endswith(("{", "(", "[", ":"))
    return indent + ("\t" if indent.startswith("\t") else "    ") if opens else indent
