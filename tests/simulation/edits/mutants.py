"""Bugs to plant in next edits. The simulation has to find each of them."""

from __future__ import annotations

from ..mutant import Mutant

_EDITS = "engine.next_edits.choice:NextEdits."
_MODULE = "engine.next_edits.choice:"
_GATE = "edits.gate:"

MUTANTS = (
    Mutant("accepted edits teach", _MODULE + "lessons", "if step.teaches", "if step.typed"),
    Mutant("pastes teach", _MODULE + "lessons", "if step.teaches", "if step.source is None"),
    Mutant("proposals are kept whatever the user did", _MODULE + "_scope", "digest(steps)", "0"),
    Mutant("what follows is not computed ahead", _EDITS + "fill", "self._cache is not None", "False"),
    Mutant("the history wins over the document", _MODULE + "agreed",
           "agreeing(context.history, (*context.others, context.document))", "context.history"),
    Mutant("a refusal is forgotten", _EDITS + "refused", "self._refusals.refused(edit, document)", "self._refusals"),
    Mutant("an undone edit comes back", _EDITS + "changed", "self._refusals.undone(context.history)",
           "self._refusals"),
    Mutant("refusals stay at their offset", _EDITS + "changed",
           "self._refusals.changed(context.uri, _changes(before, context))", "self._refusals"),
    Mutant("the same change is offered at every place", _GATE + "Refusals.hold", ">= _SAME_CHANGE", ">= 99"),
    Mutant("outcomes do not count", _EDITS + "_first_shown", "self._experience.adjusted(proposed)", "proposed"),
    Mutant("an accept counts as a refusal", _EDITS + "accepted", "accepted=True", "accepted=False"),
    Mutant("an edit jumps in the midst of a word", _MODULE + "is_shown", "if jumps and in_word(here, offset):",
           "if False:"),
    Mutant("what the user took back is offered again", _MODULE + "is_shown", "undoes(edit, document, history)",
           "False"),
    Mutant("the second edit of a chain is offered where it is after the first", "edits.chain:_without",
           "change.offset - len(before.insert) + before.delete", "change.offset"),
    Mutant("an edit does not wait for a pause", _EDITS + "answer", "await self._pause(request)", "pass"),
    Mutant("an unlikely edit always wins", _EDITS + "answer",
           "answer.reason in _OVER or not _is_better(edit, context, answer.suggestion)", "answer.reason in _OVER"),
    Mutant("a completion always wins", _MODULE + "_is_better", "if completion is None:", "if completion is not None:"),
    Mutant("a move of the cursor costs nothing", _MODULE + "_is_better", "effort(edit.change, moves)",
           "effort(edit.change, False)"),
)  # fmt: skip
