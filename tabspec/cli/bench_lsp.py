"""`tabspec bench lsp`: the language server over standard input and output, beside a bare one in the same run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tabspec.cli.machine import git_commit, machine
from tabspec.cli.tables import print_table
from tabspec.errors import TabspecError

_URI = "file:///bench/example.py"
_BARE = "tabspec_lsp.bare"
_SERVER = "tabspec_lsp.main"
# Something for a real model to go on from. A scripted one writes what comes behind it.
_SEED = '''"""Statistics of a series of values."""


def mean(values):
    return sum(values) / len(values)


'''
# What a small model takes on two processor cores: a prompt of a few tokens behind what it knows, and a token.
_SCRIPT = {"prefill_s": 0.02, "token_s": 0.004}


@click.command("lsp")
@click.option("--rounds", type=click.IntRange(10), default=300, show_default=True, help="Requests for each figure.")
@click.option("--starts", type=click.IntRange(1), default=9, show_default=True, help="Starts for each figure.")
@click.option("--model", default=None, help="The model; a scripted one with 20 ms + 4 ms a token if none is named.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def lsp_bench_command(rounds: int, starts: int, model: str | None, out: Path | None) -> None:
    """Time `initialize`, replies and Tab over stdio, with and without speculation; and the server's memory."""
    with tempfile.TemporaryDirectory() as folder:
        result = measure(rounds, starts, model or _script(Path(folder)))
    _print(result)
    if out:
        head = {"format": "tabspec-bench-lsp", "version": 1, "git_commit": git_commit(), "machine": machine()}
        out.write_text(json.dumps(head | result, indent=1) + "\n")


def measure(rounds: int, starts: int, model: str) -> dict[str, Any]:
    """All figures; times in milliseconds, from the last byte written to the last byte read; memory in MiB."""
    initialize = measure_start(starts, model)
    with running(_BARE) as bare:
        bare.open("")
        reply = _percentiles([bare.timed_inline(0, 0)[0] for _ in range(rounds)])
    result: dict[str, Any] = {"model": "" if model.startswith("scripted:") else model, "initialize": initialize}
    result["bare_reply"] = reply
    for name, policy in (("speculation", "adaptive"), ("no_speculation", "cache")):
        with running(_SERVER, "--model", model, policy=policy) as server:
            result[name] = _session(server, rounds) | {"memory": server.memory()}
    return result


def measure_start(starts: int, model: str) -> dict[str, Any]:
    """From starting the process to the answer to `initialize`, in turns with a bare server, so that both see the same
    machine."""
    times: dict[str, list[float]] = {_BARE: [], _SERVER: []}
    for number in range(starts + 1):
        for module, arguments in ((_BARE, ()), (_SERVER, ("--model", model))):
            begin = time.perf_counter()
            with running(module, *arguments):
                if number:  # the first start fills the system's file cache
                    times[module].append((time.perf_counter() - begin) * 1000)
    bare, ours = (statistics.median(times[module]) for module in (_BARE, _SERVER))
    return {"bare": bare, "tabspec": ours, "ratio": ours / bare}


def _session(server: Server, rounds: int) -> dict[str, Any]:
    """Write a text by Tab, Tab, Tab, typing three characters in between. Which answers were hits, the server says."""
    text, version = _SEED, 1
    tabs: list[float] = []
    typed: list[float] = []
    server.open(text)
    first, items = server.timed_inline(*_end(text))
    for number in range(rounds):
        if not items:
            # The model has come to an end: begin anew, a little differently.
            text = f"# {number}\n{_SEED}"
            version = server.change(version, text)
            _, items = server.timed_inline(*_end(text))
            continue
        said = items[0]["insertText"]
        time.sleep(0.15)  # as long as it takes to read a suggestion
        if number % 2 and len(said) > 4:
            for char in said[:3]:
                text += char
                version = server.change(version, text)
                taken, items = server.timed_inline(*_end(text))
                typed.append(taken)
        else:
            text += said
            version = server.change(version, text)
            taken, items = server.timed_inline(*_end(text))
            tabs.append(taken)
    status = server.request("tabspec/status", {})
    return {
        "first": first,
        "tab": _percentiles(tabs),
        "type_through": _percentiles(typed),
        "instant_tab_rate": status["instant_tab_rate"],
        "hit_rate": status["hit_rate"],
        "sources": status["sources"],
    }


def _end(text: str) -> tuple[int, int]:
    return text.count("\n"), len(text) - text.rfind("\n") - 1


class Server:
    """A server process, spoken to one message at a time, so that nothing of ours comes between write and read."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._next = 0

    def open(self, text: str) -> None:
        item = {"uri": _URI, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, version: int, text: str) -> int:
        """Replace the text; the new version."""
        document = {"uri": _URI, "version": version + 1}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        return version + 1

    def timed_inline(self, line: int, character: int) -> tuple[float, list[dict[str, Any]]]:
        """Milliseconds from the request written to the response read, and its items."""
        params = {"textDocument": {"uri": _URI}, "position": {"line": line, "character": character}}
        data = self._data("textDocument/inlineCompletion", params | {"context": {"triggerKind": 2}})
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
        """Resident MiB of the process (not of a model's process); 0 where the system does not say."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0.0
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

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
        """The result of the request sent last; what else the server says is passed over."""
        while (message := json.loads(body)).get("id") != self._next or "method" in message:
            body = self._body()
        if "error" in message:
            raise TabspecError(f"the server says: {message['error']['message']}")
        return message["result"]


@contextmanager
def running(module: str, *arguments: str, **options: Any) -> Iterator[Server]:
    """A server of this module that has been initialized."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server = Server(process)
    try:
        capabilities: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
        params: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": capabilities}
        server.request("initialize", params | {"initializationOptions": options | {"patience": 60}})
        yield server
    finally:
        process.kill()
        process.communicate()


def _script(folder: Path) -> str:
    """A scripted model that writes a program without end."""
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
    start = result["initialize"]
    rows = [
        ["initialize, bare pygls server", f"{start['bare']:.0f}", ""],
        [f"initialize, tabspec-lsp ({start['ratio']:.2f} times that)", f"{start['tabspec']:.0f}", ""],
        ["reply of a bare pygls server", *_row(result["bare_reply"])],
    ]
    for name, words in (("speculation", "with speculation"), ("no_speculation", "without")):
        figures = result[name]
        rows += [
            [f"{words}: first suggestion", f"{figures['first']:.2f}", ""],
            [f"{words}: next suggestion after Tab", *_row(figures["tab"])],
            [f"{words}: while typing what it says", *_row(figures["type_through"])],
            [f"{words}: Tabs answered with no wait", f"{figures['instant_tab_rate']:.0%}", ""],
            [f"{words}: memory of the server, MiB", f"{figures['memory']:.0f}", ""],
        ]
    print_table("The language server over stdio, milliseconds", ["", "p50", "p99"], rows)


def _row(figures: dict[str, float]) -> list[str]:
    return [f"{figures['p50']:.2f}", f"{figures['p99']:.2f}"]
