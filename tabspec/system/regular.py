"""Reading a file that others may have put there: a regular one, and not more of it than the caller can use."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # not on Windows, where making a link needs a right of its own


class NotRegular(OSError):
    """A pipe, a device, a folder: opening or reading it may never end."""


class TooLarge(OSError):
    """The file has more bytes than the caller can use."""


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """The file, open for reading, without a buffer. Raises OSError: `NotRegular`, or what the system reports.

    ``follow``: whether ``path`` may be a link itself. (Links in the folders above it are followed.)
    """
    number = os.open(path, _FLAGS | (0 if follow else _NO_LINK))
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotRegular(None, "no regular file")
        return os.fdopen(number, "rb", buffering=0)
    except BaseException:
        os.close(number)
        raise


def read_regular(path: Path, most_bytes: int, *, follow: bool = True) -> bytes:
    """The file's bytes. Raises OSError: `TooLarge`, or as `open_regular`."""
    blocks: list[bytes] = []
    left = most_bytes + 1  # one more shows that there is more, also in a file that grows meanwhile
    with open_regular(path, follow=follow) as file:
        while left and (block := file.read(min(left, 1 << 20))):
            blocks.append(block)
            left -= len(block)
    if not left:
        raise TooLarge(None, f"more than {most_bytes:,} bytes")
    return b"".join(blocks)
