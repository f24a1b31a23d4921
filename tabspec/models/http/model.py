"""`HttpModel`: a model behind a server, as the engine wants it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tabspec.calibration import Calibration
from tabspec.errors import InputError, ModelError, ModelNotUsable, ModelUnavailable
from tabspec.models.address import Address, Api, Switch, parse_address
from tabspec.models.files.folder import ModelFolder
from tabspec.models.http.answers.begin import first_tokens, ranked, read_beginnings
from tabspec.models.http.answers.exact import exact, first_ask
from tabspec.models.http.answers.plain import without_marks
from tabspec.models.http.answers.reading import budget, read_on
from tabspec.models.http.apis import Ask, StreamEvent, completions, infill, read, speaks
from tabspec.models.http.cluster_client import answer, ask_cluster
from tabspec.models.http.connection.body import DONE
from tabspec.models.http.connection.failures import Busy, Refused, TooLong
from tabspec.models.http.connection.key import Key, key_for
from tabspec.models.http.connection.pace import Backoff
from tabspec.models.http.connection.route import Route, route_to
from tabspec.models.http.connection.wire import Wire, as_bytes
from tabspec.models.http.detect import USUAL_CONTEXT, USUAL_SLOTS, ServerInfo, ServerKind, detect
from tabspec.models.http.forms import TokenPrompts, format_of, text_prompt
from tabspec.models.http.leaving import SecretFound, secret_in_body
from tabspec.models.http.marks import neutral
from tabspec.models.http.secrets import secret_in_request
from tabspec.models.protocol import Beginning, Chunk, GenerationRequest, ModelInfo
from tabspec.prompt.fim import FimFormat
from tabspec.suggestion import Finish
from tabspec.syntax.languages import grammar_of
from tabspec.text import Document

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent: where to and which way, and the very bytes of the body; the key, and the kind of secret in
    the text ("": none is seen), for which nothing would be sent to another machine."""

    url: str
    data: bytes
    route: Route
    key: Key
    secret: str

    @property
    def sent(self) -> bool:
        """Whether it would be sent."""
        return self.route.here or not self.secret


