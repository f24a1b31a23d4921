"""`tabspec import` on the command line: sessions out, one clear line for what cannot be used."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tabspec.cli.main import run
from tabspec.replay.sessions.session_file import read_session, session_files
from tabspec.replay.sessions.together import together

LOG = [
    {"kind": "header", "documentType": "workspaceRecording@1.0", "repoRootUri": "file:///r", "time": 0, "uuid": ""},
    {"kind": "documentEncountered", "id": 1, "relativePath": "src/a.py", "time": 0},
    {"kind": "setContent", "id": 1, "content": "x", "time": 0, "v": 1},
    {"kind": "changed", "id": 1, "edit": [[1, 1, "y"]], "time": 10, "v": 2},
    {
        "kind": "documentEvent",
        "id": 1,
        "time": 11,
        "data": {"sourceId": "TextModel.setChangeReason", "source": "inlineSuggestion.accept", "v": 2},
    },
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "r.recording.w.json"
    path.write_text(json.dumps({"log": LOG}))
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "src").mkdir(parents=True)
    for name in ("a.py", "b.py"):
        (root / "src" / name).write_text("x = 1\n")
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return root


def test_a_vscode_recording_is_imported(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "s.jsonl.gz"
    assert run(["import", "vscode-recording", str(recording), "-o", str(out), "--licence", "MIT"]) == 0
    session = read_session(out)
    assert session.final_text() == "xy" and session.licence == "MIT" and session.side.accepts == {0}
    assert "1 edits, 1 characters" in capsys.readouterr().out


def test_all_documents_of_a_vscode_recording_are_imported_to_a_folder(tmp_path: Path) -> None:
    def one(number: int, kind: str, **rest: object) -> dict[str, object]:
        return {"kind": kind, "id": number, **rest}

    log = [
        *LOG[:3],
        one(2, "documentEncountered", relativePath="b.py", time=0),
        one(3, "documentEncountered", relativePath=".env", time=0),
        one(3, "setContent", content="KEY=1", time=3, v=1),
        one(2, "setContent", content="b", time=5, v=1),
        *LOG[3:],
    ]
    (tmp_path / "r.recording.w.json").write_text(json.dumps({"log": log}))
    folder = tmp_path / "sessions"
    assert run(["import", "vscode-recording", str(tmp_path / "r.recording.w.json"), "-o", str(folder)]) == 0
    (session,) = together([read_session(path) for path in session_files(folder)])
    found = [(each.uri, each.opened, each.final_text()) for each in session.parts]
    assert found == [("file:///session/src/a.py", 0.0, "xy"), ("file:///session/b.py", 0.005, "b")]


def test_git_history_is_imported_to_a_file_or_a_folder(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.jsonl"
    assert run(["import", "git", str(repository), "src/a.py", "-o", str(out), "--seed", "4"]) == 0
    assert "synthetic" in capsys.readouterr().out
    assert read_session(out).final_text() == "x = 1\n"
    folder = tmp_path / "sessions"
    assert run(["import", "git", str(repository), "src/*.py", "-o", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["src-a.py.jsonl.gz", "src-b.py.jsonl.gz"]


def test_wrong_usage_and_input_are_one_line(
    recording: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "s.jsonl")
    cases = [
        (["vscode-recording", str(tmp_path / "none"), "-o", out], "cannot be read"),
        (["vscode-recording", str(recording), "-o", str(tmp_path / "s.txt")], "ends with .jsonl"),
        (["vscode-recording", str(recording), "-o", out, "--document", "b.py"], "src/a.py"),
        (["vscode-recording", str(recording)], "--output"),
        (["git", str(tmp_path), "a.py", "-o", out], "not a git repository"),
        (["git", str(repository), "none.py", "-o", out], "no file fits"),
        (["git", str(repository), "src/*.py", "-o", out], "give a folder"),
        (["git", str(repository), "src/a.py", "-o", str(tmp_path / "x")], "ends with .jsonl"),
        (["git", str(repository), "src/a.py", "-o", str(tmp_path / "no" / ".." / "s.jsonl"), "--max-events", "0"], "0"),
    ]
    for arguments, message in cases:
        assert run(["import", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, arguments


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["git", "--help"], ["vscode-recording", "--help"]):
        assert run(["import", *arguments]) == 0
        assert "Usage: tabspec import" in capsys.readouterr().out
