"""From the changes that the rules found to a chain: one proposal for each place, the nearest first."""

from __future__ import annotations

from collections.abc import Sequence

from tabspec.edits.edit import EditSource, ProposedEdit, chained
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.probabilities import probability
from tabspec.text import Document, Edit

# Changes with at most so many lines between them are one proposal: the context that git and editors show around a
# change is three lines, so that these are seen together.
GAP = 2
# Counterparts of one change are needed together, or the code between does not compile: the end of one method and the
# head of the next, with an empty line, do not part them.
COUNTERPART_GAP = 4
# What is offered at once has to be read at a glance.
MOST_LINES = 12
# A place so close above the cursor comes before one farther below: it is on the screen, beside what was just written.
NEAR = 5


def as_chain(found: Sequence[Found], cursor: tuple[str, int], least: float) -> tuple[ProposedEdit, ...]:
    """The chain: nearest first, then down, then from the file's top, then the other documents. ``cursor`` is a document
    and a line; what is less probable than ``least`` is left out."""
    uri, line = cursor
    sure = [each for each in _disjoint(found) if probability(each.source, each.bucket) >= least]
    here = _grouped([each for each in sure if each.document.uri == uri])
    below = [group for group in here if group[-1].last_line >= line]
    above = [group for group in here if group[-1].last_line < line]
    nearest = above[-1:] if above and _is_nearer(above[-1], below, line) else []
    ordered = [*nearest, *below, *(group for group in above if group not in nearest)]
    others = dict.fromkeys(each.document.uri for each in sure if each.document.uri != uri)
    for other in others:
        ordered += _grouped([each for each in sure if each.document.uri == other])
    return _proposed(ordered)


def _is_nearer(above: Sequence[Found], below: Sequence[Sequence[Found]], line: int) -> bool:
    distance = line - above[-1].last_line
    return distance <= NEAR and (not below or distance < below[0][0].line - line)


def _disjoint(found: Sequence[Found]) -> list[Found]:
    """Without what overlaps something more probable; in the order of documents and places."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda item: (item.document.uri, item.change.offset, item.stop)):
        last = kept[-1] if kept else None
        if last is None or last.document.uri != each.document.uri or not _overlap(last, each):
            kept.append(each)
        elif probability(each.source, each.bucket) > probability(last.source, last.bucket):
            kept[-1] = each
    return kept


def _overlap(first: Found, second: Found) -> bool:
    """Whether two changes cannot both be made; the second begins no earlier."""
    return second.change.offset < first.stop or second.change.offset == first.change.offset


def _grouped(found: Sequence[Found]) -> list[list[Found]]:
    """Neighbouring changes of one document together."""
    groups: list[list[Found]] = []
    for each in found:
        last = groups[-1][-1] if groups else None
        together = last is not None and {last.source, each.source} == {EditSource.COUNTERPART}
        gap = COUNTERPART_GAP if together else GAP
        if (
            last is not None
            and each.line - last.last_line <= gap + 1
            and each.last_line - groups[-1][0].line < MOST_LINES
        ):
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _proposed(groups: Sequence[Sequence[Found]]) -> tuple[ProposedEdit, ...]:
    """Each group as one edit of the document as it is after the groups before it."""
    made: list[ProposedEdit] = []
    moves: dict[str, list[tuple[int, int]]] = {}
    for group in groups:
        document, source = group[0].document, group[0].source
        edit = _joined(document, [each.change for each in group])
        known = moves.setdefault(document.uri, [])
        offset = edit.offset + sum(grown for at, grown in known if at <= edit.offset)
        known.append((edit.offset, len(edit.insert) - edit.delete))
        chance = min(probability(each.source, each.bucket) for each in group)
        moved = Edit(offset, edit.delete, edit.insert)
        made.append(ProposedEdit(document.uri, moved, moved.end, source, chance))
    return chained(tuple(made))


def _joined(document: Document, edits: Sequence[Edit]) -> Edit:
    """Several changes of one text as one."""
    start, stop = edits[0].offset, max(edit.offset + edit.delete for edit in edits)
    text = ""
    at = start
    for edit in edits:
        text += document.text[at : edit.offset] + edit.insert
        at = edit.offset + edit.delete
    return Edit(start, stop - start, text + document.text[at:stop])
