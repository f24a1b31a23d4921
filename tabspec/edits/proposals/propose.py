"""Next edits by pattern: from a document and the steps that led to it to a chain of proposals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cachetools import LRUCache

from tabspec.edits.edit import ProposedEdit
from tabspec.edits.lessons import digest
from tabspec.edits.proposals.changes import MOST_CHARS as STEP_CHARS
from tabspec.edits.proposals.changes import Change, changes
from tabspec.edits.proposals.counterparts.awaited import awaited
from tabspec.edits.proposals.counterparts.called import called
from tabspec.edits.proposals.counterparts.containers.uses import adapted
from tabspec.edits.proposals.counterparts.declared import declared
from tabspec.edits.proposals.counterparts.delegated import delegated
from tabspec.edits.proposals.counterparts.elements import named_elements
from tabspec.edits.proposals.counterparts.lists import parallel
from tabspec.edits.proposals.counterparts.variants import matched
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.order import as_chain
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.renames.doubts import doubted
from tabspec.edits.proposals.renames.far import far
from tabspec.edits.proposals.renames.leftovers import Rename, is_of_definition, leftovers, renames
from tabspec.edits.proposals.rules import applied, rules
from tabspec.edits.proposals.tokens import Words
from tabspec.edits.step import Step
from tabspec.text import Document

# Patterns are learned from the last steps only: older changes are seldom continued.
LAST_STEPS = 12
# Less probable proposals are dropped: if all are shown, 9 % are right. On projects other than those of the table, 64 %
# of those with a probability of at least 0.5 are right, and 71 % of those with at least 0.7 (by the measure `way`,
# docs/design/edits.md).
LEAST = 0.65
# A longer text is not searched: reading 3,000 lines for the first time takes the 20 ms that a proposal may.
MOST_CHARS = 120_000
# More documents than people have open. The texts are those of the editor, so that this keeps little beside them.
_MOST_KEPT = 64

_kept: LRUCache[tuple[str, str, str, int, bool], tuple[Found, ...]] = LRUCache(_MOST_KEPT)


def propose(
    document: Document, cursor: int, steps: Sequence[Step], others: Sequence[Document] = (), least: float = LEAST
) -> tuple[ProposedEdit, ...]:
    """The chain of edits that follow from the last ``steps``, each at least ``least`` probable.

    ``cursor`` is a code-point offset in ``document``; ``others`` are the other open documents, the one used last first.
    """
    learned = digest(steps)
    found = [each for every in (document, *others) for each in _found(every, steps, learned, every is document)]
    return as_chain(found, (document.uri, document.position(cursor).line), least)


def _found(document: Document, steps: Sequence[Step], learned: int, here: bool) -> tuple[Found, ...]:
    """What `found_in` returns, kept for the last documents: the cursor moves, and an accept changes one of them."""
    key = document.uri, document.language, document.text, learned, here
    found = _kept.get(key)
    if found is None:
        found = _kept[key] = tuple(found_in(document, steps, here))
    return found


def found_in(document: Document, steps: Sequence[Step], here: bool = True) -> Iterator[Found]:
    """What the rules find in one document. ``here``: the user is in it. In the others no change is repeated: 44 of 95
    such proposals were right (docs/decisions/2026-11-29-renames-told-apart.md)."""
    whole = steps[-LAST_STEPS:]  # with what was pasted
    steps = [step for step in steps if step.typed][-LAST_STEPS:]
    if not steps or len(document.text) > MOST_CHARS:
        return
    shown = list(_shown(steps))
    places = Places(document)
    done = _lines(steps)
    names = renames(shown)
    for rename in names:
        if rename.old in document.text:
            written = _written_since(rename, steps)
            uses = [
                *leftovers(rename, document, places, written, steps),
                *far(rename, document, places, written, steps),
            ]
            yield from doubted(uses, rename, steps, places)
    scoped = {rename.old for rename in names if is_of_definition(rename, document, places)}
    words = None
    for rule in rules(shown) if here else ():
        if len(rule.old) == 1 and rule.old[0] in scoped:
            continue
        if not rule.old or all(each in document.text for each in rule.old):
            words = Words(document.text) if words is None else words
            yield from applied(rule, document, words, places, done)
    yield from awaited(steps, document, places)
    yield from matched(steps, document, places)
    yield from declared(whole, document, places)
    small = [step for step in steps if step.chars <= STEP_CHARS]
    yield from parallel(small, document)
    for rule_of_kind in (called, delegated, adapted, named_elements):
        yield from rule_of_kind(small, document, places, done)


def _lines(steps: Sequence[Step]) -> frozenset[str]:
    """The lines that these steps wrote."""
    return frozenset(line for step in steps for line in step.new_lines if line.strip())


def _written_since(rename: Rename, steps: Sequence[Step]) -> frozenset[str]:
    """Lines with which the user may have kept the old name on purpose: lines written before the rename are none."""
    digests = [step.digest for step in steps]
    return _lines(steps[digests.index(rename.shown[0].step.digest) :])


def _shown(steps: Sequence[Step]) -> Iterator[Change]:
    """The changes of lines that were there before these steps. A line that a step inserted may not be finished."""
    written: set[str] = set()
    for step in steps:
        if not step.old or not written.issuperset(line for line in step.old_lines if line.strip()):
            yield from changes(step)
        elif step.new:
            written.update(step.new_lines)
        if not step.old:
            written.update(step.new_lines)
