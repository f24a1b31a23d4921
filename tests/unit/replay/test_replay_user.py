"""Simulated users: whatever is offered and accepted on the way, the document ends as the recording does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.errors import PositionError
from tabspec.replay.sessions.session import (
    ACCEPT_REASON,
    ChangeReason,
    EditEvent,
    MarkEvent,
    Selection,
    Session,
    Side,
)
from tabspec.replay.users.actions import Action, actions_of
from tabspec.replay.users.thinking import Thinking
from tabspec.replay.users.user import Agreement, Player, StepKind, User, UserStep, agreement
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit, apply_edits
from tests.examples import examples


def typing(text: str, at: int, start: float = 0.0, gap: float = 0.2) -> list[EditEvent]:
    return [EditEvent(start + i * gap, (Edit(at + i, 0, char),)) for i, char in enumerate(text)]


def context(text: str, offset: int) -> EditContext:
    return EditContext(Document("file:///a", text), offset)


def acts(*edits: tuple[int, int, str]) -> list[Action]:
    return [Action(float(i), (Edit(*edit),), edit[0] + len(edit[2])) for i, edit in enumerate(edits)]


# What is coming, what is offered at offset 3 of "foo)\nend", and what the user makes of it.
CASES = {
    "typed singly": (acts((3, 0, "b"), (4, 0, "a")), Suggestion("ba"), Agreement(2)),
    "a part of it": (acts((3, 0, "b"), (4, 0, "a")), Suggestion("b"), Agreement(1)),
    "more than comes": (acts((3, 0, "b"), (4, 0, "a")), Suggestion("bar"), None),
    "something else": (acts((3, 0, "b"), (4, 0, "a")), Suggestion("bx"), None),
    "with a correction": (acts((3, 0, "b"), (4, 0, "x"), (4, 1, ""), (4, 0, "a")), Suggestion("ba"), Agreement(4)),
    "written at once": (acts((3, 0, "bar()")), Suggestion("bar"), Agreement(1, "()")),
    "closed by the editor": (acts((3, 0, "("), (4, 0, ")"), (4, 0, "x")), Suggestion("(x)"), Agreement(3)),
    "leaves the place first": (acts((3, 0, "b"), (0, 0, "#"), (5, 0, "a")), Suggestion("ba"), None),
    "deletes before": (acts((2, 1, ""), (2, 0, "o"), (3, 0, "b")), Suggestion("b"), None),
    "deletes behind": (acts((3, 1, ""), (3, 0, "b")), Suggestion("b"), None),
    "starts elsewhere": (acts((0, 0, "b")), Suggestion("b"), None),
    "replaces behind": (acts((3, 0, "x")), Suggestion("x)", replace_after=1), Agreement(1)),
    "would delete behind": (acts((3, 0, "x")), Suggestion("x", replace_after=1), None),
    "replaces before": (acts((3, 0, "t")), Suggestion("foot", replace_before=3), Agreement(1)),
    "replaces before and rewrites": (
        acts((1, 2, ""), (1, 0, "it")),
        Suggestion("fit", replace_before=3),
        Agreement(2),
    ),
    "deletes only": (acts((3, 1, "")), Suggestion("", replace_after=1), Agreement(1)),
    "would delete what is kept": (acts((3, 0, "x")), Suggestion("", replace_after=1), None),
    "nothing comes": ([], Suggestion("x"), None),
    "one that moves first": ([Action(0.0, (), 0), *acts((3, 0, "b"))], Suggestion("b"), Agreement(2)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_user_agrees_with_suggestions_of_the_recording(case: str) -> None:
    coming, suggestion, expected = CASES[case]
    assert agreement(context("foo)\nend", 3), suggestion, coming) == expected


def test_the_user_presses_tab_after_thinking_and_types_with_recorded_gaps() -> None:
    events = [EditEvent(7.0, (Edit(0, 0, "d"),)), *typing("ef foo():", 1, start=7.5), *typing("!", 10, start=12.0)]
    player = Player(Session("", tuple(events)), User.TAB, think=Thinking(0.6))
    assert player.next_event() == UserStep(0.0, StepKind.TYPE, (Edit(0, 0, "d"),), 1)
    player.perform()
    assert player.offer(Suggestion("ef foo():"), shown_at=0.1) == pytest.approx(0.7)
    step = player.next_event()
    assert step == UserStep(0.7, StepKind.ACCEPT, (Edit(1, 0, "ef foo():"),), 10)  # nothing is typed meanwhile
    assert player.accept() == step
    assert player.context.prefix == "def foo():"
    step = player.next_event()
    assert step is not None and step.time == pytest.approx(0.7 + (12.0 - 9.1))
    player.perform()
    assert player.done and player.next_event() is None
    assert (player.tabs, player.typed_chars, player.accepted_chars) == (1, 2, 9)
    with pytest.raises(ValueError, match="over"):
        player.perform()


def test_the_rest_of_a_paste_is_typed_after_its_gap() -> None:
    session = Session(
        "", (EditEvent(1.0, (Edit(0, 0, "a"),)), EditEvent(3.0, (Edit(1, 0, "bcd"),), 2), *typing("!", 4, 3.5))
    )
    player = Player(session, User.TAB, think=Thinking(0.5))
    player.perform()
    player.offer(Suggestion("b"), 0.2)
    player.accept()
    assert player.next_event() == UserStep(0.7 + 2.0, StepKind.TYPE, (Edit(2, 0, "cd"),), 2)
    # A suggestion may agree with that rest and what comes behind it, too.
    assert player.offer(Suggestion("cd!"), 0.8) == pytest.approx(1.3)
    player.accept(now=1.4)
    assert player.done and player.document.text == "abcd!" and player.accepted_chars == 4


def test_an_offer_is_replaced_or_withdrawn() -> None:
    player = Player(Session("", tuple(typing("abc", 0))), User.TAB, think=Thinking(0.6))
    assert player.offer(Suggestion("abc"), 0.0) == 0.6
    assert player.offer(Suggestion("abc"), 0.3) == 0.6  # the same: already being read
    assert player.offer(Suggestion("ab"), 0.3) == pytest.approx(0.9)
    assert player.offer(Suggestion("x"), 0.4) is None
    step = player.next_event()
    assert step is not None and step.kind is StepKind.TYPE
    player.offer(Suggestion("ab"), 0.3)
    player.withdraw()
    with pytest.raises(ValueError, match="no suggestion"):
        player.accept()
    with pytest.raises(PositionError):
        player.offer(Suggestion("x", replace_before=5), 0.5)


def test_the_typing_user_never_accepts() -> None:
    player = Player(Session("", tuple(typing("abc", 0))), User.TYPE)
    assert player.offer(Suggestion("abc"), 0.0) is None
    assert player.offer(Suggestion(""), 0.0) is None


def recorded_session() -> Session:
    side = Side((ChangeReason(1, ACCEPT_REASON), ChangeReason(2, "snippet"), ChangeReason(3, ACCEPT_REASON)))
    events = (
        EditEvent(5.0, (Edit(0, 0, "f"),)),
        EditEvent(6.0, (Edit(0, 1, "foo()"),)),  # an editor writes an accepted suggestion over the line's beginning
        EditEvent(7.0, (Edit(5, 0, "\n"),)),
        EditEvent(8.0, (Edit(6, 0, "bar"),)),
    )
    return Session("", events, side=side)


def test_the_recorded_user_presses_tab_where_the_person_did() -> None:
    player = Player(recorded_session(), User.RECORDED)
    assert player.offer(Suggestion("f"), 0.0) is None  # was typed
    player.perform()
    assert player.offer(Suggestion("ou"), 0.1) is None  # not what the person accepted
    assert player.offer(Suggestion("oo()"), 0.2) == 1.0  # when the person did
    player.accept()
    player.perform()
    assert player.offer(Suggestion("bar"), 3.4) == 3.4  # later than the person had it: as soon as it is there
    player.accept()
    assert player.done and player.document.text == "foo()\nbar"
    assert (player.tabs, player.accepted_chars, player.typed_chars) == (2, 7, 2)


def test_the_recorded_user_without_suggestions_types() -> None:
    player = Player(recorded_session(), User.RECORDED)
    while not player.done:
        player.perform()
    assert player.document.text == "foo()\nbar" and player.tabs == 0 and player.accepted_chars == 0


def test_cursor_moves_are_steps_but_those_of_edits_are_not() -> None:
    side = Side((Selection(0.9, -1, ((2, 2),)), Selection(1.001, 0, ((3, 3),)), Selection(2.0, 0, ((0, 1),))))
    session = Session("abc", (EditEvent(1.0, (Edit(2, 0, "()"),)), MarkEvent(3.0, "select", {"cursor": 5})), side=side)
    assert actions_of(session) == (
        Action(0.9, (), 2),
        Action(1.0, (Edit(2, 0, "()"),), 3),
        Action(2.0, (), 1),
        Action(3.0, (), 5),
    )


def test_edits_are_reduced_to_what_they_change() -> None:
    events = (
        EditEvent(1.0, (Edit(0, 2, "abc"),)),
        EditEvent(2.0, (Edit(0, 3, "abc"),)),  # an editor finishes a word that is finished
        EditEvent(3.0, (Edit(0, 3, "abc"),), 1),
        EditEvent(4.0, (Edit(0, 3, "axc"),)),
    )
    assert actions_of(Session("ab", events)) == (
        Action(1.0, (Edit(2, 0, "c"),), 3),
        Action(3.0, (), 1),
        Action(4.0, (Edit(1, 1, "x"),), 3),
    )


# -- properties


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Bursts of typing with corrections, brackets that close themselves, pastes, jumps and deletions."""
    text = draw(st.text("ab(\n", max_size=6))
    start, t = text, 0.0
    events: list[EditEvent] = []
    cursor = 0
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(["type"] * 5 + ["back", "pair", "paste", "jump", "cut", "two"]))
        if kind == "jump":
            cursor = draw(st.integers(0, len(text)))
            continue
        if kind == "back" and cursor:
            edits = [Edit(cursor - 1, 1, "")]
        elif kind == "cut":
            edits = [Edit(cursor, draw(st.integers(0, len(text) - cursor)), "")]
        elif kind == "two":
            edits = [Edit(cursor, 0, "\n "), Edit(0, 0, "b")]
        else:
            edits = [Edit(cursor, 0, {"pair": "()", "paste": "ab\na"}.get(kind) or draw(st.sampled_from("ab")))]
        text = apply_edits(text, edits)
        t += draw(st.floats(0, 2))
        cursor = edits[0].offset + (1 if kind == "pair" else len(edits[0].insert)) + (kind == "two")
        events.append(EditEvent(t, tuple(edits), cursor))
    accepts = draw(st.sets(st.integers(0, max(len(events) - 1, 0))))
    side = Side(tuple(ChangeReason(number, ACCEPT_REASON) for number in sorted(accepts)))
    return Session(start, tuple(events), side=side)


