"""Hostile files: not regular files, or files that need far more memory than their size."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tabspec.errors import InputError
from tabspec.lab.capacity.profile import read_service
from tabspec.lab.converters import vscode
from tabspec.lab.converters.vscode import read_recording
from tabspec.replay import bounded
from tabspec.replay.models.latency import read_latency
from tabspec.replay.results import result_file
from tabspec.replay.sessions import json_lines, session_file
from tabspec.replay.sessions.session_file import read_session, side_path
from tests.tools import REPOSITORY

HEADER = {"format": "tabspec-session", "version": 1, "uri": "file:///a.py", "text": "x" * 50}


def saved(path: Path, *items: object) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(item) + "\n" for item in items).encode()))
    return path


READERS: dict[str, Callable[[Path], object]] = {
    "session": read_session,
    "recording": read_recording,
    "result": result_file.load,
    "latency": read_latency,
    "service": lambda path: read_service(str(path)),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_or_a_device_is_one_clear_line(tmp_path: Path, reader: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(InputError, match="no regular file"):
            READERS[reader](tmp_path / name)


def test_a_packed_session_is_read_up_to_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [{"t": n, "edits": []} for n in range(1000)]
    path = saved(tmp_path / "s.jsonl.gz", HEADER, *events)
    size = len(gzip.decompress(path.read_bytes()))
    monkeypatch.setattr(json_lines, "MAX_BYTES", size)
    assert len(read_session(path).events) == 1000
    monkeypatch.setattr(json_lines, "MAX_BYTES", size - 1)
    with pytest.raises(InputError, match="MiB when unpacked"):
        read_session(path)


@pytest.mark.parametrize("nested", [False, True])
def test_a_session_has_a_limit_of_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: bool) -> None:
    """Also where many edits stand in one event."""
    monkeypatch.setattr(session_file, "MAX_EVENTS", 10)
    edits = [{"offset": 0, "delete": 0, "insert": ""}]
    for count, fits in ((10, True), (11, False)):
        events = [{"t": 1, "edits": edits * count}] if nested else [{"t": 1, "edits": edits}] * count
        path = saved(tmp_path / "s.jsonl.gz", HEADER, *events)
        if fits:
            read_session(path)
        else:
            with pytest.raises(InputError, match="more than 10 edits"):
                read_session(path)


def test_a_side_file_has_the_same_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "s.jsonl.gz", HEADER, {"t": 1, "edits": []})
    saved(side_path(path, packed=True), *[{"t": 1, "kind": "fetch", "after": 0, "id": 1}] * 20)
    read_session(path)
    monkeypatch.setattr(session_file, "MAX_EVENTS", 10)
    with pytest.raises(InputError, match="more than 10 edits"):
        read_session(path)


@pytest.mark.slow
def test_a_compression_bomb_takes_little_memory(tmp_path: Path) -> None:
    """450 KB that unpack to 2.2 GB of events, read by a process that may have 1.5 GB."""
    line = b'{"t":1,"edits":[],"pad":"' + b" " * 4069 + b'"}\n'
    path = tmp_path / "bomb.jsonl.gz"
    header = gzip.compress(json.dumps(HEADER).encode() + b"\n")
    block = gzip.compress(line * 4096)  # strung together, as gzip files may be
    path.write_bytes(header + block * 130)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1536 << 20,) * 2)\n"
        "from tabspec.cli.main import run\n"
        f"raise SystemExit(run(['replay', {str(path)!r}]))\n"
    )
    assert path.stat().st_size < 3 << 20
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 2, done.stderr
    assert "are not re" in done.stderr and done.stderr.count("\n") == 1
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 1536 << 20, "this process is not limited"


@pytest.mark.parametrize("reader", ["session", "recording", "result"])
def test_many_small_values_are_refused_before_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    for module in (json_lines, vscode, result_file):
        monkeypatch.setattr(module, "MAX_VALUES", 1000)
    path = tmp_path / "f.json"
    path.write_text('{"format": [' + ",".join(["[]"] * 1000) + "]}")
    with pytest.raises(InputError, match="more than 1,000 lists and objects"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", ["recording", "result"])
def test_large_files_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    path = tmp_path / "f.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: takes no room
    with pytest.raises(InputError, match="more than 134,217,728 bytes"):
        READERS[reader](path)
    for name in ("latency", "service"):
        with pytest.raises(InputError, match=f"more than {bounded.MAX_SMALL_BYTES:,} bytes"):
            READERS[name](path)


def test_repeated_insertions_of_long_texts_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[dict[str, object]] = [
        {"documentType": vscode.DOCUMENT_TYPE, "kind": "header"},
        {"kind": "documentEncountered", "id": 1, "relativePath": "a.py", "time": 1},
    ]
    for name in ("a", "b"):
        entries.append({"kind": "setContent", "id": 1, "content": name * 1000, "time": 1})
        entries.append({"kind": "storeContent", "id": 1, "contentId": name, "time": 1})
    for number in range(100):
        entries.append({"kind": "restoreContent", "id": 1, "contentId": "ab"[number % 2], "time": 1})
    path = tmp_path / "r.json"
    path.write_text(json.dumps(entries))
    assert len(read_recording(path).events) == 101
    for limit in ("MAX_INSERTED_CHARS", "MAX_COPIED_CHARS"):
        with monkeypatch.context() as patch:
            patch.setattr(vscode, limit, 50_000)
            with pytest.raises(InputError, match="than can be replayed"):
                read_recording(path)


def test_json_nested_too_deeply_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("[" * 200_000 + "]" * 200_000)
    for reader in READERS.values():
        with pytest.raises(InputError):
            reader(path)
