"""Sessions of several documents: next edits in other files, what is open when, and that all texts end as recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.cache.completion_cache import Entry
from tabspec.cli.main import run as command
from tabspec.context import EditContext
from tabspec.edits.edit import EditSource, ProposedEdit
from tabspec.edits.proposals.propose import propose
from tabspec.edits.step import Step
from tabspec.engine.next_edits.choice import NextEdits
from tabspec.errors import SessionError
from tabspec.lab.converters.session_writer import write_session
from tabspec.lab.converters.typist import Typist
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.replay.report.drawing.timeline import details, fold
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps, loads
from tabspec.replay.runner import Setting, first_edits, replay
from tabspec.replay.sessions.session import EditEvent, MarkEvent, Session, SessionEvent
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.sessions.together import together
from tabspec.replay.users.actions import Action, actions_of
from tabspec.replay.users.thinking import Thinking
from tabspec.replay.users.user import Player, User
from tabspec.suggestion import Suggestion
from tabspec.text import Edit
from tests.examples import examples

A, B = "file:///a.py", "file:///b.py"
LOADS = "def load(path):\n    return path\n"
USES = "from a import load\n\n" + "x = 1\n" * 4 + "\nprint(load(x))\n"


def part(text: str, *events: SessionEvent, uri: str = A, opened: float = 0.0, name: str = "") -> Session:
    return Session(text, events, uri=uri, language="python", recording="r", opened=opened, name=name or uri[-4:])


def typed(text: str, old: str, new: str, start: float) -> tuple[str, list[EditEvent]]:
    """``new`` typed over each ``old``, one after another, and the text then."""
    events, t, at = [], start, text.find(old)
    while at >= 0:
        for edit in (Edit(at, len(old), new[0]), *(Edit(at + i, 0, new[i]) for i in range(1, len(new)))):
            events.append(EditEvent(t, (edit,), edit.end))
            text, t = edit.apply(text), t + 0.1
        at, t = text.find(old, at + len(new)), t + 3
    return text, events


def renamed() -> Session:
    """A person renames a function, and then what imports and calls it in another document."""
    _, here = typed(LOADS, "load", "read", 1.0)
    after, there = typed(USES, "load", "read", 8.0)
    end = MarkEvent(20.0, "select", {"cursor": 0})
    (session,) = together([part(LOADS, *here, end), part(USES, *there, uri=B)])
    assert {each.final_text() for each in session.parts} == {after, LOADS.replace("load", "read")}
    return session


def run(session: Session, edits: bool | None = True, user: User = User.TAB) -> Run:
    model = ScriptedModel(lambda request: "", prefill_s=0.05, token_s=0.01)
    return run_virtual(replay(session, model, Setting(user=user, edits=edits)))


def test_tab_goes_to_another_document_and_changes_it() -> None:
    without, found = run(renamed(), False), run(renamed())
    assert found.edits and found.effort and without.effort
    assert (found.edits.accepted, found.edits.elsewhere, found.edits.refused, found.stale_served) == (2, 1, 0, 0)
    # A move, a deletion and four letters each; each Tab is a key, too.
    assert without.effort.keys - found.effort.keys + 2 == found.effort.saved == 2 * 6
    taken = [record for record in found.timeline if record.accepted]
    assert [(record.file, record.edit_file, record.jump) for record in taken] == [
        ("a.py", "b.py", True),
        ("b.py", "", True),
    ]
    assert [record.instant for record in taken] == [True, True]
    assert any(
        "a.py line 1" in text and "in b.py" in text for row in details(fold(found.timeline, 120)) for text in row
    )
    text = dumps(ReplayResult((found,)))
    assert '"elsewhere": 1' in text and dumps(loads(text)) == text


def test_alone_a_document_is_replayed_as_ever() -> None:
    first, second = renamed().parts
    alone = replace(first, others=(), name="a.py")
    text = dumps(ReplayResult((run(alone),)))
    assert not any(name in text for name in ('"elsewhere"', '"file"', '"edit_file"'))
    assert together([alone, replace(second, recording="other")]) == [alone, replace(second, recording="other")]
    assert together([replace(alone, recording=""), replace(second, recording="")])[0].others == ()


def test_documents_are_open_from_when_they_were_opened_until_they_were_closed() -> None:
    texts = {
        A: part("a", *(EditEvent(float(t), (Edit(0, 0, "x"),)) for t in range(1, 8))),
        B: part("b", EditEvent(3.0, (Edit(0, 0, "y"),)), MarkEvent(4.5, "close"), uri=B, opened=2.0),
        "c": part("again", EditEvent(6.5, (Edit(0, 0, "z"),)), uri=B, opened=5.5, name="later"),
    }
    (session,) = together(list(texts.values()))
    player, seen = Player(session, User.TYPE), []
    while not player.done:
        player.perform()
        seen.append((player.document.text, [each.text for each in player.context.others], player.closed))
    assert seen == [
        ("xa", [], ()),
        ("xxa", [], ()),  # what is opened at this moment is opened later
        ("xxxa", ["b"], ()),
        ("yb", ["xxxa"], ()),
        ("xxxxa", ["yb"], ()),
        ("xxxxxa", [], (B,)),
        ("xxxxxxa", ["again"], ()),
        ("zagain", ["xxxxxxa"], ()),
        ("xxxxxxxa", ["zagain"], ()),
    ]


def test_a_document_that_is_opened_again_at_once_was_closed() -> None:
    first = part("a", EditEvent(1.0, (Edit(0, 0, "x"),)), MarkEvent(1.0, "close"))
    again = part("xa", EditEvent(1.0, (Edit(0, 0, "y"),)), opened=1.0, name="again")
    (session,) = together([again, first])
    player, seen = Player(session, User.TYPE), []
    while not player.done:
        player.perform()
        seen.append((player.document.text, player.closed))
    assert seen == [("xa", ()), ("yxa", (A,))]


def test_a_return_to_a_document_is_a_move() -> None:
    def select(t: float, cursor: int) -> MarkEvent:
        return MarkEvent(t, "select", {"cursor": cursor})

    here = part("ab", select(1.0, 2), select(3.0, 2), select(3.5, 2))
    (session,) = together([here, part("c", select(2.0, 0), uri=B)])
    assert actions_of(session) == (Action(1.0, (), 2), Action(2.0, (), 0, part=1), Action(3.0, (), 2))
    player = Player(session, User.TYPE)
    while not player.done:
        player.perform()
    assert player.keys == 3


def test_the_limit_counts_the_edits_of_all_documents() -> None:
    session = renamed()
    cut = first_edits(session, 6)
    assert [len(each.edits) for each in cut.parts] == [4, 2]
    assert first_edits(session, 12) is session
    assert [len(each.edits) for each in first_edits(session, 1).parts] == [1, 0]


def test_a_document_that_was_closed_before_the_limit_is_closed() -> None:
    """The user may have gone through it, and its edits may end long before it was closed."""
    moved, closed = MarkEvent(1.5, "select", {"cursor": 0}), MarkEvent(2.0, "close")
    here = part("a", EditEvent(1.0, (Edit(0, 0, "x"),)), moved, closed)
    there = part("b", *(EditEvent(float(t), (Edit(0, 0, "y"),)) for t in (1.8, 2.0, 3.0)), uri=B, opened=1.7)
    (session,) = together([here, there])
    assert [each.closed for each in session.parts] == [2.0, None]
    cut = [first_edits(session, limit).parts for limit in (1, 2, 3)]
    assert [[each.closed for each in parts] for parts in cut] == [[None, None], [None, None], [2.0, None]]
    assert [len(parts[0].events) for parts in cut] == [1, 2, 3]


def test_files_of_one_recording_are_replayed_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(2)]
    for path, each in zip(paths, renamed().parts, strict=True):
        write_session(replace(each, others=()), path)
    found = [read_session(path) for path in paths]
    assert [(each.recording, each.opened, each.extra) for each in found] == [("r", 0.0, {})] * 2
    (session,) = together(found)
    assert run(session) == replace(run(renamed()), session="0+1")
    assert command(["replay", str(paths[0]), str(paths[0])]) == 2
    assert "0 and 0 record file:///a.py at the same time: give each file once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "event", "problem"),
    [
        ({"recording": 1}, "", "1: the header's 'recording' must be a string"),
        ({"opened": "now"}, "", "1: opened: expected a number"),
        ({"opened": -1}, "", "1: opened: is negative"),
        ({"opened": 3}, '{"t": 2, "kind": "request"}', "2: time 2.0 is before its document was opened (3.0)"),
        ({}, '{"t": 2, "kind": "close"}\n{"t": 2, "edits": []}', "3: an event after the document was closed"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, header: dict[str, object], event: str, problem: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({"format": "tabspec-session", "version": 1, "text": ""} | header) + f"\n{event}\n")
    with pytest.raises(SessionError) as raised:
        read_session(path)
    assert problem in str(raised.value) and str(path) in str(raised.value)


@pytest.mark.parametrize("seed", range(3))
def test_the_cache_serves_the_proposals_for_this_state(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On sessions of two documents: each chain from the cache equals what is proposed anew, with the other document."""
    served, elsewhere = 0, 0
    looked_up = NextEdits._entry

    def checked(self: NextEdits, context: EditContext, steps: Sequence[Step], kind: str) -> Entry:
        nonlocal served, elsewhere
        entry = looked_up(self, context, steps, kind)
        assert entry.edits == propose(context.document, context.offset, steps, context.others)
        served += entry.speculated
        elsewhere += any(edit.uri != context.uri for edit in entry.edits)
        return entry

    monkeypatch.setattr(NextEdits, "_entry", checked)
    here, there = Typist(LOADS, seed), Typist(USES, seed + 9)
    here.write(LOADS.replace("load", "read"))
    later = here.events[-1].t + 3
    there.write(USES.replace("load", "read"))
    here.write(LOADS.replace("load", "read").replace("path", "name"))
    there.write(USES.replace("load", "read").replace("x", "value"))
    events = [replace(event, t=event.t + later) for event in there.events]
    (session,) = together([part(LOADS, *here.events), part(USES, *events, uri=B)])
    found = run(session)
    assert found.edits and served and elsewhere and found.stale_served == 0


