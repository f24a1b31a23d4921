"""`tabspec bench lsp`: response times of the language server over stdio, compared with those of a bare pygls server."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tabspec.errors import TabspecError
from tabspec.machine import git_commit, machine
from tabspec.models.files.hub import absolute
from tabspec.system import processes
from tabspec.system.tables import print_table

_URI = "file:///bench/example.py"
# A minimal pygls server that returns no suggestions, for comparison.
_BARE = "tabspec_lsp.bare"
_SERVER = "tabspec_lsp.main"
# The text of the document at the start. A real model continues it; the scripted model's text begins with it.
_SEED = '''"""Statistics of a series of values."""


def mean(values):
    return sum(values) / len(values)


'''
# Times of a small model on two processor cores: the prefill of a few tokens after a cached prefix, and a decoded token.
_SCRIPT = {"prefill_s": 0.02, "token_s": 0.004}
# The pause before a Tab: the time to read a suggestion. After it the processor's caches are cold, as in real use.
_READ_S = 0.15
_TYPED = 3  # characters typed without a pause right after a suggestion is shown, while speculation runs
_HITS = ("exact", "type_through", "speculated")
# `adaptive` speculates only after a pause, so that the model is busy during few hits. With `chain` it is during most.
_POLICIES = {"speculation": "adaptive", "speculation_at_once": "chain", "no_speculation": "cache"}


@click.command("lsp")
@click.option("--rounds", type=click.IntRange(10), default=300, show_default=True, help="Tabs for each figure.")
@click.option("--starts", type=click.IntRange(1), default=9, show_default=True, help="Starts for each figure.")
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Model to measure. [default: a scripted one with 20 ms of prefill and 4 ms a token, and the bundled one]",
)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def lsp_bench_command(rounds: int, starts: int, models: tuple[str, ...], out: Path | None) -> None:
    """Time `initialize`, replies and Tab over stdio, with and without speculation, and measure memory."""
    with tempfile.TemporaryDirectory() as folder:
        result = measure(rounds, starts, models or (_script(Path(folder)), "bundled"))
    _print(result)
    if out:
        head = {"format": "tabspec-bench-lsp", "version": 3, "git_commit": git_commit(), "machine": machine()}
        out.write_text(json.dumps(head | result, indent=1) + "\n")


def measure(rounds: int, starts: int, models: Sequence[str]) -> dict[str, Any]:
    """Return all figures: milliseconds from the last byte written to the last byte read, and memory in MiB."""
    return {
        "initialize": measure_start(starts),
        "bare_reply": measure_bare(rounds),
        "models": {_name(model): measure_model(rounds, model) for model in models},
    }


def _name(model: str) -> str:
    return "scripted" if model.startswith("scripted:") else model


def measure_start(starts: int) -> dict[str, Any]:
    """Time from the start of the process to the answer to `initialize`. The server and a bare one are started in turns,
    so that the load of the machine affects both."""
    times: dict[str, list[float]] = {_BARE: [], _SERVER: []}
    for number in range(starts + 1):
        for module, taken in times.items():
            begin = time.perf_counter()
            with running(module):
                if number:  # the first start fills the system's file cache
                    taken.append((time.perf_counter() - begin) * 1000)
    bare, ours = (statistics.median(found) for found in times.values())
    return {"bare": bare, "tabspec": ours, "ratio": ours / bare}


def measure_bare(rounds: int) -> dict[str, Any]:
    """Time a bare server with the same traffic: a change and a request after a pause, then `_TYPED` without a pause."""
    paused: list[float] = []
    at_once: list[float] = []
    with running(_BARE) as bare:
        bare.open("")
        for _ in range(rounds):
            time.sleep(_READ_S)
            for number in range(1 + _TYPED):
                bare.insert("x")
                (at_once if number else paused).append(bare.timed_inline()[0])
    return {"after_a_pause": _percentiles(paused), "at_once": _percentiles(at_once)}


def measure_model(rounds: int, model: str) -> dict[str, Any]:
    """Measure one session for each policy: speculation after a pause, speculation at once, and no speculation."""
    result: dict[str, Any] = {}
    for name, policy in _POLICIES.items():
        begin = time.perf_counter()
        with running(_SERVER, "--model", absolute(model) or "", policy=policy) as server:
            server.open(_SEED)
            _, items = server.timed_inline()
            cold = (time.perf_counter() - begin) * 1000  # includes the start of the server and of the model's process
            warm = _first_suggestions(server)
            result[name] = {"first_cold": cold, "first_warm": warm} | _session(server, rounds, items)
            result[name] |= {"memory": server.memory(), "model_memory": server.model_memory()}
    return result


def _first_suggestions(server: ServerProcess) -> float:
    """The median time of the first suggestion in a new document, after the model is loaded."""
    times = []
    for number in range(5):
        server.replace(f"# {number}\n{_SEED}")
        times.append(server.timed_inline()[0])
    server.replace(_SEED)
    return statistics.median(times)


@dataclass(frozen=True)
class _Reply:
    """One request: "tab" or "type", its milliseconds, and the source of its answer. ``decoding`` is whether a
    speculative generation was in flight both before and after it."""

    kind: str
    taken: float
    source: str
    decoding: bool


def _session(server: ServerProcess, rounds: int, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Accept a suggestion with Tab ``rounds`` times. Before every second Tab, type the first characters of the
    suggestion. The server's status shows which answers were hits, and whether the model was decoding."""
    replies: list[_Reply] = []
    before = server.request("tabspec/status", {})

    def ask(kind: str, text: str) -> None:
        nonlocal before, items
        server.insert(text)
        taken, items = server.timed_inline()
        after = server.request("tabspec/status", {})
        source = next(name for name, count in after["sources"].items() if count != before["sources"][name])
        ahead = [status["in_flight"]["speculative"] > 0 for status in (before, after)]
        replies.append(_Reply(kind, taken, source, all(ahead)))
        before = after

    for number in range(rounds):
        if not items:
            # The model suggests nothing more. Start again with a slightly different document.
            server.replace(f"# {number}\n{_SEED}")
            _, items = server.timed_inline()
            before = server.request("tabspec/status", {})
        if items and number % 2:
            for char in items[0]["insertText"][:_TYPED]:
                if items:
                    ask("type", char)
        time.sleep(_READ_S)
        before = server.request("tabspec/status", {})
        if items:
            ask("tab", items[0]["insertText"])
    hits = [reply for reply in replies if reply.source in _HITS]
    return {
        "tab": _percentiles([reply.taken for reply in replies if reply.kind == "tab"]),
        "hit": _percentiles([reply.taken for reply in hits]),
        "hit_while_decoding": _percentiles([reply.taken for reply in hits if reply.decoding]),
        "instant_tab_rate": before["instant_tab_rate"],
        "hit_rate": before["hit_rate"],
        "sources": before["sources"],
    }


