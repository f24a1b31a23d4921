"""Reading a file that others may have put there: a regular one, and not more of it than the caller can use."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # not on Windows, where making a link needs a right of its own


class NotRegular(OSError):
    """A pipe, a device, a folder: opening or reading it may never end."""


class TooLarge(OSError):
    """The file has more bytes than the caller can use."""


def read_regular(path: Path, most_bytes: int, *, follow: bool = True) -> bytes:
    """The file's bytes. Raises OSError: `NotRegular`, `TooLarge`, or what the system reports.

    ``follow``: whether ``path`` may be a link itself. (Links in the folders above it are followed.)
    """
    file = os.open(path, _FLAGS | (0 if follow else _NO_LINK))
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotRegular(None, "no regular file")
        blocks: list[bytes] = []
        left = most_bytes + 1  # one more shows that there is more, also in a file that grows meanwhile
        while left and (block := os.read(file, min(left, 1 << 20))):
            blocks.append(block)
            left -= len(block)
    finally:
        os.close(file)
    if not left:
        raise TooLarge(None, f"more than {most_bytes:,} bytes")
    return b"".join(blocks)