# --- properties


@st.composite
def recordings(draw: st.DrawFn) -> Session:
    """Two documents that are edited, left and opened again with another text, in any order."""
    uris = [A, B]
    texts = {uri: draw(st.text("ab\n", max_size=6)) for uri in uris}
    start, events = dict(texts), {uri: list[SessionEvent]() for uri in uris}
    parts: list[Session] = []
    t, opened = 0.0, {uri: 0.0 for uri in uris}
    for _ in range(draw(st.integers(1, 14))):
        uri = draw(st.sampled_from(uris))
        text = texts[uri]
        t += draw(st.integers(0, 8)) / 8
        offset = draw(st.integers(0, len(text)))
        kind = draw(st.sampled_from(["edit"] * 6 + ["select", "close"]))
        if kind == "close":
            parts.append(part(start[uri], *events[uri], MarkEvent(t, "close"), uri=uri, opened=opened[uri]))
            t += 1
            texts[uri] = start[uri] = draw(st.text("ab\n", max_size=6))
            events[uri], opened[uri] = [], t
        elif kind == "select":
            events[uri].append(MarkEvent(t, "select", {"cursor": offset}))
        else:
            size = draw(st.integers(0, min(3, len(text) - offset)))
            edit = Edit(offset, size, draw(st.text("ab\n", max_size=3)))
            texts[uri] = edit.apply(text)
            events[uri].append(EditEvent(t, (edit,), edit.end))
    parts += [part(start[uri], *events[uri], uri=uri, opened=opened[uri]) for uri in uris]
    (session,) = together(parts)
    return session


