"""Reasons to doubt that a use of the old name follows a rename.

In 32 git histories 60 % of the edits with such a reason were right by tokens, and 87 % of those without
(docs/decisions/2026-11-30-doubtful-renames.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.places import Places
from tabspec.edits.proposals.probabilities import probability
from tabspec.edits.proposals.renames.leftovers import Rename, is_inside
from tabspec.edits.proposals.tokens import occurrences
from tabspec.edits.step import Step

# The case of a doubtful use in the table of probabilities.
DOUBTFUL = "doubtful"
# The uses of a name that one function or class knows are near its definition. After so many other steps, 67 % of these
# edits were right.
GONE_ON = 2


def doubted(found: Iterable[Found], rename: Rename, steps: Sequence[Step], places: Places) -> Iterator[Found]:
    """What was ``found`` after a rename in the document of ``places``, as doubtful where there is a reason."""
    doubtful = _has_gone(rename, steps) or _is_too_early(rename, steps, places)
    for each in found:
        if doubtful and probability(each.source, each.bucket) > probability(each.source, DOUBTFUL):
            yield replace(each, bucket=DOUBTFUL)
        else:
            yield each


def _has_gone(rename: Rename, steps: Sequence[Step]) -> bool:
    """Whether the old name went away somewhere without the new one: it may go away at the other places, too."""
    return any(_added(rename.old, step) < 0 and not occurrences(step.new, rename.new) for step in steps)


def _is_too_early(rename: Rename, steps: Sequence[Step], places: Places) -> bool:
    """Whether a second example is needed: the new name was written where the old one was not, or the name is known in
    one function or class only and the user has gone on with something else."""
    examples = {change.step.digest for change in rename.shown}
    if len(examples) > 1:
        return False
    others = [step for step in steps if step.digest not in examples]
    if any(_added(rename.new, step) > 0 and not _added(rename.old, step) for step in others):
        return True
    last = max(number for number, step in enumerate(steps) if step.digest in examples)
    since = sum(step.old.split() != step.new.split() for step in steps[last + 1 :])  # a line indented is no other work
    return since >= GONE_ON and is_inside(rename, places)


def _added(name: str, step: Step) -> int:
    return len(occurrences(step.new, name)) - len(occurrences(step.old, name))
