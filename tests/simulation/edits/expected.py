"""What has to be offered, computed without a cache: a new call of the proposer, and the gate's rules."""

from __future__ import annotations

from collections import Counter

from tabspec.context import EditContext
from tabspec.edits.chain import at_once
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.gate import repeats, undoes
from tabspec.edits.lessons import agreeing
from tabspec.text import Document

from .proposer import place_of, propose

Place = tuple[str, str, str]


class Expected:
    """Remembers what became of edits. ``unsure`` are documents of which whole lines with refusals were replaced: there
    the engine may or may not remember a refusal."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[EditSource, bool]] = Counter()
        self.unwanted: list[Place] = []
        self.unsure: set[str] = set()

    def became(self, edit: ProposedEdit, taken: bool) -> None:
        self.outcomes[edit.source, taken] += 1

    def refuse(self, place: Place) -> None:
        """The edit at this place was refused or undone."""
        if place not in self.unwanted:
            self.unwanted.append(place)

    def replaced(self, uri: str) -> None:
        """Text with line ends in the document was replaced."""
        if any(place[0] == uri for place in self.unwanted):
            self.unsure.add(uri)

    def closed(self, uri: str) -> None:
        self.unwanted = [place for place in self.unwanted if place[0] != uri]
        self.unsure.discard(uri)

    def edits(self, context: EditContext) -> list[ProposedEdit | None]:
        """What may be offered at ``context``, mostly one; None: nothing."""
        assert context.history is not None
        documents = {each.uri: each for each in (*context.others, context.document)}
        history = agreeing(context.history, documents.values())
        steps = [step for step in history.steps if step.typed and step.source is None]
        chain = propose(context.document, context.offset, steps, context.others)
        found: list[ProposedEdit | None] = []
        for edit in at_once(chain):
            document = documents[edit.uri]
            place, chance = place_of(document, edit), self.probability(edit)
            here = edit.uri == context.uri and edit.change.offset <= context.offset <= edit.change.offset + 1
            if chance <= 0.25 + 1e-12 or (not here and _in_word(context.document, context.offset)):
                continue
            if undoes(edit, document, history) or repeats(edit, document, history):
                continue
            refused = place in self.unwanted or sum(other[2] == place[2] for other in self.unwanted) >= 2
            if refused and not self.unsure:
                continue
            found.append(edit)
            if not self.unsure:
                return found
        return [*found, None]

    def probability(self, edit: ProposedEdit) -> float:
        """An edit's probability after what became of others: it counts as four outcomes."""
        taken, refused = self.outcomes[edit.source, True], self.outcomes[edit.source, False]
        return (4 * edit.probability + taken) / (4 + taken + refused)


def _in_word(document: Document, offset: int) -> bool:
    around = document.text[max(offset - 1, 0) : offset + 1]
    return offset > 0 and len(around) == 2 and all(char.isalnum() or char == "_" for char in around)