def future(player: Player, states: list[str], steps: int) -> str:
    """Brute force: what stands at the cursor some steps from now, if all before and behind it is as now."""
    prefix, suffix = player.context.prefix, player.context.suffix
    text = states[min(len(states) - 1, steps)]
    if text.startswith(prefix) and text.endswith(suffix) and len(text) >= len(prefix) + len(suffix):
        return text[len(prefix) : len(text) - len(suffix)]
    return ""


@settings(max_examples=examples(300))
@given(sessions(), st.sampled_from(User), st.data())
def test_the_document_ends_as_the_recording_does(session: Session, user: User, data: st.DataObject) -> None:
    states = [session.text]
    for event in session.edits:
        text = apply_edits(states[-1], event.edits)
        states += [text] if text != states[-1] else []
    player = Player(session, user, think=Thinking(0.6))
    now = 0.0
    offers = 0
    while not player.done:
        if data.draw(st.booleans(), "offer") and offers < 50:
            offers += 1
            if data.draw(st.booleans(), "agreeing"):
                done = sum(1 for action in player._actions[: player._at] if action.edits)
                text = future(player, states, done + data.draw(st.integers(1, 6)))
                text = text[: data.draw(st.integers(0, len(text)))]
                suggestion = Suggestion(text)
            else:
                before = data.draw(st.integers(0, player.cursor))
                after = data.draw(st.integers(0, len(player.document.text) - player.cursor))
                suggestion = Suggestion(data.draw(st.text("ab(\n)", max_size=4)), before, after)
            tab = player.offer(suggestion, now)
            if tab is not None:
                assert user is not User.TYPE and tab >= now
                assert user is not User.TAB or tab == pytest.approx(now + 0.6) or tab <= now + 0.6
        planned = player.next_event()
        assert planned is not None and planned.time >= now - 1e-9
        step = player.perform()
        assert step == planned
        now = step.time
        assert 0 <= player.cursor <= len(player.document.text)
        if player._rest is None:  # otherwise between two recorded states
            done = sum(1 for action in player._actions[: player._at] if action.edits)
            assert player.document.text == states[done]
    assert player.document.text == session.final_text() == states[-1]
    if user is User.TYPE:
        assert player.tabs == 0 and player.accepted_chars == 0
        assert player.typed_chars == sum(len(edit.insert) for event in session.edits for edit in event.edits)


@settings(max_examples=examples(200))
@given(sessions(), st.integers(1, 8))
def test_a_prefix_of_the_recorded_future_is_always_accepted(session: Session, steps: int) -> None:
    """Plain typing at one place: each prefix of the future text is accepted, as a text comparison decides."""
    events = tuple(typing("abab(ab)", 0)[:steps])
    player = Player(Session(session.text, events), User.TAB)
    written = "abab(ab)"[:steps]
    for length in range(1, steps + 1):
        assert player.offer(Suggestion(written[:length]), 0.0) is not None
        assert player.offer(Suggestion(written[: length - 1] + "x"), 0.0) is None


def test_long_sessions_are_replayed_quickly(tmp_path: Path) -> None:
    text = "x = compute(alpha, beta)\n" * 40
    player = Player(Session("", tuple(typing(text, 0))), User.TAB, think=Thinking(0.1))
    while not player.done:
        now = player.next_event()
        assert now is not None
        rest = text[player.cursor :].split("\n", 1)[0]
        if rest and player.cursor % 3 == 0:
            player.offer(Suggestion(rest), now.time)
        player.perform()
    assert player.document.text == text and player.accepted_chars > len(text) / 2