class HttpModel:
    """A `Model` behind the server at ``address`` (a URL or an `Address`).

    The server is asked what it is before the first request, and again once it was gone: what it says then may be
    another model. ``key`` overrules environment and keyring; ``transport`` is for tests.
    """

    def __init__(
        self, address: str | Address, *, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.address = parse_address(address) if isinstance(address, str) else address
        base = self.address.base
        route = route_to(base)
        self.wire = Wire(base, key_for(base, route, key), route, transport)
        self._server: ServerInfo | None = None
        self._told: ServerInfo | None = None  # what it said when it was last there
        self._tokens: TokenPrompts | None = None
        self._calibration: Calibration | None = None
        self._detecting = asyncio.Lock()
        self._room = asyncio.Semaphore(self.address.slots or USUAL_SLOTS)
        self._pace = Backoff()
        self._priority = self.address.priority
        self._name = uuid4().hex  # by which a cluster keeps us where our KV is; it says nothing of the user
        self.server_ms: float | None = None
        """Milliseconds that the server says it computed for what it answered last; None where it does not say."""

    @property
    def info(self) -> ModelInfo:
        """Before the server was seen: what the address says."""
        server = self._told
        told = repr(
            (server and (server.kind, server.model, server.build, server.vocabulary, server.format), self.address)
        )
        fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
        if server is None:
            return ModelInfo(self.address.model or self.address.base, fingerprint, USUAL_CONTEXT, self.address.base)
        if server.info is not None:  # the very model that it would be in this process
            return replace(server.info, detail=f"{server.kind} at {self.address.base}")
        detail = f"{server.kind} at {self.address.base}, asked by {self._api(server)}"
        return ModelInfo(server.model, fingerprint, server.context, detail, self._calibration)

    @property
    def slots(self) -> int:
        """How many requests the server is to run at a time."""
        return self._told.slots if self._told else self.address.slots or USUAL_SLOTS

    @property
    def schedules(self) -> bool:
        """Our own server lets speculations stand behind everybody's foreground, between any two tokens."""
        return self._told is not None and self._told.kind is ServerKind.TABSPEC

    async def connect(self) -> ServerInfo:
        """Find out what the server is, if that is not known. Raises `ModelError`."""
        async with self._detecting:
            if self._server is None:
                server = await detect(self.wire, self.address)
                if server != self._told:
                    self._room = asyncio.Semaphore(server.slots)
                    self._tokens = self._read_tokenizer(server)
                    self._calibration = self._read_calibration()
                self._server = self._told = server
                self.wire.loads = server.kind in (
                    ServerKind.OLLAMA,
                    ServerKind.OTHER,
                )  # the others answer once theirs is loaded
                log.info("the server is %s, asked by %s", server.kind, self._api(server))
            return self._server

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if not self.wire.route.here:
            self._refuse(secret_in_request(request))  # before the server is asked for anything
        if self._pace.left():
            raise ModelUnavailable(self._pace.why)
        try:
            server = await self.connect()
            async with self._room, aclosing(self._answer(server, request)) as chunks:
                async for chunk in chunks:
                    self._pace.succeeded()
                    yield chunk
        except (Refused, TooLong, SecretFound):
            raise  # the question was at fault
        except ModelNotUsable as error:  # the server is there, and another one than the address means
            raise ModelError(str(error)) from None
        except ModelError as error:
            self._pace.failed(str(error), error.after if isinstance(error, Busy) else None)
            if isinstance(error, ModelUnavailable) and not isinstance(error, Busy):
                self._server = None
            raise

    def preview(self, request: GenerationRequest) -> Preview:
        """What `stream` would send first for this request, and whether it would. Nothing is sent.

        Of a server that was not seen yet, what the address says is taken for true.
        """
        server = self._told or ServerInfo(ServerKind.OTHER, self.address.model, format=_format_name(self.address))
        ask = self._first_ask(server, request)
        data = as_bytes(ask.body)
        secret = secret_in_request(request) or secret_in_body(data, self._decode)
        return Preview(self.address.base + ask.path, data, self.wire.route, self.wire.key, secret)

    async def close(self) -> None:
        await self.wire.close()

    # --- how it is asked --------------------------------------------------------------------------------------------

    def _api(self, server: ServerInfo) -> Api:
        """llama.cpp's /infill puts the line in progress before the suffix, where each key would undo the KV behind it:
        so it is for models whose format is not known here. Ollama's templates know the suffix, and get in the way
        of a rendered prompt."""
        if self.address.api is not Api.AUTO:
            return self.address.api
        if self._tokens or (server.format and (server.kind is not ServerKind.OLLAMA or self.address.format)):
            return Api.COMPLETIONS
        return Api.INFILL if server.kind is ServerKind.LLAMA_CPP else Api.SUFFIX

    def _format(self, server: ServerInfo) -> FimFormat | None:
        return format_of(server.format) if server.format else None

    def _exact(self, server: ServerInfo) -> bool:
        able = server.kind is ServerKind.LLAMA_CPP and self._api(server) is Api.COMPLETIONS
        if self.address.exact is Switch.ON and not able:
            raise ModelNotUsable(f"{self.address.base}: exact=on needs llama.cpp, and a format that is known here")
        return able and self.address.exact is not Switch.OFF

    def _read_tokenizer(self, server: ServerInfo) -> TokenPrompts | None:
        if not self.address.tokenizer:
            return None
        tokens = TokenPrompts.read(Path(self.address.tokenizer), server.context, self.address.format)
        if server.vocabulary and server.vocabulary != tokens.vocabulary.size:
            raise ModelNotUsable(
                f"{self.address.tokenizer} has {tokens.vocabulary.size} tokens, and the server's model "
                f"{server.vocabulary}: it is the tokenizer of another model"
            )
        return tokens

    def _read_calibration(self) -> Calibration | None:
        """How likely the model's suggestions are right, where the folder of its tokenizer has that, too."""
        if not self.address.tokenizer:
            return None
        try:
            return ModelFolder(Path(self.address.tokenizer)).calibration
        except InputError as error:
            raise ModelNotUsable(str(error)) from None

    async def _answer(self, server: ServerInfo, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Answer; once more with what the server can take, if it says that something was too much for it."""
        for _ in range(3):
            try:
                async with aclosing(self._ask(server, request)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except TooLong:
                if len(request.head) < 64:
                    raise
                # The nearer half, from a line start on; other files are the first that can be done without.
                half = len(request.head) // 2
                start = request.head.find("\n", half) + 1 or half
                request = replace(request, head=request.head[start:], related=())
            except Refused as error:
                if self._priority == "off" or request.foreground or "priority" not in error.said.lower():
                    raise
                self._priority = Switch.OFF
        raise ModelError(f"{self.address.base}: the prompt is too long for the model, however short")

    def _first_ask(self, server: ServerInfo, request: GenerationRequest) -> Ask:
        """The first HTTP request that `_ask` makes."""
        if server.kind is ServerKind.TABSPEC:
            return ask_cluster(server, self._name, request, self._around)
        if request.beginnings:
            return first_tokens(self._plain(server, request), server, request.beginnings)
        if self._exact(server):
            return first_ask(server, self.address, self._prompts(server), request)
        return self._plain(server, request)

    async def _ask(self, server: ServerInfo, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if server.kind is ServerKind.TABSPEC:
            chunks = answer(self._events, server, self._name, request, self._around)
        elif request.beginnings:
            chunks = self._begin(self._first_ask(server, request), request.beginnings)
        elif self._exact(server):
            chunks = exact(partial(self._pieces, request), server, self.address, self._prompts(server), request)
        else:
            chunks = read_on(partial(self._pieces, request), lambda: self._plain(server, request), request)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _begin(self, ask: Ask, most: int) -> AsyncGenerator[Chunk, None]:
        """How the answer may begin. The line in progress stands in the prompt: so the first token says something."""
        found: list[Beginning] = []
        async with aclosing(self._events(ask)) as events:
            async for event in events:
                found = found or read_beginnings(event, self._marks)
        yield Chunk(beginnings=ranked(found, most), finish=Finish.LENGTH)

    def _prompts(self, server: ServerInfo) -> TokenPrompts | FimFormat:
        """What renders prompts under a grammar."""
        prompts = self._tokens or self._format(server)
        assert prompts is not None  # else the API were another one
        return prompts

    @property
    def _around(self) -> bool:
        """Whether our own server gets what is around the window: a server elsewhere only if the address says so, since
        any server can say that it is ours."""
        return self.address.recall is Switch.ON or (self.address.recall is Switch.AUTO and self.wire.route.here)

    def _plain(self, server: ServerInfo, request: GenerationRequest) -> Ask:
        """The whole question in one: the line in progress goes behind the head, or behind the middle marker, so that
        the prompt of the next request begins as this one's did."""
        address, api = replace(self.address, priority=self._priority), self._api(server)
        max_tokens, stop = budget(request)
        if api is Api.INFILL:
            return infill(address, request, max_tokens=max_tokens, stop=stop)
        behind = request.forced + request.resume
        suffix = None
        form = self._format(server)
        prompt: str | list[int]
        if api is Api.SUFFIX:
            prompt, suffix = neutral(request.head + behind), neutral(request.suffix)
        elif self._tokens:
            prompt = self._tokens.tokens(request, request.head, behind)
        elif form:
            prompt = text_prompt(form, request) + neutral(behind)
        else:
            raise ModelNotUsable(
                f"{address.base}: the FIM format of {server.model} is not known; name it: {address.base}?format=NAME"
            )
        return completions(
            server,
            address,
            prompt,
            max_tokens=max_tokens,
            foreground=request.foreground,
            suffix=suffix,
            stop=stop,
        )

    @property
    def _marks(self) -> frozenset[int]:
        return self._tokens.vocabulary.control if self._tokens else self._told.marks if self._told else frozenset()

    def _pieces(self, request: GenerationRequest, ask: Ask) -> AsyncGenerator[StreamEvent, None]:
        """The pieces of an answer to ``request``, without special tokens that are written out as text."""
        written = (request.prefix, request.resume, request.suffix, *(text.text for text in request.related))
        grammar = grammar_of(Document(request.path, "", request.language)) or ""
        return without_marks(self._raw_pieces(ask), grammar, written)

    async def _raw_pieces(self, ask: Ask) -> AsyncGenerator[StreamEvent, None]:
        seen = False  # of an answer in this dialect: without any, the end says nothing
        async with aclosing(self._events(ask)) as events:
            async for event in events:
                if event is DONE and not seen:
                    return
                seen = seen or speaks(event, self.address.base)
                piece = read(event)
                self.server_ms = piece.server_ms if piece.server_ms is not None else self.server_ms
                if not piece.text and not self._marks.isdisjoint(piece.tokens):
                    piece = replace(piece, finish=Finish.END)  # the model begins another part: the middle is complete
                yield piece

    # --- what leaves this machine -----------------------------------------------------------------------------------

    def _events(self, ask: Ask) -> AsyncGenerator[dict[str, Any], None]:
        """Make a request. All text of the user's goes out here: the bytes that are checked are those that are sent."""
        data = as_bytes(ask.body)
        if not self.wire.route.here:
            self._refuse(secret_in_body(data, self._decode))
        return self.wire.events(ask.path, data)

    def _refuse(self, secret: str) -> None:
        """Raises `SecretFound` if there is a secret."""
        if secret:
            raise SecretFound(f"not sent to {self.address.base}: the text around the cursor holds a secret ({secret})")

    def _decode(self, tokens: Sequence[int]) -> str:
        """The text of a prompt of tokens."""
        if self._tokens is None:
            return ""
        pieces = self._tokens.vocabulary.bytes_of
        return b"".join(pieces[token] for token in tokens).decode("utf-8", "replace")


def _format_name(address: Address) -> str:
    form = format_of(address.format or address.model)
    return form.name if form else ""
