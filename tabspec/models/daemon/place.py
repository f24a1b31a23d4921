"""Where the daemon of this user is found.

A folder that belongs to the user alone (mode 0700) holds its socket (0600), its lock, its log and, for TCP, its token.
Who holds the lock is the daemon: a socket beside a lock that nobody holds is what a killed one has left.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from socket import socket as Socket

from tabspec import __version__
from tabspec.errors import InputError
from tabspec.models.load import BUNDLED
from tabspec.models.wire import LONGEST_LINE

ADDRESS, TOKEN = "TABSPEC_DAEMON", "TABSPEC_DAEMON_TOKEN"
"""Environment: ``127.0.0.1:PORT`` instead of the socket, and the token for it."""

# The name of a Unix socket has 108 bytes on Linux and 104 on macOS, with a zero at its end.
_LONGEST_PATH = 103

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Place:
    """The daemon's folder. ``address`` is host and port where it is to be reached over TCP instead."""

    folder: Path
    address: tuple[str, int] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "daemon.sock"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    def mark(self) -> object:
        """Something that is another one for another daemon; None where there is none (it may have been killed)."""
        if self.address:
            return self.address
        try:
            found = self.socket.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    async def open(self) -> Pair:
        """Connect. Raises OSError if no daemon is there."""
        if self.address:
            return await asyncio.open_connection(*self.address, limit=LONGEST_LINE)
        return await asyncio.open_unix_connection(self.socket, limit=LONGEST_LINE)

    def token(self) -> str:
        """The token for TCP; "" if there is none, or over the socket."""
        if not self.address:
            return ""
        try:
            return os.environ.get(TOKEN, "") or (self.folder / "daemon.token").read_text("ascii").strip()
        except (OSError, ValueError):
            return ""

    def new_token(self) -> str:
        """Make a token, which only the user can read."""
        token, path = secrets.token_urlsafe(32), self.folder / "daemon.token"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
        return token

    @contextmanager
    def owned(self) -> Iterator[Socket]:
        """Be the daemon: hold the lock, and a socket to listen on. Raises `InputError` if another one is it."""
        import fcntl  # not on Windows, where `find` has refused already

        lock = os.open(self.folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                told = "`tabspec daemon --status` tells which"
                raise InputError(f"a daemon is running in {self.folder}; {told}") from None
            self.socket.unlink(missing_ok=True)
            listening = Socket(socket.AF_UNIX)
            before = os.umask(0o177)
            try:
                listening.bind(str(self.socket))
            finally:
                os.umask(before)
            try:
                yield listening
            finally:
                listening.close()
                self.socket.unlink(missing_ok=True)
        finally:
            os.close(lock)


def find(make: bool = False) -> Place:
    """The place of this user's daemon: ``$XDG_RUNTIME_DIR/tabspec``, else a folder in the temporary one. ``make``: make
    the folder. Raises `InputError` where it cannot be, is not the user's alone, or on systems without Unix sockets."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "getuid"):
        raise InputError("the daemon needs Unix sockets, which this system has not")
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base) / "tabspec" if base else Path(tempfile.gettempdir()) / f"tabspec-{os.getuid()}"
    if len(os.fsencode(folder / "daemon.sock")) > _LONGEST_PATH:
        raise InputError(f"{folder}: too long a path for a socket; set XDG_RUNTIME_DIR to a shorter one")
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.lexists(folder):
        # Anybody could have made the folder in a temporary one that all share, and a socket in it.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise InputError(f"{folder} is not a folder of yours alone (mode 0700); the daemon is not used")
    return Place(folder, _tcp(os.environ.get(ADDRESS, "")))


def _tcp(address: str) -> tuple[str, int] | None:
    if not address:
        return None
    host, _, port = address.rpartition(":")
    try:
        if ip_address(host.strip("[]")).is_loopback and 0 < int(port) < 1 << 16:
            return host.strip("[]"), int(port)
    except ValueError:
        pass
    raise InputError(f"{ADDRESS}={address}: not a port of this machine; one looks like 127.0.0.1:7700")


def identity(model: str | None) -> dict[str, str]:
    """What tells one model of one version from another, without loading it. Only clients with the same are served.

    ``stamp`` changes when a file in the model's folder does: its fingerprint is known only when it is loaded.
    """
    name = model or "bundled"
    folder = BUNDLED if name == "bundled" else Path(name)
    if not folder.is_dir():
        return {"version": __version__, "model": name, "stamp": ""}
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    told = repr([(name, found.st_size, found.st_mtime_ns) for name, found in files])
    shown = name if name == "bundled" else str(folder.resolve())
    return {"version": __version__, "model": shown, "stamp": blake2b(told.encode(), digest_size=8).hexdigest()}
