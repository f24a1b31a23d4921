"""The daemon as a process, on a real socket: one model for several clients, and failures."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tabspec.config import DaemonMode
from tabspec.errors import InputError, ModelUnavailable
from tabspec.models.daemon import shared
from tabspec.models.daemon.client import Connection, ask
from tabspec.models.daemon.place import DaemonFolder, find, identity
from tabspec.models.daemon.shared import SharedModel
from tabspec.models.load import load_model
from tabspec.models.messages import from_line, request_fields, to_line
from tabspec.models.process.worker import WorkerState
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut
from tests import tiny
from tests.patience import PATIENCE

# Real daemons, each with a worker that loads torch.
pytestmark = pytest.mark.slow

OPTIONS = {"device": "cpu", "dtype": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS)))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonFolder]:
    with tempfile.TemporaryDirectory(prefix="ts-") as base:
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        made = find(make=True)
        yield made
        _end_quietly(made)


@pytest.fixture(scope="module")
def running(folder: str) -> Iterator[str]:
    """One daemon for all tests that leave it was: the runtime folder of its socket."""
    with tempfile.TemporaryDirectory(prefix="ts-") as base:
        command = [sys.executable, "-m", "tabspec", "daemon", "--model", folder]
        process = subprocess.Popen(command, env=os.environ | {"XDG_RUNTIME_DIR": base})
        try:
            yield base
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
async def there(running: str, monkeypatch: pytest.MonkeyPatch) -> DaemonFolder:
    """Where `running` listens."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", running)
    found = find(make=True)
    async with asyncio.timeout(PATIENCE):
        while found.mark() is None or await ask(found, "status") is None:  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.02)
    return found


async def status(place: DaemonFolder) -> dict[str, Any]:
    answer = await ask(place, "status")
    assert answer
    return answer


def _end_quietly(place: DaemonFolder) -> None:
    """End the daemon that a client has started, if there is one."""
    with contextlib.suppress(ModelUnavailable):
        asyncio.run(ask(place, "stop"))


@contextlib.asynccontextmanager
async def daemon(place: DaemonFolder, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A daemon that listens. It is ended with the block, whatever has become of it."""
    before = place.mark()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tabspec", "daemon", *arguments)
    try:
        async with asyncio.timeout(PATIENCE):
            while place.mark() == before or await ask(place, "status") is None:
                assert process.returncode is None, "the daemon ended"
                await asyncio.sleep(0.02)  # nothing signals that the other process listens
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), PATIENCE)


@contextlib.asynccontextmanager
async def client(folder: str, **options: Any) -> AsyncIterator[SharedModel]:
    model = SharedModel(folder, **options)
    try:
        yield model
    finally:
        await model.close()


def question(at: int, max_tokens: int = 24, foreground: bool = True) -> GenerationRequest:
    cut = canonical_cut(tiny.CODE[:at])
    stop = StopRule(60 if max_tokens > 24 else 3, max_tokens)
    return GenerationRequest(
        tiny.CODE[:cut], tiny.CODE[cut:at], tiny.CODE[at:], "a.py", stop=stop, foreground=foreground
    )


async def text(model: Any, asked: GenerationRequest) -> str:
    return "".join([chunk.text async for chunk in model.stream(asked)])


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(round(PATIENCE / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)  # what other processes do is polled
    raise AssertionError("it did not come about")


async def test_clients_share_one_process_and_get_the_models_answers(there: DaemonFolder, folder: str) -> None:
    local, before = load_model(folder), (await status(there))["requests"]
    async with client(folder) as one, client(folder) as two:
        assert (await one.start()).fingerprint == (await two.start()).fingerprint == local.info.fingerprint
        assert one.shared and two.shared and one.pid == two.pid is not None
        asked = [question(at, foreground=at % 2 == 0) for at in range(20, 300, 37)]
        expected = [await text(local, each) for each in asked]
        assert await asyncio.gather(*(text(one, each) for each in asked)) == expected
        assert await asyncio.gather(*(text(two, each) for each in asked)) == expected
        told = await status(there)
        assert (told["clients"], told["requests"] - before, told["state"]) == (2, 2 * len(asked), "ready")


async def test_only_the_user_can_reach_it(there: DaemonFolder) -> None:
    assert stat.S_IMODE(there.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(there.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("spoil", ["mode", "link"])
def test_a_folder_that_others_can_write_to_is_not_used(place: DaemonFolder, spoil: str) -> None:
    if spoil == "mode":
        place.folder.chmod(0o777)
    else:
        place.folder.rmdir()
        place.folder.symlink_to("/tmp")
    with pytest.raises(InputError, match="yours alone"):
        find()


async def test_a_daemon_killed_during_a_suggestion_is_replaced_by_a_worker(
    place: DaemonFolder, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request fails, the next one gets its answer from a worker of the client's own; a new daemon gets the client
    back."""
    monkeypatch.setattr(shared, "LOOK_S", 0.05)
    states: list[WorkerState] = []
    asked = question(200)
    async with client(folder, on_progress=lambda state, _: states.append(state)) as model:
        async with daemon(place, "--model", folder) as process:
            whole = await text(model, asked)
            assert model.shared and whole
            process.send_signal(signal.SIGSTOP)  # so that it is in the middle for sure
            answer = asyncio.create_task(text(model, asked))
            await asyncio.sleep(0)
            process.kill()
            with pytest.raises(ModelUnavailable, match="the daemon is gone"):
                await answer
            assert await text(model, asked) == whole
            assert not model.shared and model.pid
            own = model.pid
        assert place.mark() is not None, "a killed daemon leaves its socket"
        assert await text(model, asked) == whole, "which is no hindrance"
        async with daemon(place, "--model", folder):
            await until(lambda: model.shared and model.pid not in (None, own))
            assert await text(model, asked) == whole
            await until(lambda: not Path(f"/proc/{own}").exists())
            assert states[-1] is WorkerState.READY


async def test_a_client_without_requests_starts_no_worker_when_the_daemon_ends(
    place: DaemonFolder, folder: str
) -> None:
    async with client(folder) as model:
        async with daemon(place, "--model", folder):
            await model.start()
        await until(lambda: not model.shared)
        assert model.pid is None and model.info.context_tokens == 512
        assert await text(model, question(200))
        assert model.pid is not None


async def test_a_worker_of_the_daemon_that_dies_is_started_again(place: DaemonFolder, tmp_path: Path) -> None:
    # Sixteen times as many layers as the others' model: it must not have said everything by the time it dies.
    folder = str(tiny.save_model(tmp_path / "slow", tiny.byte_level(tiny.OURS), num_hidden_layers=32))
    async with daemon(place, "--model", folder), client(folder) as model:
        await model.start()
        first = model.pid
        assert first
        stream = model.stream(question(120, 400))
        await anext(stream)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ModelUnavailable, match="signal 9"):
            async for _ in stream:
                pass
        assert await text(model, question(200))
        assert model.shared and model.pid not in (None, first)


