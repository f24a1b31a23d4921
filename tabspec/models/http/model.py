"""`HttpModel`: a model behind a server, with the engine's interface for models."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from tabspec.errors import ModelError, ModelNotUsable, ModelUnavailable
from tabspec.models.address import Address, parse_address
from tabspec.models.http.answers.begin import ranked, read_beginnings
from tabspec.models.http.answers.exact import exact
from tabspec.models.http.answers.plain import without_marks
from tabspec.models.http.answers.reading import read_on
from tabspec.models.http.apis import Ask, StreamEvent, read, speaks
from tabspec.models.http.cluster_client import answer
from tabspec.models.http.connection.body import DONE
from tabspec.models.http.connection.failures import Busy, NoApi, Refused, TooLong
from tabspec.models.http.connection.key import ApiKey, key_for
from tabspec.models.http.connection.pace import Backoff
from tabspec.models.http.connection.route import Route, route_to
from tabspec.models.http.connection.wire import Wire, as_bytes
from tabspec.models.http.detect import USUAL_CONTEXT, USUAL_SLOTS, ServerInfo, ServerKind, detect
from tabspec.models.http.dialect import Dialect
from tabspec.models.http.forms import format_of
from tabspec.models.http.hints import hint, wrong_base
from tabspec.models.http.leaving import SecretFound, secret_in_body
from tabspec.models.http.secrets import secret_in_request
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo
from tabspec.suggestion import Finish
from tabspec.syntax.languages import grammar_of
from tabspec.text import Document

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent: the URL, the route, the bytes of the body and the key; and the kind of secret in the text
    ("": none was found). A text with a secret is not sent to another machine."""

    url: str
    data: bytes
    route: Route
    key: ApiKey
    secret: str

    @property
    def sent(self) -> bool:
        """Whether it would be sent."""
        return self.route.here or not self.secret


