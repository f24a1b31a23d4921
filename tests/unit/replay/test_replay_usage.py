"""Statistics of real use, from a recorded session's marks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabspec.cli.main import run
from tabspec.lab.converters.session_writer import write_session
from tabspec.replay.results.usage import figures, row, total, usage_of
from tabspec.replay.sessions.session import EditEvent, MarkEvent, Session, SessionEvent
from tabspec.replay.sessions.session_file import read_session, session_files
from tabspec.replay.sessions.together import together
from tabspec.text import Edit


def typed(t: float, offset: int, text: str) -> EditEvent:
    return EditEvent(t, (Edit(offset, 0, text),))


def shown(t: float, source: str, waited: float) -> MarkEvent:
    return MarkEvent(t, "show", {"source": source, "waited_ms": waited, "text": "x"})


def mark(t: float, kind: str, **data: object) -> MarkEvent:
    return MarkEvent(t, kind, data)


EVENTS: tuple[SessionEvent, ...] = (
    typed(0.0, 0, "ab"),
    mark(0.1, "request", cursor=2),
    shown(0.2, "model", 60.0),
    mark(1.0, "accept", text="cdef"),
    typed(1.0, 2, "cdef"),
    mark(1.1, "request", cursor=6),
    shown(1.1, "speculated", 0.5),
    mark(2.0, "partial_accept", text="gh"),
    typed(2.0, 6, "gh"),
    mark(2.1, "request", cursor=8),
    shown(2.1, "type_through", 0.25),
    mark(3.0, "accept", text="ij"),
    typed(3.0, 8, "ij"),
    mark(3.1, "request", cursor=10),  # and nothing to suggest there
    typed(4.0, 10, "kl"),
    mark(4.1, "request", cursor=12),
    shown(4.2, "joined", 30.0),
    mark(5.0, "reject", text="x"),
)


def test_counts_of_recorded_sessions() -> None:
    found = usage_of(Session("", EVENTS))
    assert (found.requests, found.shown, found.instant) == (5, 4, 2)
    assert (found.accepted, found.parts, found.rejected) == (3, 1, 1)
    assert (found.tabs, found.instant_tabs, found.silent_tabs) == (3, 2, 1)
    assert found.tab_waits == [0.5, 0.25]
    assert (found.inserted, found.accepted_chars) == (12, 8)
    assert found.seconds == 5.0


def test_a_session_that_ends_with_an_accept() -> None:
    assert usage_of(Session("", EVENTS[:5])).tabs == 0
    assert usage_of(Session("", EVENTS[:6])).silent_tabs == 1


def test_several_sessions_are_added_up() -> None:
    once, twice = usage_of(Session("", EVENTS)), total([usage_of(Session("", EVENTS))] * 2)
    assert (twice.requests, twice.tabs, twice.instant, twice.inserted) == (10, 6, 4, 24)
    assert row(twice)[2] == row(once)[2] == "50%"
    assert row(usage_of(Session("")))[2] == ""
    assert dict(figures(twice))["accepts followed by the next at once"] == "4 of 6; after 2 nothing followed"


def edit_shown(t: float, waited: float) -> MarkEvent:
    edit = {"offset": 2, "delete": 0, "insert": "x"}
    return MarkEvent(t, "show", {"source": "model", "waited_ms": waited, "text": "x", "edit": edit})


def test_the_next_edit_of_a_chain_is_there_at_once_also_in_another_document(tmp_path: Path) -> None:
    """It is shown before the client sends its next request, and has the figures of the request for the chain."""
    first = (
        mark(0.0, "request", cursor=0),
        edit_shown(1.0, 1000.0),
        mark(2.0, "accept", text="x", edit={}),
        typed(2.0, 2, "x"),
        edit_shown(2.01, 1000.0),
        mark(2.02, "request", cursor=3),
        mark(3.0, "accept", text="x", edit={}),
        typed(3.0, 3, "x"),
        mark(3.02, "request", cursor=4),
    )
    second = (edit_shown(3.01, 1000.0), mark(4.0, "jump"), mark(5.0, "reject", edit={}))
    for number, events in enumerate((first, second)):
        write_session(Session("ab", events, recording="r", uri=f"file:///{number}.py"), tmp_path / f"{number}.jsonl")
    found = usage_of(together([read_session(path) for path in session_files(tmp_path)])[0])
    assert (found.tabs, found.instant_tabs, found.silent_tabs) == (2, 2, 0)
    assert found.tab_waits == [0.0, 0.0] and found.waits == [1000.0, 0.0, 0.0] and found.instant == 2
    assert found.edits == {"show": 3, "accept": 2, "reject": 1, "jump": 1}
    assert found.seconds == 5.0


def test_usage_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.jsonl", "two.jsonl.gz"):
        write_session(Session("", EVENTS), tmp_path / name)
    assert run(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Real use" in said and "2 of 3" in said and "4 of 6; after 2 nothing followed" in said


def test_names_with_brackets_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["1-[id].tsx.jsonl", "2-[red].tsx.jsonl"]
    for name in names:
        write_session(Session("", EVENTS), tmp_path / name)
    assert run(["report", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(name.removesuffix(".jsonl") in said for name in names)


@pytest.mark.parametrize("wrong", ["mixed", "html", "empty", "no marks"])
def test_wrong_usage_is_one_clear_line(tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = tmp_path / "one.jsonl"
    write_session(Session("", EVENTS if wrong != "no marks" else EVENTS[:1]), session)
    (tmp_path / "result.json").write_text(json.dumps({}))
    (tmp_path / "empty").mkdir()
    arguments = {
        "mixed": [str(session), str(tmp_path / "result.json")],
        "html": [str(session), "--html", str(tmp_path / "out.html")],
        "empty": [str(tmp_path / "empty")],
        "no marks": [str(session)],
    }[wrong]
    assert run(["report", *arguments]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
