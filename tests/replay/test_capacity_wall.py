"""`tabspec replay --users N --clock wall`: many users in real time, against a server and with one model for all."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tabspec.cli.main import run as command
from tabspec.lab.capacity import population
from tabspec.replay.results.result import Run
from tabspec.replay.results.result_file import loads
from tests.patience import PATIENCE
from tests.stub_server import Reply, Request, Stub, llama_cpp, openai_events, running
from tests.tiny import OURS, byte_level, save_model

pytestmark = pytest.mark.slow

USERS, EDITS = 3, 12


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who types for a little more than a second."""
    monkeypatch.setattr(population, "STAGGER_S", 0.3)
    monkeypatch.setattr(population, "PLACES", 1)
    path = tmp_path / "s.jsonl"
    header = {"format": "tabspec-session", "version": 1, "source": "", "licence": "", "language": "python"}
    lines = [json.dumps(header | {"uri": "file:///a.py", "text": ""})]
    for number in range(EDITS):
        edit = {"offset": number, "delete": 0, "insert": "word = 1\n(  "[number % 12]}
        lines.append(json.dumps({"t": number * 0.1, "edits": [edit], "cursor": number + 1}))
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def serving(handler: object) -> Iterator[Stub]:
    """A stub of llama.cpp's server on a loop of its own: the command has another one."""
    stub, ready, loop = llama_cpp(Stub()), threading.Event(), asyncio.new_event_loop()
    stub.routes["/v1/completions"] = stub.routes["/infill"] = handler  # type: ignore[assignment]
    over = asyncio.Event()

    async def serve() -> None:
        async with running(stub):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield stub
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)
        loop.close()


def played(session: Path, model: str, out: Path) -> Run:
    arguments = ["--users", str(USERS), "--clock", "wall", "--policy", "none", "--seconds", "5", "--json", str(out)]
    assert command(["replay", str(session), "--model", model, *arguments]) == 0
    (run,) = loads(out.read_text()).runs
    assert run.clock == "wall" and run.requests == USERS * EDITS and run.shared is not None
    assert (run.shared.users, run.shared.servers, run.shared.played) == (USERS, 0, 0)
    return run


def test_waits_are_measured_against_a_server(session: Path, tmp_path: Path) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.events(*openai_events("x", "yz"))

    with serving(answer) as stub:
        run = played(session, stub.url + "?exact=off&format=qwen2.5-coder", tmp_path / "out.json")
        asked = stub.asked("/v1/completions")
    shared = run.shared
    assert shared is not None
    assert shared.service.startswith(stub.url) and not run.notes
    # what was closed before it was sent, the server has not seen
    assert shared.foreground >= len(asked) >= shared.foreground - shared.closed > 0 and shared.ahead == 0
    assert len({request.connection for request in asked}) >= USERS, "each user has a client of its own"
    assert shared.tokens_per_s > 0


def test_one_model_serves_all_users(session: Path, tmp_path: Path) -> None:
    script = tmp_path / "any.json"
    script.write_text(json.dumps({"any": True, "token_s": 0.001}))
    folder = save_model(tmp_path / "model", byte_level(OURS), tie_word_embeddings=True)
    for model in (f"scripted:{script}", str(folder)):
        run = played(session, model, tmp_path / "out.json")
        assert run.shared is not None and run.shared.foreground > 0 and run.shared.tokens_per_s > 0 and not run.notes


def test_an_unreachable_server_is_reported_and_nothing_counts_as_answered(session: Path, tmp_path: Path) -> None:
    run = played(session, "http://127.0.0.1:1?format=qwen2.5-coder#name", tmp_path / "out.json")
    assert any("no server answers" in note for note in run.notes)
    assert run.shown == 0 and run.shared is not None and run.shared.wait_ms.p50 is None
