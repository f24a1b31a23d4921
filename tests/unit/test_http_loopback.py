"""The transport for servers on this machine reads what httpx's own reads, and gives up where that gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.models.http.loopback import Loopback, direct
from tabspec.models.http.wire import Wire


@asynccontextmanager
async def serving(pieces: Sequence[bytes], answers: int = 1) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers with these bytes, piece by piece, and closes after so many answers. Gives its address, and
    for each connection the number of requests that came over it."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(0)
        try:
            for _ in range(answers):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(b'{"a":1}'))
                connections[number] += 1
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)  # so that pieces arrive apart
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections


async def read(url: str, transport: httpx.AsyncBaseTransport | None) -> tuple[int, list[tuple[str, str]], bytes] | str:
    """Status, headers and body; or the kind of error."""
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        try:
            answer = await client.post(url + "/x?y=1", content=b'{"a":1}')
        except httpx.TransportError:
            return "broken"
        return answer.status_code, answer.headers.multi_items(), answer.content


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(borders)]


bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
framings = st.sampled_from(["chunked", "chunked, with extras", "counted", "until closed", "HTTP/1.0", "early word"])


def written(framing: str, body: Sequence[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Two: a\r\nX-Two: b\r\n"
    if framing.startswith("chunked"):
        more = b";name=1" if "extras" in framing else b""
        trailer = b"X-End: 1\r\n" if "extras" in framing else b""
        chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), more, piece) for piece in body)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"
    whole = b"".join(body)
    if framing == "until closed":
        return head + b"\r\n" + whole
    head = head.replace(b"1.1", b"1.0") if framing == "HTTP/1.0" else head
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if framing == "early word" else b""
    return early + head + b"Content-Length: %d\r\n\r\n" % len(whole) + whole


@settings(max_examples=15, deadline=None)
@given(framings, bodies, st.lists(st.integers(0, 999), max_size=8))
def test_it_reads_what_httpx_reads(framing: str, body: list[bytes], places: list[int]) -> None:
    async def both() -> None:
        async with serving(cut(written(framing, body), places)) as (url, _):
            ours, theirs = await read(url, Loopback()), await read(url, None)
        assert ours == theirs and ours[2] == b"".join(body)

    asyncio.run(both())


@settings(max_examples=15, deadline=None)
@given(framings.filter(lambda framing: framing != "until closed"), bodies, st.integers(0, 10_000))
def test_an_answer_that_is_cut_off_is_told(framing: str, body: list[bytes], end: int) -> None:
    whole = written(framing, body)

    async def both() -> None:
        async with serving([whole[: end % len(whole)]]) as (url, _):
            assert await read(url, Loopback()) == await read(url, None) == "broken"

    asyncio.run(both())


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told(answer: bytes) -> None:
    async with serving([answer]) as (url, _):
        assert await read(url, Loopback()) == await read(url, None) == "broken"


async def test_a_connection_is_kept_while_the_server_keeps_it() -> None:
    """Two answers over one; then the server has closed it, and the third request gets another without a word."""
    async with serving([written("counted", [b"{}"])], answers=2) as (url, connections):
        transport = Loopback()
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(2):
                assert (await client.post(url, content=b'{"a":1}')).content == b"{}"
            async with asyncio.timeout(5):
                while transport._idle[0].usable:  # noqa: ASYNC110 (the news of its closing comes from the kernel)
                    await asyncio.sleep(0)
            assert (await client.post(url, content=b'{"a":1}')).content == b"{}"
        assert connections == [2, 1]


async def test_what_came_without_being_asked_for_is_no_answer() -> None:
    """A server that tires of waiting says so (status 408), and closes: the next request must not take that for its own
    answer."""
    answer, complaint = written("counted", [b"{}"]), b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    said = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await said.wait()
        writer.write(complaint)
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    transport = Loopback()
    async with server, httpx.AsyncClient(transport=transport) as client:
        assert (await client.get(url)).status_code == 200
        said.set()
        async with asyncio.timeout(5):
            while transport._idle[0].usable:  # noqa: ASYNC110 (it comes from the kernel)
                await asyncio.sleep(0)
        assert (await client.get(url)).status_code == 200


async def test_a_header_cannot_hold_another_one() -> None:
    async with serving([written("counted", [b"{}"])]) as (url, _), httpx.AsyncClient(transport=Loopback()) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.post(url, content=b'{"a":1}', headers={"Authorization": "Bearer a\r\nX-Other: b"})


async def test_an_answer_that_is_closed_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        while not reader.at_eof():
            try:
                await reader.read(100)
            except ConnectionError:
                break
        gone.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx.AsyncClient(transport=Loopback()) as client:
        async with client.stream("GET", url) as answer:
            assert await anext(aiter(answer.stream)) == b"a"  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            await gone.wait()


async def test_nobody_there() -> None:
    async with httpx.AsyncClient(transport=Loopback()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")


def test_it_is_for_this_machine_without_tls_and_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    here = ("http://127.0.0.1:8080", "http://localhost", "http://[::1]:1/base")
    elsewhere = ("https://127.0.0.1", "http://192.168.1.2", "http://example.org", "http://127.0.0.1.example.org")
    assert all(map(direct, here)) and not any(map(direct, elsewhere))
    assert isinstance(Wire(here[0])._client._transport, Loopback)
    assert not isinstance(Wire(elsewhere[1])._client._transport, Loopback)
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    assert not any(map(direct, here))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert [direct(base) for base in here] == [True, False, False]
