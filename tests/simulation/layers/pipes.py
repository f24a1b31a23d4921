"""Connections without sockets: two streams as asyncio's, whose bytes arrive at the loop's next turn, or are held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tabspec.models.messages import LONGEST_LINE


class End:
    """One end of a connection: a `StreamReader` of what the other end writes, and the methods of a `StreamWriter`.

    Bytes are held while ``flows`` is false: of an end that does not read, or whose process is frozen.
    """

    def __init__(self, flows: Callable[[], bool]) -> None:
        self.reader = asyncio.StreamReader(limit=LONGEST_LINE)
        self.peer: End = self
        self.unsent = bytearray()
        self.most_unsent = 0
        self._flows = flows
        self._closing = self._broken = False

    # --- as a writer, and its transport -----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self._closing:
            self.unsent += data
            self.most_unsent = max(self.most_unsent, len(self.unsent))
            asyncio.get_running_loop().call_soon(self.flush)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        self.unsent.clear()
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    @property
    def transport(self) -> End:
        return self

    async def drain(self) -> None:
        return None

    async def wait_closed(self) -> None:
        return None

    # --- the way ----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand on what may go."""
        if self._broken or not self._flows():
            return
        data = bytes(self.unsent)
        self.unsent.clear()
        if data and not self.peer._broken and not self.peer.reader.at_eof():
            self.peer.reader.feed_data(data)
        if self._closing:
            self.break_off()

    def break_off(self) -> None:
        """The connection is gone, for both."""
        for end in (self, self.peer):
            if not end._broken:
                end._broken = end._closing = True
                end.unsent.clear()
                end.reader.feed_eof()

    @property
    def open(self) -> bool:
        return not self._broken


def connection(flows: Callable[[], bool], reads: Callable[[], bool] = lambda: True) -> tuple[End, End]:
    """A client's end and a server's. ``flows``: whether the server's process is not frozen; ``reads``: whether the
    client reads."""
    client, server = End(flows), End(lambda: flows() and reads())
    client.peer, server.peer = server, client
    return client, server
