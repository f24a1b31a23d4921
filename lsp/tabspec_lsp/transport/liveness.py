"""Stops the server when the editor dies without closing its end of the pipe (LSP's `processId`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

# Systems without pidfd (other than Linux from 5.3 on) are polled.
_POLL_S = 5.0


class ProcessWatch:
    """Calls ``gone`` once, when process ``pid`` has ended. `close` stops the watch.

    A process that does not exist at the start is not watched: the editor is in another container or on another host.
    """

    def __init__(self, pid: int, gone: Callable[[], None]) -> None:
        self._pid, self._gone = pid, gone
        self._fd: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # On Windows, os.kill(pid, 0) would kill. There, only the end of the pipe stops the server.
        if os.name == "nt" or pid <= 0 or not _lives(pid):
            return
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._fd = os.pidfd_open(pid)
                self._loop.add_reader(self._fd, self._ended)
                return
        self._poll()

    def close(self) -> None:
        """Stop the watch."""
        if self._timer:
            self._timer.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _poll(self) -> None:
        if _lives(self._pid):
            self._timer = self._loop.call_later(_POLL_S, self._poll)
        else:
            self._ended()

    def _ended(self) -> None:
        self.close()
        self._gone()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return False
    return True
