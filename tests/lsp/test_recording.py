"""`--record`: what is recorded, what is not, and that a replay ends with the editor's text."""

from __future__ import annotations

import asyncio
import json
import random
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lsp_client import URI
from tabspec_lsp.state.documents import DocumentChange
from tabspec_lsp.state.offers import Offers
from tabspec_lsp.state.recorder import Recorder
from texts import random_change

from tabspec.cli.main import run
from tabspec.context import EditContext
from tabspec.replay.results.usage import usage_of
from tabspec.replay.sessions.session import MarkEvent
from tabspec.replay.sessions.session_file import read_session
from tabspec.suggestion import Answer, Source, Suggestion
from tabspec.text import Document, Edit
from tests.lsp.conftest import Start
from tests.patience import PATIENCE


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def typed(document: Document, text: str) -> DocumentChange:
    edit = Edit(len(document.text), 0, text)
    return DocumentChange(document, document.edited(edit), (edit,))


async def test_a_session_replays_to_the_text_of_the_editor(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    client = await start("--record", str(folder), model={"target": "def add(a, b):\n    return a + b\n"})
    client.open("def a", URI)
    (item,) = await client.inline(0, 5)
    client.change(2, {"range": item["range"], "text": item["insertText"]})
    (item,) = await client.inline(0, 14)
    client.change(3, {"range": item["range"], "text": "\n    "})
    await client.command(item, "tabspec.rejected")
    client.change(4, {"text": "something 😀 else\r\n"})
    assert await client.stop() == 0

    (path,) = files(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    session = read_session(path)
    assert session.warnings == ()
    assert session.text == "def a"
    assert (session.language, session.uri) == ("python", URI)
    assert session.final_text() == "something 😀 else\r\n"
    kinds = [event.kind if isinstance(event, MarkEvent) else "edit" for event in session.events]
    assert kinds == ["select", "request", "show", "accept", "edit", "request", "show", "edit", "reject", "edit"]
    assert session.accepts == {0}
    (first, second) = (event.data for event in session.events if isinstance(event, MarkEvent) and event.kind == "show")
    assert (first["text"], first["source"]) == ("dd(a, b):", "model")
    assert (second["cursor"], second["source"] in ("speculated", "joined")) == (14, True)


async def test_the_report_counts_what_happened(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session of Tab, Tab with a server that had time to ask ahead; the server's own figures say the same."""
    folder, text = tmp_path / "sessions", "def a"
    target = "def add(a, b):\n    return a + b\n\n\nadd(1, 2)\n"
    client = await start("--record", str(folder), model={"target": target, "prefill_s": 0.05})
    client.open(text, URI)
    for version in (2, 3):
        (item,) = await client.inline(text.count("\n"), len(text.rpartition("\n")[2]))
        async with asyncio.timeout(PATIENCE):
            while (await client.status())["cache"]["entries"] < version:
                pass
        text += item["insertText"]
        client.change(version, {"text": text})
        await client.command(item)
    await client.inline(text.count("\n"), len(text.rpartition("\n")[2]))
    status = await client.status()
    assert (status["shown"], status["accepted"], status["tabs"], status["instant_tabs"]) == (3, 2, 2, 2)
    assert await client.stop() == 0
    (session,) = files(folder)
    found = usage_of(read_session(session))
    assert (found.requests, found.shown, found.accepted, found.tabs, found.instant_tabs) == (3, 3, 2, 2, 2)
    assert found.instant == round(status["hit_rate"] * 3)
    assert found.accepted_chars == found.inserted == len(text) - len("def a")
    assert run(["report", str(folder)]) == 0
    assert "2 of 2" in capsys.readouterr().out


async def test_a_random_session_replays_to_the_text_of_the_editor(start: Start, tmp_path: Path) -> None:
    rng = random.Random(5)
    client = await start("--record", str(tmp_path / "sessions"))
    text = "first\r\nsecond 😀\n"
    client.open(text)
    for version in range(2, 302):
        change, text = random_change(text, rng)
        client.change(version, change)
    assert await client.stop() == 0
    (path,) = files(tmp_path / "sessions")
    assert read_session(path).final_text() == text


async def test_ignored_and_unedited_documents_are_not_recorded(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    client = await start("--record", str(folder))
    client.open("a=", "file:///project/.env")
    client.change(2, {"text": "a=b"}, uri="file:///project/.env")
    client.open("only looked at", "file:///project/seen.py")
    await client.inline(0, 3, "file:///project/seen.py")
    assert (await client.status())["recording"] == str(folder)
    assert await client.stop() == 0
    assert files(folder) == []


async def test_nothing_is_recorded_without_the_option(start: Start, tmp_path: Path) -> None:
    client = await start(cwd=tmp_path)
    client.open("a")
    client.change(2, {"text": "ab"})
    assert (await client.status())["recording"] is None
    assert await client.stop() == 0
    assert [path.name for path in files(tmp_path)] == ["script.json"]


async def test_a_crash_loses_nothing_that_was_recorded(start: Start, tmp_path: Path) -> None:
    client = await start("--record", str(tmp_path / "sessions"))
    client.open("a")
    client.change(2, {"text": "ab"})
    await client.status()
    client.process.kill()
    await client.process.wait()
    (path,) = files(tmp_path / "sessions")
    assert read_session(path).final_text() == "ab"


async def test_a_lost_change_ends_a_session_and_the_whole_text_starts_another(start: Start, tmp_path: Path) -> None:
    client = await start("--record", str(tmp_path / "sessions"))
    client.open("a")
    client.change(2, {"text": "ab"})
    client.change(2, {"text": "out of order"})
    client.open("abc", version=3)
    client.change(4, {"text": "abcd"})
    assert await client.stop() == 0
    assert [read_session(path).final_text() for path in files(tmp_path / "sessions")] == ["ab", "abcd"]


def test_times_are_those_of_the_clock_and_never_decrease(tmp_path: Path) -> None:
    now = 100.0
    recorder = Recorder(tmp_path, clock=lambda: now)
    document = Document(URI, "x = ")
    recorder.opened(document)
    (offer,) = Offers().add(EditContext(document, 4), Answer(Source.MODEL, (Suggestion("1"),), waited=0.25))
    now = 101.0
    recorder.shown(offer)
    now = 102.5
    recorder.changed(typed(document, "1"))
    recorder.close()
    (path,) = files(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("t") for line in lines] == [None, 1.0, 2.5]
    assert lines[1]["waited_ms"] == 250.0


def test_files_and_the_folder_are_bounded(tmp_path: Path) -> None:
    told: list[str] = []
    recorder = Recorder(tmp_path, told.append, file_bytes=2_000, folder_bytes=10_000)
    document = Document(URI, "")
    recorder.opened(document)
    for _ in range(300):
        changed = typed(document, "some text\n")
        recorder.changed(changed)
        document = changed.after
    recorder.close()
    assert len(files(tmp_path)) > 2
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 10_000
    assert len(told) == 1
    assert "ended" in told[0]
    # Each is a session of its own, and they follow each other without a gap.
    sessions = [read_session(path) for path in files(tmp_path)]
    assert sessions[0].text == ""
    for before, after in pairwise(sessions):
        assert before.final_text() == after.text


@pytest.mark.parametrize(
    "uri", ["file:///a/../../etc/passwd", "untitled:Untitled-1", "", "file:///" + "x" * 500, "a/\x00b"]
)
def test_no_uri_leads_out_of_the_folder(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "sessions"
    recorder = Recorder(folder)
    document: Any = Document(uri, "a")
    recorder.opened(document)
    recorder.changed(typed(document, "b"))
    recorder.close()
    assert [read_session(path).uri for path in files(folder)] == [uri]
    assert files(tmp_path) == [folder]


async def test_a_recording_that_has_ended_is_not_shown_as_running(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    client = await start("--record", str(folder))
    assert (await client.status())["recording"] == str(folder)
    folder.rmdir()  # its first file cannot be made
    for number in range(3):
        uri = f"file:///project/{number}.py"
        client.open("a = 1\n", uri)
        client.change(2, {"text": "a = 2\n"}, uri=uri)
        assert (await client.status())["recording"] is None
    assert await client.stop() == 0
    assert not folder.exists()


def test_a_folder_in_which_no_file_can_be_written_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="no file can be written there"):
        Recorder(tmp_path)
