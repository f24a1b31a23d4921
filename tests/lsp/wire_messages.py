"""Messages as bytes on the wire, and content changes, for tests that write them by hand."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lsp_client import URI, Client


def framed(body: bytes, length: int | None = None) -> bytes:
    """A message with its header; ``length``: a wrong one in place of the body's own."""
    return b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def notification(method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def wire(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    """A content change: ``text`` for what stands between two places."""
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": places[0], "end": places[1]}, "text": text}


async def text_agrees(client: Client, text: str, uri: str = URI) -> bool:
    """Whether the server's text of a document is this one."""
    known = await client.request("tabspec/document", {"uri": uri})
    return bool(known and known["sha256"] == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