class HttpModel:
    """A `Model` behind the server at ``address`` (a URL or an `Address`).

    The server is asked what it is before the first request, and again after it could not be reached: it may have come
    back with another model. ``key`` overrules environment and keyring; ``transport`` is for tests.
    """

    def __init__(
        self, address: str | Address, *, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.address = parse_address(address) if isinstance(address, str) else address
        base = self.address.base
        route = route_to(base)
        self.wire = Wire(base, key_for(base, route, key), route, transport)
        self._dialect: Dialect | None = None  # for the server as it was last seen
        self._detected = False  # whether it still is what it was
        self._detecting = asyncio.Lock()
        self._room = asyncio.Semaphore(self.address.slots or USUAL_SLOTS)
        self._pace = Backoff()
        self._client = uuid4().hex

    @property
    def info(self) -> ModelInfo:
        """What the server reports about its model; what the address holds, until the server was seen."""
        dialect = self._dialect
        server = dialect.server if dialect else None
        seen = repr(
            (server and (server.kind, server.model, server.build, server.vocabulary, server.format), self.address)
        )
        fingerprint = hashlib.blake2b(seen.encode(), digest_size=16).hexdigest()
        if dialect is None or server is None:
            return ModelInfo(self.address.model or self.address.base, fingerprint, USUAL_CONTEXT, self.address.base)
        if server.info is not None:  # the same model as it would be in this process
            return replace(server.info, detail=f"{server.kind} at {self.address.base}")
        detail = f"{server.kind} at {self.address.base}, asked by {dialect.api}"
        return ModelInfo(server.model, fingerprint, server.context, detail)

    @property
    def slots(self) -> int:
        """How many requests may be in flight at the server."""
        return self._dialect.server.slots if self._dialect else self.address.slots or USUAL_SLOTS

    @property
    def schedules(self) -> bool:
        """Whether the server itself puts foreground requests before speculation: `tabspec cluster` does."""
        return self._dialect is not None and self._dialect.server.kind is ServerKind.TABSPEC

    async def connect(self) -> ServerInfo:
        """Find out what the server is, if that is not known. Raises `ModelError`."""
        return (await self._connected()).server

    async def _connected(self) -> Dialect:
        async with self._detecting:
            if self._dialect is None or not self._detected:
                try:
                    server = await detect(self.wire, self.address)
                except NoApi as error:
                    trouble = str(error).removeprefix(self.address.base).strip()
                    raise ModelError(await wrong_base(self.wire, trouble, self.address.model)) from None
                if self._dialect is None or server != self._dialect.server:
                    dialect = Dialect.of(server, self.address, self.wire.route.here, self._client)
                    self._room, self._dialect = asyncio.Semaphore(server.slots), dialect
                self._detected = True
                # llama.cpp, vLLM and our own server answer only after their model is loaded.
                self.wire.loads = server.kind in (ServerKind.OLLAMA, ServerKind.OTHER)
                log.info("the server is %s, asked by %s", server.kind, self._dialect.api)
            return self._dialect

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if not self.wire.route.here:
            self.refuse(secret_in_request(request))  # before the server is asked for anything
        async with self.use(), aclosing(self._answer(request)) as chunks:
            async for chunk in chunks:
                self.succeeded()
                yield chunk

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """The server, for one request: it is known, and has a free slot. Failures within count for the back-off."""
        if self._pace.left():
            raise ModelUnavailable(self._pace.why)
        try:
            await self._connected()
            async with self._room:
                yield
        except (Refused, TooLong, SecretFound):
            raise  # for this request alone: the server is well
        except ModelNotUsable as error:  # the server has another model than the address names
            raise ModelError(str(error)) from None
        except ModelError as error:
            self._pace.failed(str(error), error.after if isinstance(error, Busy) else None)
            if isinstance(error, ModelUnavailable) and not isinstance(error, Busy):
                self._detected = False
            raise

    def succeeded(self) -> None:
        """The server has answered."""
        self._pace.succeeded()

    @property
    def known(self) -> Dialect | None:
        """How the server is asked; None before it was seen."""
        return self._dialect

    def unseen(self) -> Dialect:
        """How the server is asked if the address is true."""
        form = format_of(self.address.format or self.address.model)
        server = ServerInfo(ServerKind.OTHER, self.address.model, format=form.name if form else "")
        return Dialect(server, self.address, self.wire.route.here, self._client)

    def preview(self, request: GenerationRequest) -> Preview:
        """What `stream` would send first for this request, and whether it would. Nothing is sent.

        Before the server was seen, the address is taken as true.
        """
        return self.shown((self._dialect or self.unseen()).first(request), secret_in_request(request))

    def shown(self, ask: Ask, secret: str) -> Preview:
        """What `events` would send for ``ask``. ``secret``: the kind that was found in the request itself."""
        data = as_bytes(ask.body)
        secret = secret or secret_in_body(data, (self._dialect or self.unseen()).text_of)
        return Preview(self.address.base + ask.path, data, self.wire.route, self.wire.key, secret)

    async def close(self) -> None:
        await self.wire.close()

    async def _answer(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """The answer. A server that refuses a request as too long, or for its priority, is asked again without."""
        for _ in range(3):
            dialect = self._known
            try:
                async with aclosing(self._ask(dialect, request)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except TooLong:
                if len(request.head) < 64:
                    raise
                # The nearer half, from a line start on, without other files.
                half = len(request.head) // 2
                start = request.head.find("\n", half) + 1 or half
                request = replace(request, head=request.head[start:], related=())
            except Refused as error:
                if dialect.address.priority == "off" or request.foreground or "priority" not in error.reason.lower():
                    raise
                self._dialect = dialect.without_priority()
        raise ModelError(f"{self.address.base}: the prompt is too long for the model, however short")

    @property
    def _known(self) -> Dialect:
        assert self._dialect is not None, "connect first"
        return self._dialect

    async def _ask(self, dialect: Dialect, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        pieces = partial(self._pieces, request)
        if dialect.server.kind is ServerKind.TABSPEC:
            chunks = answer(self.events, dialect.server, self._client, request, dialect.around)
        elif request.beginnings:
            chunks = self._begin(dialect, request)
        elif dialect.exact:
            chunks = exact(pieces, dialect.server, dialect.address, dialect.prompts, request)
        else:
            chunks = read_on(pieces, partial(dialect.plain, request), request)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _begin(self, dialect: Dialect, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """How the answer may begin. The line in progress is in the prompt, so the first token is the suggestion's."""
        found: list[Beginning] = []
        async with aclosing(self.events(dialect.first(request))) as events:
            async for event in events:
                found = found or read_beginnings(event, dialect.marks)
        yield Chunk(beginnings=ranked(found, request.beginnings), finish=Finish.LENGTH)

    def _pieces(self, request: GenerationRequest, ask: Ask) -> AsyncGenerator[StreamEvent, None]:
        """The pieces of an answer to ``request``, without special tokens that are written out as text."""
        written = (request.prefix, request.resume, request.suffix, *(text.text for text in request.related))
        grammar = grammar_of(Document(request.path, "", request.language)) or ""
        return without_marks(self._raw_pieces(ask), grammar, written)

    async def _raw_pieces(self, ask: Ask) -> AsyncGenerator[StreamEvent, None]:
        answered, marks = False, self._known.marks
        async with aclosing(self.events(ask)) as events:
            async for event in events:
                if event is DONE and not answered:
                    return  # an answer of another kind has ended
                answered = answered or speaks(event, self.address.base)
                piece = read(event)
                if not piece.text and not marks.isdisjoint(piece.tokens):
                    piece = replace(piece, finish=Finish.END)  # the model begins another part: the middle is complete
                yield piece

    # --- what leaves this machine -----------------------------------------------------------------------------------

    async def events(self, ask: Ask) -> AsyncGenerator[dict[str, Any], None]:
        """Make a request. All text of the user's leaves here: the bytes that are checked are those that are sent."""
        data = as_bytes(ask.body)
        if not self.wire.route.here:
            self.refuse(secret_in_body(data, self._known.text_of))
        try:
            async with aclosing(self.wire.events(ask.path, data)) as events:
                async for event in events:
                    yield event
        except Refused as error:
            raise await hint(error, self.wire, self._known.server, ask) from None

    def refuse(self, secret: str) -> None:
        """Raises `SecretFound` if there is a secret."""
        if secret:
            raise SecretFound(f"not sent to {self.address.base}: the text around the cursor holds a secret ({secret})")