async def test_a_daemon_with_another_model_version_or_changed_file_is_not_used(
    there: DaemonFolder, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = str(tiny.save_model(tmp_path / "other", tiny.byte_level(tiny.OURS), seed=1))
    async with client(other) as model:
        await model.start()
        assert not model.shared and model.info.fingerprint == load_model(other).info.fingerprint
    with monkeypatch.context() as patch:
        patch.setattr("tabspec.models.daemon.place.__version__", "99")
        async with client(folder) as model:
            await model.start()
            assert not model.shared
    assert identity(folder) == identity(folder + "/.")
    weights = Path(folder) / "model.safetensors"
    before = weights.stat()
    os.utime(weights, (1, 1))
    async with client(folder) as model:
        await model.start()
        assert not model.shared
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_a_second_daemon_exits_with_a_message_and_leaves_the_first_running(there: DaemonFolder) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tabspec", "daemon"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "a daemon is running" in done.stderr
    assert await ask(there, "status")


async def test_status_and_stop(place: DaemonFolder, folder: str) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tabspec", "daemon", *arguments],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    code, said = await asyncio.to_thread(run, "--status")
    assert code == 1 and "no daemon is running" in said
    async with daemon(place, "--model", folder) as process:
        code, said = await asyncio.to_thread(run, "--status")
        assert code == 0 and str(process.pid) in said and folder in said
        assert (await asyncio.to_thread(run, "--stop"))[0] == 0
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert not place.socket.exists()


async def test_the_daemon_ends_when_no_client_is_left(place: DaemonFolder, folder: str) -> None:
    async with daemon(place, "--model", folder, "--idle", "0.2") as process:
        async with client(folder) as model:
            await model.start()
            assert process.returncode is None
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def test_a_client_can_start_it(place: DaemonFolder, folder: str) -> None:
    async with client(folder, mode=DaemonMode.START) as one, client(folder, mode=DaemonMode.START) as two:
        await asyncio.gather(one.start(), two.start())
        assert one.shared and two.shared and one.pid == two.pid
        assert await text(one, question(200)) == await text(two, question(200))
    assert await ask(place, "stop")


async def test_a_model_that_cannot_be_used_ends_it(place: DaemonFolder) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tabspec", "daemon", "--model", "/nowhere/model"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "no such model folder" in done.stderr and "Traceback" not in done.stderr


BAD = [b"", b"\n", b"hello\n", b'{"op":"load"}\n', b'{"op":"dance"}\n', b'{"op":"load","identity":[]}\n', b"\xff\xfe\n"]


async def test_invalid_lines_do_not_affect_other_clients(there: DaemonFolder, folder: str) -> None:
    async with client(folder) as model:
        await model.start()
        for line in BAD:
            reader, writer = await there.open()
            writer.write(line)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), PATIENCE)
            writer.close()
        reader, writer = await there.open()  # a client that goes wrong later
        writer.write(to_line("load", identity=identity(folder)))
        assert from_line(await reader.readline())["op"] == "ready"
        writer.write(b'{"op":"request","id":1,"request":{}}\n')
        told = from_line(await asyncio.wait_for(reader.readline(), PATIENCE))
        assert (told["op"], told["id"]) == ("error", 1) and "cannot be understood" in told["message"]
        writer.write(to_line("request", id=2, request=request_fields(question(200))))
        assert from_line(await asyncio.wait_for(reader.readline(), PATIENCE))["op"] == "chunk", "and it goes on"
        writer.close()
        assert await text(model, question(200))


async def test_too_many_requests_at_a_time_are_refused(there: DaemonFolder, folder: str) -> None:
    connection = await Connection.open(there, folder, lambda *_: None)
    await connection.ready()
    results = await asyncio.gather(*(text(connection, question(200)) for _ in range(200)), return_exceptions=True)
    told = [result for result in results if isinstance(result, ModelUnavailable)]
    assert told and all("too many" in str(error) for error in told)
    assert len({result for result in results if isinstance(result, str)}) == 1
    await connection.close()


def test_clients_of_the_daemon_never_import_torch() -> None:
    code = (
        "import sys, tabspec.models.daemon.shared, tabspec.models.daemon.server, tabspec.cli.daemon\n"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'numpy', 'httpx'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
