"""Import of VS Code's recordings, with a small one written here in the format of workspaceLog.ts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tabspec.errors import SessionError
from tabspec.lab.converters.session_writer import write_session
from tabspec.lab.converters.vscode import read_documents, read_recording
from tabspec.replay.sessions.session import ChangeReason, Fetch, Fetched, FetchedItem, Selection
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.sessions.together import together
from tabspec.text import Edit

T0 = 1_733_253_700_000


def entry(ms: int, kind: str, **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "time": T0 + ms, **rest}


HEADER = entry(9_999, "header", documentType="workspaceRecording@1.0", repoRootUri="file:///r", uuid="u")
FETCH = {"sourceId": "InlineCompletions.fetch", "requestId": 7}
ACCEPTED = {"sourceId": "TextModel.setChangeReason", "source": "inlineSuggestion.accept", "v": 4}
LOG = [
    HEADER,
    entry(0, "applicationStart"),
    entry(0, "documentEncountered", id=1, relativePath="src\\a.ts"),
    entry(0, "documentEncountered", id=2, relativePath="b.ts"),
    entry(1, "setContent", id=1, v=1, content="let 😀 = x;\n  \nend"),
    entry(1, "setContent", id=2, v=1, content="b"),
    entry(2, "opened", id=1),
    entry(5, "selectionChanged", id=1, selection=[[4, 6]]),
    # the emoji takes two code units, so "x" stands at 9, and the blanks of line 2 at 12
    entry(10, "changed", id=1, v=2, edit=[[9, 10, "foo("]]),
    entry(20, "changed", id=1, v=3, edit=[[15, 17, ""], [17, 17, "\n  "]]),
    entry(22, "selectionChanged", id=1, selection=[[18, 18]]),
    entry(30, "documentEvent", id=1, data=FETCH | {"kind": "start", "v": 3}),
    entry(31, "changed", id=2, v=2, edit=[[0, 1, "c"]]),
    entry(130, "event", data=FETCH | {"kind": "end", "result": [
        {"range": "[3,1 -> 3,3]", "text": "  bar()", "isInlineEdit": False, "source": "who"}]}),
    entry(150, "changed", id=1, v=4, edit=[[16, 18, "  bar()"]]),
    entry(151, "documentEvent", id=1, data=ACCEPTED),
    entry(160, "storeContent", id=1, contentId="h", v=4),
    entry(170, "setContent", id=1, v=5, content="gone"),
    entry(180, "restoreContent", id=1, contentId="h", v=6),
    entry(170, "changed", id=1, v=7, edit=[[0, 0, "!"]], metadata={"source": "inlineCompletionAccept"}),
    entry(200, "bookmark"),
    entry(210, "kind of tomorrow"),
]  # fmt: skip


def saved(tmp_path: Path, data: Any, name: str = "r.recording.w.json") -> Path:
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["object", "list", "lines"])
def test_a_recording_is_imported(tmp_path: Path, form: str) -> None:
    data: Any = {"object": {"log": LOG}, "list": LOG, "lines": "\n".join(map(json.dumps, LOG))}[form]
    session = read_recording(saved(tmp_path, data), licence="MIT")
    assert session.text == "let 😀 = x;\n  \nend"
    assert [event.t for event in session.edits] == [0.01, 0.02, 0.15, 0.17, 0.18, 0.18]
    assert session.edits[0].edits == (Edit(8, 1, "foo("),)
    # as in the file: the last replacement first, so that the offsets of the others still hold
    assert session.edits[1].edits == (Edit(16, 0, "\n  "), Edit(14, 2, ""))
    assert session.edits[1].cursor == 17
    assert session.final_text() == "!let 😀 = foo(;\n\n  bar()\nend"
    assert session.language == "typescript" and session.licence == "MIT" and session.uri.endswith("/src/a.ts")
    assert session.source == "vscode-recording:r.recording.w.json#src/a.ts"
    assert session.side.accepts == {2, 5}
    assert session.side.events[:4] == (
        Selection(0.005, -1, ((4, 5),)),
        Selection(0.022, 1, ((17, 17),)),
        Fetch(0.03, 1, 7),
        Fetched(0.13, 7, 100, (FetchedItem("[3,1 -> 3,3]", "  bar()", False, "who"),)),
    )
    assert session.side.events[4:] == (
        ChangeReason(2, "inlineSuggestion.accept"),
        ChangeReason(5, "inlineSuggestion.accept"),
    )
    write_session(session, tmp_path / "out.jsonl.gz")
    again = read_session(tmp_path / "out.jsonl.gz")
    assert (again.events, again.side, again.text) == (session.events, session.side, session.text)


def test_another_document(tmp_path: Path) -> None:
    path = saved(tmp_path, {"log": LOG})
    assert read_recording(path, document="b.ts").final_text() == "c"
    with pytest.raises(SessionError, match=r"0 edited documents end with 'c.ts'; there are: b.ts, src/a.ts"):
        read_recording(path, document="c.ts")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("no", "not JSON"),
        ([], "not a recording of type"),
        ([1], "not a recording"),
        ([HEADER | {"documentType": "workspaceRecording@2.0"}], "@2.0"),
        ([HEADER], "no document"),
        ([HEADER, entry(1, "changed", id=1, edit=[])], r"entry 1 \(changed\): 1 is missing"),
        ([*LOG[:6], entry(9, "changed", id=1, edit=[[0, 900, ""]])], r"entry 6 \(changed\): offset 900"),
        ([*LOG[:6], entry(9, "changed", id=1, edit=[[5, 2, ""]])], r"entry 6 \(changed\): edit at"),
        ([*LOG[:6], entry(9, "changed", id=1, edit=7)], r"entry 6 \(changed\)"),
    ],
)
def test_bad_recordings_are_one_line(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(SessionError, match=message) as caught:
        read_recording(saved(tmp_path, data))
    assert "\n" not in str(caught.value)


def test_recordings_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    """What is in them tells them apart; the same file read again is the same recording."""
    sessions = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        sessions += read_documents(saved(tmp_path / str(number), [*LOG, entry(300 + number, "bookmark")]))
    assert [len(each.parts) for each in together(sessions)] == [2, 2]
    again = read_documents(tmp_path / "0" / "r.recording.w.json")
    assert {each.recording for each in again} == {sessions[0].recording}


def test_a_recording_of_ignored_documents_alone_is_one_line(tmp_path: Path) -> None:
    log = [HEADER, entry(0, "documentEncountered", id=1, relativePath=".env"), entry(1, "setContent", id=1, content="")]
    edited = entry(2, "changed", id=1, v=2, edit=[[0, 0, "K=1"]])
    with pytest.raises(SessionError, match=r"no document in this recording was edited \(ignored"):
        read_documents(saved(tmp_path, [*log, edited]))


def test_json_lines_end_with_a_line_end_only(tmp_path: Path) -> None:
    """JavaScript writes U+2028 and U+0085 as they are into a JSON string, and `str.splitlines` would cut there."""
    text = "a\u2028b\x85c"
    log = [
        HEADER,
        entry(0, "documentEncountered", id=1, relativePath="a.py"),
        entry(1, "setContent", id=1, content=text),
    ]
    log.append(entry(2, "changed", id=1, v=2, edit=[[0, 1, ""]]))
    lines = "\r\n".join(json.dumps(each, ensure_ascii=False) for each in log)
    assert read_recording(saved(tmp_path, lines)).text == text
