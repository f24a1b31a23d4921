"""A small LSP client over a real process's standard input and output, that can also misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from forked import Forked

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
# Seconds; only for a test that fails. Machines that run other things beside are slow.

URI = "file:///project/example.py"

INLINE = {"textDocument": {"inlineCompletion": {}}}
"""Capabilities of a client that shows inline completions, and nothing else."""


def environment() -> dict[str, str]:
    """The environment in which the server of this checkout runs."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lsp")])}


class ResponseError(Exception):
    """The server answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.code = error["code"]


class Client:
    """Messages that come in are kept in ``log``; requests of the server are answered by ``answers`` (null else)."""

    def __init__(self, process: asyncio.subprocess.Process | Forked) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.capabilities: dict[str, Any] = {}
        self._next = 0
        self._waiting: dict[int | str, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, *arguments: str, read: bool = True, forked: bool = True, **kwargs: Any) -> Client:
        """Start a server. ``read`` false: never read what it writes. ``forked`` false, or with anything that
        `asyncio.create_subprocess_exec` is to be told: as an editor starts it."""
        process = (
            await Forked.start(arguments, environment())
            if forked and not kwargs
            else await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tabspec_lsp.main", *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=kwargs.pop("stderr", None),
                env=environment(), limit=1 << 16, **kwargs,
            )
        )  # fmt: skip
        client = cls(process)
        if read:
            client.listen()
        return client

    def listen(self) -> None:
        """Begin to read what the server writes."""
        self._reading = asyncio.create_task(self._read())

    async def initialize(
        self, capabilities: Mapping[str, Any] = INLINE, options: Any = None, **params: Any
    ) -> dict[str, Any]:
        """`initialize` and `initialized`; what the server can do."""
        given = {"processId": None, "rootUri": None, "capabilities": capabilities, "initializationOptions": options}
        result = await self.request("initialize", given | params)
        self.capabilities = result["capabilities"]
        self.notify("initialized", {})
        return self.capabilities

    # --- messages ---------------------------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)

    def send(self, message: Any) -> None:
        body = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def begin(self, method: str, params: Any) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id, and what will be its result."""
        self._next += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._next] = future
        self.send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next, future

    async def request(self, method: str, params: Any = None) -> Any:
        return await _in_time(self.begin(method, params)[1])

    async def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message, in what came and what will come, for which ``found`` holds."""
        async with self._changed:
            async with asyncio.timeout(PATIENCE):
                await self._changed.wait_for(lambda: any(map(found, self.log)))
        return next(filter(found, self.log))

    async def notified(self, method: str, **params: Any) -> Any:
        """The parameters of the first notification of this method that has these parameters."""
        message = await self.until(
            lambda one: (
                one.get("method") == method and all(one["params"].get(key) == value for key, value in params.items())
            )
        )
        return message["params"]

    def received(self, method: str) -> list[Any]:
        """The parameters of all messages of this method so far."""
        return [message["params"] for message in self.log if message.get("method") == method]

    # --- an editor --------------------------------------------------------------------------------------------------

    def open(self, text: str, uri: str = URI, version: int = 1) -> None:
        item = {"uri": uri, "languageId": "python", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, version: int | None, *changes: Mapping[str, Any], uri: str = URI) -> None:
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    def close(self, uri: str = URI) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def begin_inline(
        self, line: int, character: int, uri: str = URI, **context: Any
    ) -> tuple[int, asyncio.Future[Any]]:
        params = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return self.begin("textDocument/inlineCompletion", params | {"context": {"triggerKind": 2} | context})

    async def inline(self, line: int, character: int, uri: str = URI, **context: Any) -> list[dict[str, Any]]:
        """The items of an inline completion request."""
        result = await _in_time(self.begin_inline(line, character, uri, **context)[1])
        assert isinstance(result["items"], list)
        return result["items"]

    async def command(self, item: Mapping[str, Any], name: str | None = None) -> None:
        """Run an item's command (or another one with its arguments)."""
        command = item["command"]
        params = {"command": name or command["command"], "arguments": command["arguments"]}
        await self.request("workspace/executeCommand", params)

    async def status(self) -> dict[str, Any]:
        result = await self.request("tabspec/status", {})
        assert isinstance(result, dict)
        return result

    async def stop(self) -> int:
        """`shutdown` and `exit`; the exit code."""
        await self.request("shutdown")
        self.notify("exit", None)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the process; its exit code."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def kill(self) -> None:
        """Whatever has happened, leave no process running."""
        if self._reading:
            self._reading.cancel()
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()

    # --- the process ------------------------------------------------------------------------------------------------

    def memory(self) -> int:
        """Resident bytes of the server's process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def maps(self, name: str) -> bool:
        """Whether a file with this name in its path is mapped into the server's process."""
        return name in Path(f"/proc/{self.process.pid}/maps").read_text()

    # --- reading ----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        assert self.process.stdout
        while header := await self.process.stdout.readline():
            # Only protocol may stand in the server's standard output: everything else fails here.
            name, _, value = header.decode("ascii").partition(":")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() != "content-type":
                assert header == b"\r\n", f"not a header: {header!r}"
                await self._received(json.loads(await self.process.stdout.readexactly(length)))

    async def _received(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if "method" in message and number is not None:
            answer = self.answers.get(message["method"], lambda params: None)
            self.send({"jsonrpc": "2.0", "id": number, "result": answer(message["params"])})
        elif number is not None and (future := self._waiting.pop(number, None)) and not future.done():
            if "error" in message:
                future.set_exception(ResponseError(message["error"]))
            else:
                future.set_result(message["result"])
        async with self._changed:
            self.log.append(message)
            self._changed.notify_all()


async def _in_time(answer: asyncio.Future[Any]) -> Any:
    """The answer, within `PATIENCE`.

    Not by `asyncio.wait_for`: before Python 3.12 it ignores a cancel if the answer has come in the same turn. A loop of
    requests within an `asyncio.timeout` would then never end.
    """
    async with asyncio.timeout(PATIENCE):
        return await answer
