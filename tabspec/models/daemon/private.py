"""Checks that a folder, and the process at the other end of a Unix socket, belong to this user alone.

Without ``XDG_RUNTIME_DIR``, the daemon's folder is in a temporary one that all users share. Another user can make a
folder of that name first, and listen there. So the folder's owner and mode are checked, and the kernel is asked for the
user at the other end of each connection.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# From sys/un.h of macOS and FreeBSD: the level, the option, and its answer (version and user, then groups).
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES = 0, 1, 76


class NotOurs(PermissionError):
    """A folder, a socket or a process is not this user's. A client handles it like a missing daemon."""


def make_folder(path: Path) -> None:
    """Make the folder, for this user alone, if nothing has its name."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder, for ``dir_fd``: operations by it apply to the folder that was checked.

    Raises `NotOurs` if it is a link, no folder, another user's, or open to others; FileNotFoundError if nothing is
    there.
    """
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:  # a link or a file, or one that may not be read
        raise NotOurs(_refusal(path)) from None
    try:
        found = os.fstat(folder)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise NotOurs(_refusal(path))
        yield folder
    finally:
        os.close(folder)


def found_socket(folder: int, name: str) -> os.stat_result:
    """The socket of this name in an opened folder. Raises `NotOurs` if it is something else, or not this user's,
    FileNotFoundError if nothing is there."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise NotOurs(f"{name} is not a socket of yours")
    return found


def check_peer(connected: socket.socket) -> None:
    """Raises `NotOurs` unless the process at the other end belongs to this user."""
    user = peer_user(connected)
    if user != os.geteuid():
        raise NotOurs(f"the process at the other end belongs to another user ({user})")


def peer_user(connected: socket.socket) -> int:
    """The user of the process at the other end of a Unix socket."""
    if sys.platform == "linux":
        _, user, _ = struct.unpack("iII", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    else:
        _, user = struct.unpack_from("II", connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
    return int(user)


def _refusal(path: Path) -> str:
    return f"{path} is not a folder of yours alone (mode 0700); the daemon is not used"
