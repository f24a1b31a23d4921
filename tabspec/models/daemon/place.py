"""Where the daemon of this user is found.

A folder that belongs to the user alone (mode 0700) holds its socket (0600), its lock and its log. The process that
holds the lock is the daemon; a socket without a held lock was left by a killed daemon. At every connection it is
checked that folder, socket and the process at the other end belong to this user (`tabspec.models.daemon.private`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from socket import socket as Socket

from tabspec import __version__
from tabspec.errors import InputError
from tabspec.models.daemon.private import NotOurs, check_peer, found_socket, make_folder, opened_folder
from tabspec.models.files.hub import OWN, absolute
from tabspec.models.files.large import AUTO, LARGE, large_folder
from tabspec.models.files.mine import MINE, mine_folder
from tabspec.models.load import BUNDLED, BUNDLED_EDITS
from tabspec.models.messages import LONGEST_LINE

log = logging.getLogger(__name__)

# The name of a Unix socket has 108 bytes on Linux and 104 on macOS, with a zero at its end.
_LONGEST_PATH = 103
_SOCKET, _LOCK = "daemon.sock", "daemon.lock"

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class DaemonFolder:
    """The daemon's folder."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / _SOCKET

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    def mark(self) -> object:
        """A value that differs from daemon to daemon; None if there is no socket. The daemon may have been killed."""
        try:
            with opened_folder(self.folder) as folder:
                found = found_socket(folder, _SOCKET)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    async def open(self) -> Pair:
        """Connect. Raises OSError, with nothing sent, if there is no daemon of this user."""
        with opened_folder(self.folder) as folder:
            found_socket(folder, _SOCKET)
        reader, writer = await asyncio.open_unix_connection(self.socket, limit=LONGEST_LINE)
        try:
            check_peer(writer.get_extra_info("socket"))
        except OSError as error:
            log.warning("the daemon in %s is not used: %s", self.folder, error)
            writer.close()
            raise
        return reader, writer

    @contextmanager
    def owned(self) -> Iterator[Socket]:
        """Become the daemon: hold the lock, and a socket to listen on. Raises `InputError` if there is another daemon,
        OSError if the folder is not this user's alone."""
        import fcntl  # does not exist on Windows, where `find` raises

        with opened_folder(self.folder) as folder:
            lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            try:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise InputError(f"a daemon is running in {self.folder}; see `tabspec daemon --status`") from None
                _remove(folder)
                with Socket(socket.AF_UNIX) as listening:
                    before = os.umask(0o177)
                    try:
                        listening.bind(str(self.socket))
                    finally:
                        os.umask(before)
                    found_socket(folder, _SOCKET)  # in this very folder: the path may lead elsewhere by now
                    try:
                        yield listening
                    finally:
                        _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_SOCKET, dir_fd=folder)


def find(make: bool = False) -> DaemonFolder:
    """The place of this user's daemon: ``$XDG_RUNTIME_DIR/tabspec``, else a folder in the temporary one. ``make``: make
    the folder. Raises `InputError` if its path is too long, if it is not the user's alone, or on systems without Unix
    sockets; OSError if it cannot be made."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "geteuid"):
        raise InputError("the daemon needs Unix sockets, which this system does not have")
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base) / "tabspec" if base else Path(tempfile.gettempdir()) / f"tabspec-{os.geteuid()}"
    if len(os.fsencode(folder / _SOCKET)) > _LONGEST_PATH:
        raise InputError(f"{folder}: too long a path for a socket; set XDG_RUNTIME_DIR to a shorter one")
    if make:
        make_folder(folder)
    try:
        with suppress(FileNotFoundError), opened_folder(folder):
            pass
    except NotOurs as error:
        raise InputError(str(error)) from None
    return DaemonFolder(folder)


def identity(model: str | None) -> dict[str, str]:
    """Identifies a model and tabspec's version, without loading the model. The daemon serves clients with the same
    identity only.

    ``stamp`` changes when a file in the model's folder does: the fingerprint is known only after loading.
    """
    name = absolute(model) or "bundled"
    large = large_folder()
    if name == AUTO and large is None:
        name = "bundled"
    folder = {"bundled": BUNDLED, MINE: mine_folder(), LARGE: large, AUTO: large}.get(name) or Path(name)
    if not folder.is_dir():
        return {"version": __version__, "model": name, "stamp": ""}
    # `auto` and `mine` may be the bundled model, and most models leave edits to the bundled edit model.
    folders = [each for each in (folder, BUNDLED, BUNDLED_EDITS) if each.is_dir()]
    files = [(path.name, path.stat()) for each in folders for path in sorted(each.iterdir()) if path.is_file()]
    stamped = repr([(name, found.st_size, found.st_mtime_ns) for name, found in files])
    shown = name if name in OWN else str(folder.resolve())
    return {"version": __version__, "model": shown, "stamp": blake2b(stamped.encode(), digest_size=8).hexdigest()}
