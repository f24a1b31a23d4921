"""Another local user can neither act as the daemon nor be its client: folder, socket and peer are checked."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from tabspec.errors import InputError
from tabspec.models.daemon import private
from tabspec.models.daemon.client import Connection, ask
from tabspec.models.daemon.place import DaemonFolder, find
from tabspec.models.daemon.private import NotOurs, check_peer, opened_folder, peer_user
from tabspec.models.daemon.server import Daemon
from tabspec.models.daemon.shared import SharedModel
from tabspec.models.messages import to_line
from tests.patience import PATIENCE

OTHER = 65534  # "nobody" on most systems
# `make test` runs as root, who alone can become another user; the tests without the mark hold for everybody.
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def shared_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder like /tmp, and no XDG_RUNTIME_DIR."""
    folder = Path(tempfile.mkdtemp(prefix="ts-", dir="/tmp"))
    folder.chmod(0o1777)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(shared_folder: Path) -> DaemonFolder:
    return find(make=True)


# Imports first: the Python that runs the tests may lie in a folder that only root may enter.
BECOME = f"import os, socket, sys\nos.setgroups([])\nos.setgid({OTHER})\nos.setuid({OTHER})\nargs = sys.argv[1:]\n"


@contextmanager
def another_user(code: str, *arguments: object, stdin: int | None = None) -> Iterator[IO[str]]:
    """Runs ``code`` as another user until the block ends; gives what it prints. It has printed a line already."""
    command = [sys.executable, "-I", "-c", BECOME + code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.stdout
        finally:
            process.kill()


LISTEN = """
folder = args[0]
os.makedirs(folder, mode=0o700, exist_ok=True)
os.chmod(folder, int(args[1], 8))
listening = socket.socket(socket.AF_UNIX)
listening.bind(folder + "/daemon.sock")
os.chmod(folder + "/daemon.sock", 0o666)
listening.listen()
print("ready", flush=True)
sys.stdin.read()
"""
LISTEN_ON_GIVEN = """
listening = socket.socket(fileno=0)
listening.listen()
print("ready", flush=True)
peer, _ = listening.accept()
print(peer.recv(1000), flush=True)
"""
ASK = """
print("ready", flush=True)
client = socket.socket(socket.AF_UNIX)
client.connect(args[0])
try:
    client.sendall(args[1].encode())
    print(client.recv(1000), flush=True)
except ConnectionError:
    print(b"", flush=True)
"""


@as_root
@pytest.mark.parametrize("mode", ["700", "755", "777"])
async def test_another_users_folder_is_not_used(mode: str, shared_folder: Path) -> None:
    """The client has started before it: nothing was there to be checked then."""
    place = find()
    model = SharedModel("/nowhere", place=place)
    assert place.mark() is None and not await model.connect()
    with another_user(LISTEN, place.folder, mode, stdin=subprocess.PIPE):
        assert (place.folder / "daemon.sock").exists()
        assert place.mark() is None and not await model.connect()
        with pytest.raises(NotOurs, match="yours alone"):
            await Connection.open(place, None, lambda *_: None)
        assert await ask(place, "status") is None
        for make in (False, True):
            with pytest.raises(InputError, match="yours alone"):
                find(make=make)
    await model.close()


@as_root
async def test_a_daemon_of_another_user_in_our_folder_gets_no_data(place: DaemonFolder) -> None:
    """Folder and socket are ours, as if they had been given away; who listens is another user."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place.socket))
        with another_user(LISTEN_ON_GIVEN, stdin=listening.fileno()) as said:
            assert place.mark() is not None, "nothing is wrong with the socket itself"
            with pytest.raises(NotOurs, match=str(OTHER)):
                await Connection.open(place, None, lambda *_: None)
            assert await asyncio.to_thread(said.readline) == "b''\n"


@as_root
async def test_connections_of_another_user_are_refused(place: DaemonFolder) -> None:
    """Even if the socket were open to all: the daemon says nothing and ends the connection; ours goes on."""
    async with serving(place):
        place.folder.chmod(0o711)
        place.socket.chmod(0o666)
        for op in ("status", "stop"):
            with another_user(ASK, place.socket, to_line(op).decode()) as said:
                assert await asyncio.to_thread(said.readline) == "b''\n"
        place.folder.chmod(0o700)
        told = await ask(place, "status")
        assert told and told["pid"] == os.getpid(), "and it was not stopped"


@asynccontextmanager
async def serving(place: DaemonFolder) -> AsyncIterator[None]:
    """A daemon in this process, whose model never gets ready."""
    with place.owned() as listening:
        daemon = Daemon(None, command=(sys.executable, "-I", "-c", "import sys; sys.stdin.read()"))
        listening.listen()  # so that clients can connect at once
        running = asyncio.create_task(daemon.run(listening))
        try:
            yield
        finally:
            daemon.stop()
            await running


# --- what any user can check ------------------------------------------------------------------------------------------


async def test_our_own_folder_and_socket_are_used(place: DaemonFolder) -> None:
    assert place.folder.name == f"tabspec-{os.geteuid()}"
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
    async with serving(place):
        assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
        told = await ask(place, "status")
        assert told and told["pid"] == os.getpid()
    assert place.mark() is None


def spoil(place: DaemonFolder, how: str) -> None:
    if how == "mode":
        place.folder.chmod(0o770)
    elif how == "link to a folder":
        place.folder.rmdir()
        real = place.folder.with_name("real")
        real.mkdir(mode=0o700)
        place.folder.symlink_to(real)
    elif how == "link to nothing":
        place.folder.rmdir()
        place.folder.symlink_to(place.folder.with_name("nothing"))
    else:
        place.folder.rmdir()
        place.folder.touch(0o600)


@pytest.mark.parametrize("how", ["mode", "link to a folder", "link to nothing", "file"])
async def test_a_folder_that_changes_later_is_not_used(place: DaemonFolder, how: str) -> None:
    spoil(place, how)
    assert place.mark() is None
    with pytest.raises(OSError):
        await place.open()
    for make in (False, True):
        with pytest.raises(InputError, match="yours alone"):
            find(make=make)
    with pytest.raises(OSError), place.owned():
        raise AssertionError("it must not listen there")


async def test_links_in_the_folder_are_not_followed(place: DaemonFolder) -> None:
    outside = place.folder.with_name("outside")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(outside))
        listening.listen()
        place.socket.symlink_to(outside)
        assert place.mark() is None
        with pytest.raises(NotOurs):
            await place.open()
    (place.folder / "daemon.lock").symlink_to(place.folder.with_name("victim"))
    with pytest.raises(OSError), place.owned():
        raise AssertionError("the lock is a link")
    assert not place.folder.with_name("victim").exists()


async def test_the_peer_is_checked_on_both_sides(place: DaemonFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As seen by another user than that of this process."""
    ours = os.geteuid()
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_user(one) == peer_user(other) == ours
        check_peer(one)
    async with serving(place):
        asked: list[Any] = []

        def check(connected: Any) -> None:
            asked.append(peer_user(connected))
            raise NotOurs("another user")

        monkeypatch.setattr("tabspec.models.daemon.server.check_peer", check)
        reader, writer = await place.open()
        writer.write(to_line("stop"))
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        monkeypatch.undo()
        monkeypatch.setattr("tabspec.models.daemon.place.check_peer", check)
        with pytest.raises(NotOurs):
            await place.open()
        assert asked == [ours, ours]


def test_the_peers_user_is_read_on_macos_and_freebsd(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS and FreeBSD answer with a struct xucred: version, user, number of groups, groups."""

    class Connected:
        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            assert (level, option, size) == (0, 1, 76)
            return (0).to_bytes(4, sys.byteorder) + (501).to_bytes(4, sys.byteorder) + bytes(68)

    monkeypatch.setattr(private.sys, "platform", "darwin")
    assert peer_user(Connected()) == 501  # type: ignore[arg-type]


def test_an_opened_folder_is_the_one_that_was_looked_at(place: DaemonFolder) -> None:
    with opened_folder(place.folder) as folder:
        place.folder.rename(place.folder.with_name("away"))
        place.folder.mkdir(0o700)
        os.close(os.open("note", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    assert place.folder.with_name("away").joinpath("note").exists() and not list(place.folder.iterdir())


def test_the_daemon_opens_no_port(place: DaemonFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tabspec", "daemon", "--tcp", "0"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "No such option" in done.stderr
