"""Back-off: how long nothing is sent to a server that failed, or that asked the client to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

# The first pause is shorter than the gap between two requests of a typing user, so that a single failure costs one
# suggestion. The longest pause is how long suggestions may be missing after the server has come back.
FIRST_S, LONGEST_S = 0.25, 5.0
# A server may ask for a longer pause, but not for more than a minute: it may be set up wrongly.
LONGEST_ASKED_S = 60.0


class Backoff:
    """Pauses that double from failure to failure, and end with the first success. The clock is the running loop's."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._until = 0.0
        self.why = ""

    def left(self) -> float:
        """Seconds for which nothing should be sent."""
        return max(self._until - asyncio.get_running_loop().time(), 0.0) if self._until else 0.0

    def failed(self, why: str, asked: float | None = None) -> None:
        """A request failed; the server asked to wait ``asked`` seconds."""
        self._pause = min(max(2 * self._pause, FIRST_S), LONGEST_S)
        pause = self._pause if asked is None else min(asked, LONGEST_ASKED_S)
        # Of several requests that fail at the same time, another one may have been asked for a longer pause.
        self._until = max(self._until, asyncio.get_running_loop().time() + pause)
        self.why = why

    def succeeded(self) -> None:
        """A request was answered."""
        self._pause = self._until = 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds in a response's Retry-After; None if there are none (a date counts as none)."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
