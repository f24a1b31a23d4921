"""`tabspec bench daemon`: many editors on one daemon. Measures the daemon's memory and the editors' waiting times."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.errors import ModelUnavailable, TabspecError
from tabspec.machine import git_commit, machine
from tabspec.models.daemon.client import Connection, ask
from tabspec.models.daemon.place import DaemonFolder, find
from tabspec.models.files.hub import absolute
from tabspec.suggestion import Source
from tabspec.system import processes
from tabspec.system.tables import print_table
from tabspec.text import Document

_SEED = '''"""Statistics of a series of values, number {number}."""


def mean(values):
    return sum(values) / len(values)


'''
# Keys in a burst of typing, and the seconds between two of them (80 words a minute).
_BURST, _KEY_S = 10, 0.15
# The time limit for a daemon to start and load its model. It is long because the machine may be busy.
_START_S = 120.0


@click.command("daemon")
@click.option("--editors", type=click.IntRange(1, 1000), default=200, show_default=True, help="Connected editors.")
@click.option("--seconds", type=click.FloatRange(1), default=30, show_default=True, help="Duration of the typing.")
@click.option(
    "--pause",
    type=click.FloatRange(0.01),
    default=20,
    show_default=True,
    help="Mean seconds between two bursts of typing in one editor. Most open windows are idle most of the time.",
)
@click.option("--model", default="bundled", show_default=True, help="Name or folder of a model.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def daemon_bench_command(editors: int, seconds: float, pause: float, model: str, out: Path | None) -> None:
    """Measure a daemon that serves many editors: its memory, and how long requests wait.

    The command starts a separate daemon. Each simulated editor has its own engine, completion cache and connection, as
    in a language server. All editors run in the process of this command.
    """  # fmt: skip
    result = asyncio.run(measure(editors, seconds, pause, model))
    _print(result)
    if out:
        head = {"format": "tabspec-bench-daemon", "version": 1, "git_commit": git_commit(), "machine": machine()}
        out.write_text(json.dumps(head | result, indent=1) + "\n")


async def measure(editors: int, seconds: float, pause: float, model: str) -> dict[str, Any]:
    """Return all figures. Times are in milliseconds; memory is resident MiB of the daemon and of the model's process.

    Raises `TabspecError` if the daemon does not start or does not answer.
    """
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="tabspec-bench-") as base:
        os.environ["XDG_RUNTIME_DIR"] = base  # so that the benchmark does not use the user's daemon
        named = absolute(model) or model
        command = processes.python("tabspec", "daemon", "--model", named)
        process = await processes.open_process(command, stderr=subprocess.DEVNULL)
        try:
            return await _measure(find(make=True), model, editors, seconds, pause)
        finally:
            process.terminate()
            await _ended(process)
            os.environ.pop("XDG_RUNTIME_DIR")
            if before is not None:
                os.environ["XDG_RUNTIME_DIR"] = before


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), 30)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _measure(place: DaemonFolder, model: str, editors: int, seconds: float, pause: float) -> dict[str, Any]:
    first = _Editor(0, await _connected(place, model))
    # Warm up: the model allocates its buffers and fills the KV slots before the memory is measured.
    for _ in range(30):
        await first.key()
    start = await _memory(place)
    all_of_them = [first] + [_Editor(number, await _connected(place, model)) for number in range(1, editors)]
    connected = await _memory(place)
    own = _resident(os.getpid())
    first.hits, first.misses = [], []
    await asyncio.gather(*(editor.use(seconds, pause) for editor in all_of_them))
    used = await _memory(place)
    status = await ask(place, "status")
    for editor in all_of_them:
        await editor.close()
    hits = [taken for editor in all_of_them for taken in editor.hits]
    misses = [taken for editor in all_of_them for taken in editor.misses]
    return {
        "editors": editors,
        "seconds": seconds,
        "pause": pause,
        "model": model,
        "requests_to_the_daemon": status["requests"] if status else 0,
        "memory": {"one_editor": start, "all_connected": connected, "all_used": used},
        "growth_mib_each": {
            "connected": (sum(connected.values()) - sum(start.values())) / max(editors - 1, 1),
            "used": (sum(used.values()) - sum(start.values())) / max(editors - 1, 1),
        },
        "engines_mib_each": (_resident(os.getpid()) - own) / editors,
        "hits": _percentiles(hits),
        "misses": _percentiles(misses),
    }


async def _connected(place: DaemonFolder, model: str | None) -> Connection:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        try:
            connection = await Connection.open(place, model, lambda *_: None)
            await connection.ready()
            return connection
        except (OSError, ModelUnavailable):
            await asyncio.sleep(0.05)  # the daemon has not started yet
    raise TabspecError(f"the daemon did not start within {_START_S:g} s")


class _Editor:
    """One editor window with one document.

    A key accepts the suggestion with probability 0.3; otherwise it types the suggestion's next character. Without a
    suggestion it types a random piece of code.
    """

    def __init__(self, number: int, connection: Connection) -> None:
        self._connection = connection
        self._engine = CompletionEngine(_Connected(connection), EngineConfig())
        self._random = random.Random(number)
        self._uri, self._text, self._said = f"file:///bench/{number}.py", _SEED.format(number=number), ""
        self.hits: list[float] = []
        self.misses: list[float] = []

    async def use(self, seconds: float, pause: float) -> None:
        now = asyncio.get_running_loop().time
        end = now() + seconds
        while True:
            wait = self._random.expovariate(1 / pause)
            await asyncio.sleep(max(min(wait, end - now()), 0))
            if now() >= end:
                return
            for _ in range(_BURST):
                await self.key()
                await asyncio.sleep(_KEY_S)

    async def key(self) -> None:
        """Press a key, and record how long the answer to the next request takes."""
        if self._said and self._random.random() < 0.3:
            self._text += self._said
        else:
            self._text += self._said[:1] or self._random.choice(["\n", "def ", "    return ", "x = "])
        context = EditContext(Document(self._uri, self._text, "python"), len(self._text))
        begin = time.perf_counter()
        answer = await self._engine.complete(context)
        taken = (time.perf_counter() - begin) * 1000
        hit = answer.source in (Source.EXACT, Source.TYPE_THROUGH, Source.SPECULATED)
        (self.hits if hit else self.misses).append(taken)
        self._said = answer.suggestion.text if answer.suggestion else ""
        if answer.suggestion:
            self._engine.shown(context, answer.suggestion)

    async def close(self) -> None:
        await self._engine.close()
        await self._connection.close()


class _Connected:
    """Adapts a ready connection to the `Model` protocol."""

    def __init__(self, connection: Connection) -> None:
        assert connection.info
        self.info, self.stream, self.close = connection.info, connection.stream, connection.close


async def _memory(place: DaemonFolder) -> dict[str, float]:
    status = await ask(place, "status")
    if status is None:
        raise TabspecError("the daemon does not answer")
    return {"daemon": _resident(status["pid"]), "model": _resident(status["worker"])}


def _resident(pid: int) -> float:
    """Resident memory of a process in MiB; 0 on a system without /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    if len(times) < 2:
        return {"p50": 0.0, "p99": 0.0, "count": len(times)}
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "count": len(times)}


def _print(result: dict[str, Any]) -> None:
    memory, growth = result["memory"], result["growth_mib_each"]
    rows = [[f"memory, {when.replace('_', ' ')}: daemon + model, MiB", f"{found['daemon']:.0f} + {found['model']:.0f}"]
            for when, found in memory.items()]  # fmt: skip
    hits, misses = result["hits"], result["misses"]
    rows += [
        ["growth for each additional editor, connected, MiB", f"{growth['connected']:.3f}"],
        ["the same after use, MiB", f"{growth['used']:.3f}"],
        ["engine and completion cache, in each editor's process, MiB", f"{result['engines_mib_each']:.3f}"],
        [f"hits ({hits['count']}), p50 and p99, ms", f"{hits['p50']:.2f}, {hits['p99']:.2f}"],
        [f"misses ({misses['count']}), p50 and p99, ms", f"{misses['p50']:.0f}, {misses['p99']:.0f}"],
        ["requests to the daemon", str(result["requests_to_the_daemon"])],
    ]
    title = f"{result['editors']} editors, {_BURST} keys every {result['pause']:g} s each, for {result['seconds']:g} s"
    print_table(title, ["", ""], rows)
