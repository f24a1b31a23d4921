"""Next edits in a replay: which user makes them, what is counted, and that runs without them do not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.cache.completion_cache import Entry
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource
from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.engine.next_edits.choice import NextEdits
from tabspec.lab.converters.typist import Typist
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.edits import DepthResult
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps, loads
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.actions import Action
from tabspec.replay.users.making import Making, making
from tabspec.replay.users.user import User
from tabspec.text import Edit
from tests.examples import examples


def actions(*edits: Edit | None) -> list[Action]:
    return [Action(0.0, () if edit is None else (edit,), 0) for edit in edits]


TEXT = "old = 1\nprint(old)\n"
LEFTOVER = Edit(14, 3, "new")


@pytest.mark.parametrize(
    ("coming", "expected"),
    [
        ([None, Edit(14, 3, "new")], Making(2, True)),
        ([Edit(14, 3, "n"), Edit(15, 0, "e"), Edit(16, 0, "w"), Edit(0, 0, "x")], Making(3, True)),
        ([Edit(14, 3, "new"), Edit(17, 0, "er")], Making(None, False)),  # the word goes on
        ([Edit(14, 3, "new"), Edit(17, 0, ", 2")], Making(1, True)),
        ([Edit(14, 3, "new"), Edit(14, 3, "old")], Making(None, False)),  # it does not stay
        ([Edit(0, 3, "newer"), Edit(16, 3, "new")], Making(2, False)),  # something else comes first
        ([Edit(13, 2, "")], Making(None, False)),
        ([], Making(None, False)),
    ],
)
def test_whether_a_recording_makes_an_edit(coming: list[Edit | None], expected: Making) -> None:
    assert making(LEFTOVER, TEXT, actions(*coming)) == expected


def test_a_deletion_that_is_typed_over_does_not_count_as_one() -> None:
    coming = actions(Edit(14, 3, ""), Edit(14, 0, "new"))
    assert making(Edit(14, 3, ""), TEXT, coming) == Making(None, False)
    assert making(Edit(14, 3, ""), TEXT, coming[:1]) == Making(1, True)


@settings(max_examples=examples(300))
@given(st.data(), st.text("ab (\n", min_size=4, max_size=20))
def test_edits_of_the_recording_are_in_its_text(data: st.DataObject, text: str) -> None:
    def draw(of: str) -> Edit:
        offset = data.draw(st.integers(0, len(of)))
        return Edit(offset, data.draw(st.integers(0, min(4, len(of) - offset))), data.draw(st.text("ab (", max_size=3)))

    change, now, coming = draw(text), text, []
    for _ in range(data.draw(st.integers(0, 5))):
        edit = draw(now)
        coming += actions(edit)
        now = edit.apply(now)
    found = making(change, text, coming)
    if found.actions is not None and found.alone:
        after = text
        for action in coming[: found.actions]:
            after = action.edits[0].apply(after)
        assert after == change.apply(text)


# --- whole sessions --------------------------------------------------------------------------------------------------

GAP = "\n".join(f"    step_{line}()" for line in range(6)) + "\n"
START = f"def f(count):\n{GAP}    a = count\n{GAP}    b(count)\n{GAP}    return count\n"


def recording(skip: int | None = None) -> Session:
    """A person renames a parameter letter by letter, and then its uses, downwards; one use may be skipped."""
    events, text, t = [], START, 0.0
    at = START.index("count")
    for number in range(4):
        if number != skip:
            for place, edit in enumerate([Edit(at, 5, "t"), *(Edit(at + i, 0, "total"[i]) for i in range(1, 5))]):
                t += 3.0 if place == 0 else 0.1
                events.append(EditEvent(t, (edit,), edit.end))
                text = edit.apply(text)
            at += 5
        at = text.find("count", at + 1)
    events.append(EditEvent(t + 3, (Edit(len(text), 0, "\n"),), len(text) + 1))
    return Session(START, tuple(events), language="python", uri="file:///a.py", name="rename")


def run(session: Session, edits: bool | None, user: User = User.TAB) -> Run:
    model = ScriptedModel(lambda request: "", prefill_s=0.05, token_s=0.01)
    return run_virtual(replay(session, model, Setting(user=user, edits=edits)))


def test_a_chain_saves_effort_and_is_instant() -> None:
    without, found = run(recording(), False), run(recording(), True)
    assert found.edits and found.effort and without.effort and without.edits is None
    assert found.edits.accepted == found.edits.jumps == 3 and found.edits.reverted == 0 == found.edits.refused
    assert without.effort.saved == 0 and found.effort.keys == without.effort.keys - 3 * 6 + 3
    assert (
        found.effort.saved == 3 * 6
    )  # a move, a deletion and four letters each: the last letter of the old name stays
    assert found.by_depth == (DepthResult(1, 1, 1), DepthResult(2, 1, 1), DepthResult(3, 1, 0, 1))
    taken = [record for record in found.timeline if record.accepted]
    assert len(taken) == 3 and all(record.jump and record.edit in tuple(EditSource) for record in taken)


def test_an_edit_that_the_recording_never_makes_is_refused_once() -> None:
    found = run(recording(skip=1), True)
    assert found.edits and found.edits.refused == 1 == found.rejected
    assert found.edits.shown == found.edits.accepted + 1  # the others are shown only where the recording makes them
    never = run(recording(), True, User.TYPE)
    assert never.edits and never.edits.accepted == 0 and never.effort and never.effort.saved == 0


def test_results_are_read_as_they_were_written() -> None:
    found = run(recording(), True)
    text = dumps(ReplayResult((found,)))
    assert '"edits": {"shown":' in text and '"by_depth": [' in text
    assert dumps(loads(text)) == text
    both = pooled([found, found])
    assert both and both.edits and both.edits.accepted == 6 and both.by_depth[0] == DepthResult(1, 2, 2)
    assert pooled([found, replace(found, edits=None)]).edits is None  # type: ignore[union-attr]


def test_without_next_edits_a_result_has_none_of_their_fields() -> None:
    text = dumps(ReplayResult((run(recording(), None),)))
    assert not any(name in text for name in ('"edits"', '"effort"', '"by_depth"', '"depth"', '"jump"'))


@pytest.mark.parametrize("seed", range(4))
def test_the_cache_serves_the_proposals_for_this_state(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On whole sessions: each chain from the completion cache equals what is proposed for the state anew."""
    served = []
    looked_up = NextEdits._entry

    def checked(self: NextEdits, context: EditContext, steps: Sequence[Step], kind: str) -> Entry:
        entry = looked_up(self, context, steps, kind)
        assert entry.edits == propose(context.document, context.offset, steps)
        served.append(entry)
        return entry

    monkeypatch.setattr(NextEdits, "_entry", checked)
    typist = Typist(START, seed)
    typist.write(START.replace("count", "total"))
    typist.write(START.replace("count", "total").replace("step_3()", "step_3(total)"))
    typist.write(START.replace("step_1", "first_step"))
    session = Session(START, tuple(typist.events), language="python", uri="file:///a.py", name="typed")
    found = run(session, True)
    assert found.edits and served and found.stale_served == 0
