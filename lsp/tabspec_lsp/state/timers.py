"""One timer for each document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Calls a function some seconds after `start`, unless the document's timer is stopped or started again before."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def start(self, uri: str, call: Callable[[], None]) -> None:
        """Start the document's timer, in place of one that is running."""
        self.stop(uri)

        def over() -> None:
            self._handles.pop(uri, None)
            call()

        self._handles[uri] = asyncio.get_running_loop().call_later(self._seconds, over)

    def stop(self, uri: str) -> None:
        """Stop the document's timer, if it is running."""
        if handle := self._handles.pop(uri, None):
            handle.cancel()

    def close(self) -> None:
        """Stop all timers."""
        for uri in list(self._handles):
            self.stop(uri)
