"""The real worker process: it answers as the model in this process does, and recovers from failures."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tabspec.errors import ModelNotUsable, ModelUnavailable
from tabspec.models.load import load_model
from tabspec.models.process.worker import COMMAND, WorkerModel, WorkerState
from tabspec.models.protocol import Chunk, GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut
from tests import tiny

OPTIONS = {"device": "cpu", "dtype": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    # Many layers: what is closed or killed in the midst of an answer must not have said everything by then.
    return str(tiny.save_model(tmp_path_factory.mktemp("model"), tiny.byte_level(tiny.OURS), num_hidden_layers=32))


@contextlib.asynccontextmanager
async def worker(name: str, **changes: object) -> AsyncIterator[WorkerModel]:
    model = WorkerModel(name, options=OPTIONS, threads=1, **changes)  # type: ignore[arg-type]
    try:
        yield model
    finally:
        await model.close()


def ask(at: int, stop: StopRule | None = None, foreground: bool = True) -> GenerationRequest:
    cut = canonical_cut(tiny.CODE[:at])
    stop = stop or StopRule(3, 24)
    return GenerationRequest(
        tiny.CODE[:cut], tiny.CODE[cut:at], tiny.CODE[at:], "a.py", stop=stop, foreground=foreground
    )


async def read(model: WorkerModel, request: GenerationRequest) -> list[Chunk]:
    return [chunk async for chunk in model.stream(request)]


# To start a worker takes a second: those that leave it was share one.
together = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(folder: str) -> AsyncIterator[WorkerModel]:
    async with worker(folder) as model:
        yield model


@pytest.mark.slow
async def test_it_answers_as_the_model_in_process(folder: str) -> None:
    local = load_model(folder, **OPTIONS)
    async with worker(folder) as model:
        assert (await model.start()).fingerprint == local.info.fingerprint
        for at in range(0, 300, 37):
            assert await read(model, ask(at)) == [chunk async for chunk in local.stream(ask(at))]


@pytest.mark.slow
@together
async def test_several_streams_at_a_time(shared: WorkerModel, folder: str) -> None:
    local = load_model(folder, **OPTIONS)
    requests = [ask(at, foreground=at % 2 == 0) for at in (80, 123, 200, 251, 252)]
    expected = [[c.text async for c in local.stream(request)] for request in requests]
    got = await asyncio.gather(*(read(shared, request) for request in requests))
    assert ["".join(c.text for c in chunks) for chunks in got] == ["".join(texts) for texts in expected]


@pytest.mark.slow
@together
async def test_a_cancelled_stream_leaves_the_others_alone(shared: WorkerModel) -> None:
    expected = await read(shared, ask(200))
    for _ in range(5):
        stream = shared.stream(ask(120, StopRule(60, 500)))
        await anext(stream)
        await stream.aclose()
    again = await read(shared, ask(200))
    assert "".join(c.text for c in again) == "".join(c.text for c in expected)


@pytest.mark.slow
async def test_a_killed_worker_is_started_again(folder: str) -> None:
    async with worker(folder) as model:
        expected = await read(model, ask(200))
        for _ in range(2):
            stream = model.stream(ask(120, StopRule(60, 500)))
            await anext(stream)
            assert model.pid
            first = model.pid
            os.kill(first, signal.SIGKILL)
            with pytest.raises(ModelUnavailable, match="signal 9"):
                async for _chunk in stream:
                    pass
            again = await read(model, ask(200))
            assert model.pid != first
            assert "".join(c.text for c in again) == "".join(c.text for c in expected)


async def test_a_missing_model_is_an_error_and_not_tried_again(tmp_path: Path) -> None:
    heard: list[tuple[WorkerState, str]] = []
    async with worker(str(tmp_path / "no"), on_progress=lambda *what: heard.append(what)) as model:
        with pytest.raises(ModelNotUsable, match="no such model folder"):
            await model.start()
        # It is not tried again, and every request gets the same line.
        started = [state for state, detail in heard if detail.startswith("starting")]
        with pytest.raises(ModelUnavailable, match="no such model folder"):
            await read(model, ask(10))
        assert len(started) == 1
        assert model.state is WorkerState.FAILED
        assert "\n" not in model.detail
        assert heard[-1][0] is WorkerState.FAILED


async def test_a_worker_that_keeps_dying_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabspec.models.process.worker.FIRST_WAIT", 0.001)
    dying = (sys.executable, "-c", "import sys; print('no memory left', file=sys.stderr); sys.exit(7)")
    async with worker("any", command=dying) as model:
        with pytest.raises(ModelUnavailable, match=r"exit status 7\), 3 times while loading: no memory left"):
            await model.start()
    async with worker("any", command=("/nowhere/python",)) as model:
        with pytest.raises(ModelUnavailable, match="cannot be started"):
            await model.start()


@pytest.mark.slow
async def test_output_of_libraries_does_not_break_the_protocol(folder: str) -> None:
    noisy = (
        "import os, sys, threading\n"
        "import tabspec.models.process.worker_main as w\n"
        "load = w._load\n"
        "def loud(*a):\n"
        "    print('a library says hello'); os.write(1, b'straight to the file {\\n')\n"
        "    os.write(2, b'\\xff' * 200000)\n"
        "    return load(*a)\n"
        "w._load = loud\n"
        "w.main()\n"
    )
    async with worker(folder, command=(sys.executable, "-c", noisy)) as model:
        assert (await read(model, ask(200)))[-1].finish


@pytest.mark.slow
def test_it_ends_with_its_parent(folder: str) -> None:
    """The parent is killed without a chance to clean up: the worker's input ends, and with it the worker."""
    parent = (
        "import asyncio, sys\n"
        "from tabspec.models.process.worker import WorkerModel\n"
        "async def main():\n"
        "    model = WorkerModel(sys.argv[1], threads=1)\n"
        "    await model.start()\n"
        "    print(model.pid, flush=True)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        handle = os.pidfd_open(pid)
        process.kill()
        assert select.select([handle], [], [], 20)[0], "the worker outlives its parent"


def test_the_front_never_imports_torch() -> None:
    code = (
        "import sys, tabspec, tabspec.models.process.worker, tabspec.models.load, tabspec.models.process.worker_main\n"
        "import tabspec.models.process.serving, tabspec.models.process_edits\n"
        "import tabspec.engine.engine, tabspec.prompt.fim\n"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.slow
async def test_closing_ends_the_process_and_the_streams(folder: str) -> None:
    model = WorkerModel(folder, options=OPTIONS, threads=1)
    stream = model.stream(ask(120, StopRule(60, 500)))
    await anext(stream)
    assert model.pid
    handle = os.pidfd_open(model.pid)
    await model.close()
    with pytest.raises(ModelUnavailable, match="closed"):
        async for _ in stream:
            pass
    with pytest.raises(ModelUnavailable, match="closed"):
        await model.start()
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGTERM)


@pytest.mark.slow
def test_a_worker_started_by_hand_refuses_in_one_line() -> None:
    out = subprocess.run(COMMAND, input=b"hello\n", capture_output=True, check=False)
    assert out.returncode == 1
    assert b"Traceback" not in out.stderr