class ServerProcess:
    """A server process, and a client that does little work of its own, because its work adds to the measured times."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._next = 0
        self._text, self._version = "", 1

    def open(self, text: str) -> None:
        item = {"uri": _URI, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        self._text = text

    def insert(self, text: str) -> None:
        """Insert ``text`` at the end of the document, and send the change as an editor does."""
        end = self._end()
        self._change({"range": {"start": end, "end": end}, "text": text})
        self._text += text

    def replace(self, text: str) -> None:
        """Replace the whole text of the document."""
        self._change({"text": text})
        self._text = text

    def _change(self, change: dict[str, Any]) -> None:
        self._version += 1
        document = {"uri": _URI, "version": self._version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def _end(self) -> dict[str, int]:
        return {"line": self._text.count("\n"), "character": len(self._text) - self._text.rfind("\n") - 1}

    def timed_inline(self) -> tuple[float, list[dict[str, Any]]]:
        """Request a completion at the end of the document. Returns its time in milliseconds, and its items."""
        params = {"textDocument": {"uri": _URI}, "position": self._end(), "context": {"triggerKind": 2}}
        data = self._data("textDocument/inlineCompletion", params)
        self._write(data)
        begin = time.perf_counter()
        body = self._body()
        taken = (time.perf_counter() - begin) * 1000
        return taken, self._result(body)["items"]

    def request(self, method: str, params: Any) -> Any:
        self._write(self._data(method, params))
        return self._result(self._body())

    def notify(self, method: str, params: Any) -> None:
        self._write(_framed({"jsonrpc": "2.0", "method": method, "params": params}))

    def memory(self) -> float:
        """Resident memory of the server's process in MiB."""
        return _resident(self._process.pid)

    def model_memory(self) -> float:
        """Resident memory of the model's process in MiB; 0 if the model has no process of its own."""
        pid = self.request("tabspec/status", {})["model"]["pid"]
        return _resident(pid) if pid else 0.0

    def _data(self, method: str, params: Any) -> bytes:
        self._next += 1
        return _framed({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _body(self) -> bytes:
        assert self._process.stdout
        length = 0
        while (line := self._process.stdout.readline()) != b"\r\n":
            if not line:
                raise TabspecError("the server has ended")
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return self._process.stdout.read(length)

    def _result(self, body: bytes) -> Any:
        """The result of the last request; other messages are skipped. Raises `TabspecError` if the server fails."""
        while (message := json.loads(body)).get("id") != self._next or "method" in message:
            body = self._body()
        if "error" in message:
            raise TabspecError(f"the server returned an error: {message['error']['message']}")
        return message["result"]


@contextmanager
def running(module: str, *arguments: str, **options: Any) -> Iterator[ServerProcess]:
    """Start the server ``module``, initialize it, and kill it at the end. ``options`` are its settings."""
    process = processes.start(
        processes.python(module, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server = ServerProcess(process)
    try:
        capabilities: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
        params: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": capabilities}
        server.request("initialize", params | {"initializationOptions": options | {"patience": 60}})
        yield server
    finally:
        process.kill()
        process.communicate()


def _resident(pid: int) -> float:
    """Resident memory of a process in MiB; 0 on a system without /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def _script(folder: Path) -> str:
    """Write a script for a model that continues the document with 999 lines, and return the model's name."""
    lines = "".join(f"value_{i} = compute(value_{i - 1}, factor={i})\n" for i in range(1, 1000))
    path = folder / "script.json"
    path.write_text(json.dumps({"target": _SEED + lines} | _SCRIPT))
    return f"scripted:{path}"


def _framed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    if len(times) < 2:
        return {"p50": 0.0, "p99": 0.0, "count": len(times)}
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "count": len(times)}


def _print(result: dict[str, Any]) -> None:
    start, bare = result["initialize"], result["bare_reply"]
    rows = [
        ["initialize, bare pygls server", f"{start['bare']:.0f}", "", ""],
        [f"initialize, tabspec-lsp ({start['ratio']:.2f} times that)", f"{start['tabspec']:.0f}", "", ""],
        ["reply of a bare pygls server, after a pause", *_row(bare["after_a_pause"])],
        ["the same, to requests without a pause", *_row(bare["at_once"])],
    ]
    for model, sessions in result["models"].items():
        for name in _POLICIES:
            words, figures = f"{model}, {name.replace('_', ' ')}", sessions[name]
            rows += [
                [f"{words}: first suggestion, cold", f"{figures['first_cold']:.0f}", "", ""],
                [f"{words}: first suggestion, warm", f"{figures['first_warm']:.1f}", "", ""],
                [f"{words}: next suggestion after Tab", *_row(figures["tab"])],
                [f"{words}: hits", *_row(figures["hit"])],
                [f"{words}: hits while the model decodes", *_row(figures["hit_while_decoding"])],
                [f"{words}: Tabs answered with no wait", f"{figures['instant_tab_rate']:.0%}", "", ""],
                [
                    f"{words}: memory of server and model, MiB",
                    f"{figures['memory']:.0f} and {figures['model_memory']:.0f}",
                    "",
                    "",
                ],
            ]
    print_table("The language server over stdio, milliseconds", ["", "p50", "p99", "of"], rows)


def _row(figures: dict[str, float]) -> list[str]:
    return [f"{figures['p50']:.2f}", f"{figures['p99']:.2f}", f"{figures['count']:.0f}"]
