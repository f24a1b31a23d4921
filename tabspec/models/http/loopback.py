"""HTTP/1.1 to a server on this machine, with nothing between the socket and httpx's requests and responses.

httpx's own transport takes what it reads through httpcore, anyio and h11, and writes a request's head and body apart;
at a token every few milliseconds that is most of what a client costs (docs/servers.md has the figures). This one knows
what a model server on loopback needs: no TLS, no proxy, no HTTP/2. All else stays with httpx.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from tabspec.models.http.secrets import stays_here

# The most that is read at once: of the order of a socket's buffer.
PIECE = 1 << 16
# What asyncio's reader raises where something else comes than HTTP has, or nothing; and what is raised below.
_NO_HTTP = (EOFError, ValueError, asyncio.LimitOverrunError)
# Idle connections that are kept: as many as requests at a time with one server, mostly.
IDLE = 8


def direct(base: str) -> bool:
    """Whether `Loopback` can speak to the server at ``base``: it is on this machine, speaks plain HTTP, and the
    environment names no proxy for it."""
    parts = urlsplit(base)
    if parts.scheme != "http" or not stays_here(base):
        return False
    proxied = getproxies().keys() & {"http", "all"}
    return not proxied or bool(proxy_bypass(parts.hostname or ""))


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def rest(self) -> None:
        """Leave what comes from now on in the kernel, where `usable` can see that there is something."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def wake(self) -> None:
        """Read again."""
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    @property
    def usable(self) -> bool:
        """While it rests: whether it is open, and nothing has come that was not asked for (its end, or a server's
        complaint that nothing was asked for long)."""
        if self.writer.is_closing() or self.reader.at_eof():
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self.writer.get_extra_info("socket"), selectors.EVENT_READ)
            return not selector.select(0)

    def close(self) -> None:
        self.writer.transport.abort()  # what is not sent yet is of no use


class Loopback(httpx.AsyncBaseTransport):
    """Connections are kept while the server keeps them. Errors are httpx's. A response that is closed before its end
    closes its connection, which is how a server learns that nobody reads on."""

    def __init__(self) -> None:
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = await self._connection(request)
        try:
            # head and body in one: two would wake the server twice
            connection.writer.write(_head(request) + await request.aread())
            status, headers, lasting = await _response_head(connection.reader)
            body = _reading(connection.reader, request.method, status, headers)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise httpx.ReadError(str(error), request=request) from error
            if isinstance(error, _NO_HTTP):
                raise httpx.RemoteProtocolError(f"no HTTP: {error}", request=request) from error
            raise
        lasting = lasting and not isinstance(body, _UntilClosed)
        return httpx.Response(
            status, headers=headers, stream=_Body(body, connection, self if lasting else None, request)
        )

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def take_back(self, connection: _Connection) -> None:
        """A response was read to its end."""
        if not connection.writer.is_closing() and len(self._idle) < IDLE:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.close()

    async def _connection(self, request: httpx.Request) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.wake()
                return connection
            connection.close()
        url = request.url
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect")):
                return _Connection(*await asyncio.open_connection(url.host, url.port or 80, limit=PIECE))
        except TimeoutError as error:
            raise httpx.ConnectTimeout("", request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error


class _Body(httpx.AsyncByteStream):
    """A response's body as it comes. ``pool`` gets the connection back at its end, if that lasts."""

    def __init__(self, body: _Reading, connection: _Connection, pool: Loopback | None, request: httpx.Request) -> None:
        self._body, self._pool, self._request = body, pool, request
        self._connection: _Connection | None = connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._body.read()
        except OSError as error:
            raise httpx.ReadError(str(error), request=self._request) from error
        except _NO_HTTP as error:
            raise httpx.RemoteProtocolError(f"the answer broke off: {error}", request=self._request) from error
        if piece:
            return piece
        if self._pool and self._connection:
            self._pool.take_back(self._connection)
            self._connection = None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def _head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in lines):
        raise httpx.LocalProtocolError("a header holds a line end", request=request)  # a key, say
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _response_head(reader: asyncio.StreamReader) -> tuple[int, httpx.Headers, bool]:
    """Status, headers, and whether the server means to keep the connection. Raises ValueError if it is no HTTP/1."""
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise ValueError(first[:40])
        status = int(rest[:3])
        if status < 200:
            continue  # an early word, with the answer behind it
        named = [line.partition(b":") for line in lines]
        if not all(colon and name and name == name.strip() for name, colon, _ in named):
            raise ValueError("a line of the head has no name")
        headers = httpx.Headers([(name, value.strip()) for name, _, value in named])
        wish = headers.get("connection", "").lower()
        return status, headers, "close" not in wish and (version != b"HTTP/1.0" or "keep-alive" in wish)


def _reading(reader: asyncio.StreamReader, method: str, status: int, headers: httpx.Headers) -> _Reading:
    """What reads the body of an answer with this head."""
    if method == "HEAD" or status in (204, 304):
        return _Counted(reader, 0)
    if coding := headers.get("transfer-encoding", "").lower():
        if coding != "chunked":
            raise ValueError(f"transfer-encoding {coding}")
        return _Chunked(reader)
    length = headers.get("content-length")
    if length is None:
        return _UntilClosed(reader)
    if not (length.isascii() and length.isdigit()):
        raise ValueError(f"content-length {length}")
    return _Counted(reader, int(length))


class _Counted:
    """A body of so many bytes."""

    def __init__(self, reader: asyncio.StreamReader, size: int) -> None:
        self._reader, self._left = reader, size

    async def read(self) -> bytes:
        """The next piece; nothing at the end."""
        piece = await self._reader.read(min(self._left, PIECE))
        if self._left and not piece:
            raise EOFError(f"{self._left} bytes are missing")
        self._left -= len(piece)
        return piece


class _Chunked:
    """A body in pieces that tell their size."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._chunk: _Counted | None = None

    async def read(self) -> bytes:
        while True:
            if self._chunk is None:
                size = _size(await self._reader.readuntil(b"\r\n"))
                if size == 0:
                    while await self._reader.readuntil(b"\r\n") != b"\r\n":
                        pass  # trailers: nothing in them is of use here
                    return b""
                self._chunk = _Counted(self._reader, size)
            if piece := await self._chunk.read():
                return piece
            if await self._reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk is longer than it says")
            self._chunk = None


class _UntilClosed:
    """A body that ends with the connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def read(self) -> bytes:
        try:
            return await self._reader.read(PIECE)
        except ConnectionResetError:
            return b""  # closed is closed


_Reading = _Counted | _Chunked | _UntilClosed


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise ValueError("a chunk has no size")
    return int(digits, 16)