@settings(max_examples=examples(150))
@given(recordings(), st.data())
def test_all_documents_end_as_the_recording_does(session: Session, data: st.DataObject) -> None:
    """Whatever is offered, in whatever document. Oracle: the edits of each file, one after another."""
    player, now = Player(session, User.TAB, think=Thinking(0.6)), 0.0
    seen: dict[int, str] = {}
    while not player.done:
        if data.draw(st.booleans(), "offer"):
            document = data.draw(st.sampled_from([player.document, *player.context.others]), "document")
            size = len(document.text)
            coming = [
                action.edits[0]
                for action in player._actions[player._at :][:3]
                if action.edits and session.parts[action.part].uri == document.uri
            ]
            start = data.draw(st.integers(0, size))
            other = Edit(start, data.draw(st.integers(0, size - start)), data.draw(st.text("ab\n", max_size=3)))
            change = data.draw(st.sampled_from([*coming, other]), "change")
            if change.offset + change.delete <= size:
                edit = ProposedEdit(document.uri, change, change.end, EditSource.RENAME, 0.9)
                player.offer(Suggestion.of(edit), now)
        step = player.perform()
        assert step.time >= now - 1e-9 and 0 <= player.cursor <= len(player.document.text)
        now, seen[player._part] = step.time, player.document.text
    ends = {number: one.final_text() for number, one in enumerate(session.parts)}
    assert seen == {number: ends[number] for number in seen}
    assert all(number in seen for number, one in enumerate(session.parts) if one.text != ends[number])
    assert player.texts.items() <= {(one.uri, ends[number]) for number, one in enumerate(session.parts)}


@settings(max_examples=examples(150))
@given(recordings(), st.integers(1, 14))
def test_a_limit_cuts_all_documents_at_one_time(session: Session, limit: int) -> None:
    """Oracle: the time of the last edit, by which all other events are kept or not."""
    cut = first_edits(session, limit)
    made = sorted((event.t, at) for at, each in enumerate(session.parts) for event in each.edits)
    assert sorted((event.t, at) for at, each in enumerate(cut.parts) for event in each.edits) == made[:limit]
    if limit < len(made):
        end = made[limit - 1][0]
        for whole, each in zip(session.parts, cut.parts, strict=True):
            assert each.events == whole.events[: len(each.events)]
            assert all(event.t <= end for event in each.events)
            assert all(event.t >= end for event in whole.events[len(each.events) :])
            closed = whole.closed is not None and whole.closed <= end and each.edits == whole.edits
            assert each.closed == (whole.closed if closed else None)
