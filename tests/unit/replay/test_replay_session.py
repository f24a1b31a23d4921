"""Session files: what is read, what is refused, and what is read of a truncated file."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import SessionError
from tabspec.lab.converters.session_writer import summary, write_session
from tabspec.replay.sessions import session as session_module
from tabspec.replay.sessions.session import (
    ChangeReason,
    EditEvent,
    Fetch,
    Fetched,
    FetchedItem,
    MarkEvent,
    Selection,
    Session,
    Side,
    spread_seconds,
)
from tabspec.replay.sessions.session_file import read_session
from tabspec.text import Edit

HEADER = {"format": "tabspec-session", "version": 1, "text": "abc"}


def lines(*items: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def edit(t: float, offset: int, delete: int, insert: str) -> dict[str, Any]:
    return {"t": t, "edits": [{"offset": offset, "delete": delete, "insert": insert}]}


def saved(tmp_path: Path, data: bytes, name: str = "s.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_plain_and_compressed_sessions_are_read(tmp_path: Path) -> None:
    data = lines(
        HEADER | {"language": "python", "new": 1}, edit(0.25, 3, 0, "d"), {"t": 1, "kind": "select", "cursor": 2}
    )
    plain, packed = saved(tmp_path, data), saved(tmp_path, gzip.compress(data), "p.jsonl.gz")
    session = read_session(plain)
    assert session.final_text() == "abcd"
    assert session.language == "python" and session.extra == {"new": 1} and session.name == "s"
    assert session.events[1] == MarkEvent(1.0, "select", {"cursor": 2}) and session.events[1].cursor == 2
    assert read_session(packed) == replace(session, name="p")


texts = st.text(st.characters(codec="utf-8") | st.sampled_from("\n\r😀"), max_size=8)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    text = draw(texts)
    length, t = len(text), 0.0
    events = []
    for _ in range(draw(st.integers(0, 6))):
        t += draw(st.floats(0, 3))
        edits = []
        for _ in range(draw(st.integers(1, 2))):
            offset = draw(st.integers(0, length))
            delete = draw(st.integers(0, length - offset))
            edits.append(Edit(offset, delete, draw(texts)))
            length += len(edits[-1].insert) - delete
        events.append(EditEvent(t, tuple(edits), draw(st.none() | st.integers(0, length))))
    return Session(text, tuple(events), "src", "MIT", "python", "file:///a.py", draw(st.booleans()), name="x")


@given(sessions(), st.booleans())
def test_written_sessions_are_read_back(session: Session, packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("x.jsonl.gz" if packed else "x.jsonl")
        write_session(session, path)
        again = read_session(path, spread=False)
        assert again == session
        assert again.final_text() == session.final_text()


SIDE = Side(
    (
        Selection(0.5, -1, ((0, 2),)),
        Fetch(0.6, -1, 7),
        Fetched(0.7, 7, 100.0, (FetchedItem("[1,1 -> 1,2]", "xy", True, "who"),), "canceled"),
        ChangeReason(0, "inlineSuggestion.accept"),
        ChangeReason(0, "snippet"),
    )
)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_session_is_written_with_its_side_file(tmp_path: Path, name: str) -> None:
    session = Session("abc", (EditEvent(1.5, (Edit(0, 0, "d"),)),), side=SIDE, name="x")
    write_session(session, tmp_path / name)
    assert read_session(tmp_path / name) == session
    assert session.side.accepts == {0}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, name.replace(".jsonl", ".side.jsonl")])


def test_same_bytes_for_the_same_session(tmp_path: Path) -> None:
    session = Session("abc", (EditEvent(1.5, (Edit(0, 0, "d"),)),))
    write_session(session, tmp_path / "a.jsonl.gz")
    write_session(session, tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, b"old")

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_session(Session("abc"), path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


EVENT = edit(0.5, 3, 0, "d")
BAD = {
    "empty": (b"", ":1: empty"),
    "blank lines": (b"\n\n", "empty"),
    "not json": (b"hello\n", ":1: not JSON"),
    "not json, no line end": (b"hello", ":1: not JSON"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff", ":1: not text"),
    "binary without a line end": (b"\x89\x00\xff", ":1: not text"),
    "list": (b"[1]\n", ":1: not a JSON object but a list"),
    "no header": (lines(EVENT), ":1: header missing"),
    "future": (lines(HEADER | {"version": 2}), ":1: session of version 2"),
    "version": (lines(HEADER | {"version": "1"}), "version must be"),
    "text": (lines(HEADER | {"text": 1}), "'text' must be a string"),
    "no text": (lines({"format": "tabspec-session", "version": 1}), "'text' must be a string"),
    "second line not json": (lines(HEADER) + b"{\n" + lines(EVENT), ":2: not JSON"),
    "out of bounds": (lines(HEADER, EVENT, edit(1, 5, 0, "")), ":3: edit out of bounds"),
    "deletes too much": (lines(HEADER, edit(0, 2, 2, "")), ":2: edit out of bounds"),
    "negative offset": (lines(HEADER, edit(0, -1, 0, "")), ":2: event.edits[0].offset: is negative"),
    "negative delete": (lines(HEADER, edit(0, 1, -1, "")), ":2: event.edits[0].delete: is negative"),
    "second edit of one event": (
        lines(HEADER, {"t": 0, "edits": [*edit(0, 0, 3, "")["edits"], *edit(0, 1, 0, "")["edits"]]}),
        ":2: edit out of bounds",
    ),
    "cursor": (lines(HEADER, EVENT | {"cursor": 9}), "cursor out of bounds"),
    "insert": (lines(HEADER, edit(0, 0, 0, None)), "event.edits[0].insert: expected a string"),  # type: ignore[arg-type]
    "offset": (lines(HEADER, edit(0, True, 0, "")), "event.edits[0].offset: expected a whole number"),
    "edits": (lines(HEADER, {"t": 0, "edits": 3}), "event.edits: expected a list"),
    "edit": (lines(HEADER, {"t": 0, "edits": [3]}), "event.edits[0]: expected an object"),
    "no t": (lines(HEADER, {"edits": []}), "event.t is missing"),
    "negative t": (lines(HEADER, edit(-1, 0, 0, "")), "event.t: is negative"),
    "nan": (lines(HEADER, edit(float("nan"), 0, 0, "")), "event.t: is not a number"),
    "backwards": (lines(HEADER, EVENT, edit(0.4, 0, 0, "")), ":3: time 0.4 is before"),
    "neither": (lines(HEADER, {"t": 1}), "needs 'edits'"),
    "cut header": (lines(HEADER)[:20], ":1: cut off within its header"),
    "cut gzip header": (gzip.compress(lines(HEADER))[:12], ":1: cut off within its header"),
    "damaged gzip": (b"\x1f\x8b" + b"\x00" * 40, "damaged"),
    "deep": (b"[" * 100_000 + b"\n", ":1: not"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(tmp_path: Path, case: str) -> None:
    data, message = BAD[case]
    path = saved(tmp_path, data)
    with pytest.raises(SessionError) as caught:
        read_session(path)
    text = str(caught.value)
    assert message in text and text.startswith(str(path)) and "\n" not in text


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no such file"):
        read_session(tmp_path / "none.jsonl")
    with pytest.raises(SessionError, match="cannot be read"):
        read_session(tmp_path)


@pytest.mark.parametrize("grow", [False, True])
def test_a_document_that_is_too_large_is_refused(tmp_path: Path, grow: bool) -> None:
    large = "x" * (session_module.MAX_DOCUMENT_CHARS - 1)
    data = lines(HEADER | {"text": large if grow else large + "yy"}, edit(0, 0, 0, "yy"))
    with pytest.raises(SessionError, match="not replayed" if grow else "too large"):
        read_session(saved(tmp_path, data))


def test_an_endless_line_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.replay.sessions.json_lines.MAX_LINE_BYTES", 100_000)
    with pytest.raises(SessionError, match=":1: too long"):
        read_session(saved(tmp_path, gzip.compress(b'{"' + b"x" * 1_000_000)))


@given(st.integers(1, 400))
def test_a_cut_off_file_is_read_up_to_the_cut(cut: int) -> None:
    whole = lines(HEADER, *(edit(i, 3 + i, 0, "é") for i in range(8)))
    with tempfile.TemporaryDirectory() as folder:
        for packed in (False, True):
            data = (gzip.compress(whole) if packed else whole)[:cut]
            path = saved(Path(folder), data)
            try:
                session = read_session(path)
            except SessionError as error:
                assert "within its header" in str(error) or cut < 3
                continue
            assert session.final_text() == "abc" + "é" * len(session.edits)
            if packed:
                assert (session.cut_off is None) == (len(data) == len(gzip.compress(whole)))
            elif cut < len(whole) and not data.endswith(b"}\n") and not data.endswith(b"}"):
                assert session.cut_off == f"line {len(session.edits) + 2}"
            if session.cut_off:
                assert any("cut off" in line for line in session.warnings)


def test_unknown_kinds_are_skipped_with_one_warning_each(tmp_path: Path) -> None:
    path = saved(tmp_path, lines(HEADER, {"t": 0, "kind": "dance"}, EVENT, {"kind": "dance"}, {"kind": "sing"}))
    saved(tmp_path, lines({"kind": "hum"}), "s.side.jsonl")
    session = read_session(path)
    assert len(session.events) == 1
    assert [line.split(": ", 1)[1] for line in session.warnings] == [
        "2 events of unknown kind 'dance' skipped",
        "1 events of unknown kind 'sing' skipped",
        "1 events of unknown kind 'hum' skipped",
    ]


def test_events_within_a_second_are_spread_and_reported(tmp_path: Path) -> None:
    path = saved(tmp_path, lines(HEADER, *(edit(t, 0, 0, "a") for t in (0, 0, 0, 0, 2, 3, 3))))
    session = read_session(path)
    assert [event.t for event in session.events] == [0, 0.25, 0.5, 0.75, 2, 3, 3.5]
    assert session.spread and "spread" in summary(session)
    assert not read_session(path, spread=False).spread


@given(st.lists(st.integers(0, 4).map(float)))
def test_spreading_keeps_order_and_second(stamps: list[float]) -> None:
    before = Session("", tuple(EditEvent(t, ()) for t in sorted(stamps)))
    after = spread_seconds(before)
    times = [event.t for event in after.events]
    assert times == sorted(times) and [int(t) for t in times] == sorted(stamps)
    assert after.spread == (len(set(stamps)) < len(stamps))
    assert len(set(times)) == len(times)


def test_milliseconds_are_left_alone() -> None:
    session = Session("", (EditEvent(0.0, ()), EditEvent(0.0, ()), EditEvent(0.5, ())))
    assert spread_seconds(session) is session


@pytest.mark.parametrize(
    ("edits", "cursor"),
    [
        ([(3, 0, "x")], 4),
        ([(3, 2, "")], 3),
        ([(749, 0, "\n\t\t\t"), (746, 3, "")], 750),  # Enter, and the blanks of the line before are trimmed
        ([(10, 0, "long"), (2, 0, "a")], 15),
        ([(2, 0, "a"), (10, 0, "b")], 11),
        ([(5, 0, "abc"), (0, 20, "")], 0),
    ],
)
def test_the_likely_cursor_after_an_edit(edits: list[tuple[int, int, str]], cursor: int) -> None:
    assert EditEvent(0, tuple(Edit(*each) for each in edits)).likely_cursor == cursor
    assert EditEvent(0, tuple(Edit(*each) for each in edits), 1).likely_cursor == 1
