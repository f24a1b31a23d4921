"""An editor in memory: LSP's messages to a real `TabspecServer`, and what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tabspec_lsp.server import TabspecServer
from tabspec_lsp.transport.frames import FrameParser

Json = dict[str, Any]


class Editor:
    """Both ends of the server's streams. ``answered`` is called with a request's id and its answer."""

    def __init__(self, server: TabspecServer, answered: Callable[[int, Json], None]) -> None:
        self._parser = FrameParser()
        self._answered, self._numbers = answered, 0
        self._bytes: asyncio.Queue[bytes] = asyncio.Queue()
        self.serving = asyncio.ensure_future(server.serve(self._bytes.get, self))

    def notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: object) -> int:
        self._numbers += 1
        self._send({"id": self._numbers, "method": method, "params": params})
        return self._numbers

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._bytes.put_nowait(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    # --- the server's output ----------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        for message in self._parser.feed(data):
            if "method" not in message:
                self._answered(message["id"], message)
            elif "id" in message:  # a request of the server's: whatever it wants, this client does
                self._send({"id": message["id"], "result": None})

    async def drain(self) -> None:
        return None

    def close(self) -> None:
        return None
