"""`HttpEditModel`: a model behind a server that writes edits."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from dataclasses import replace

from tabspec.config import EditForm
from tabspec.errors import ModelError, ModelUnavailable
from tabspec.models.edit_protocol import EditAnswer, EditRequest, RegionSize
from tabspec.models.http.answers.reading import Counting
from tabspec.models.http.apis import Ask
from tabspec.models.http.connection.failures import TooLong
from tabspec.models.http.dialect import Dialect
from tabspec.models.http.edits.asking import ROOM, ask_for_edit, read_event
from tabspec.models.http.edits.formats import EditFormat, edit_format
from tabspec.models.http.edits.quoting import quoted_request, unquoted
from tabspec.models.http.model import HttpModel, Preview
from tabspec.models.http.secrets import secret_in_request
from tabspec.models.protocol import GenerationRequest, ModelInfo, RelatedText, Usage
from tabspec.suggestion import Finish
from tabspec.text import difference

# Characters beyond twice the region's. A token of code has about four, and the answer may have `ROOM` tokens more.
LONGEST = 8 * ROOM


class HttpEditModel:
    """An `EditModel` at ``server``. The format is ``form``, or that of the family in the model's name.

    With ``optional``, a server whose model writes no edits is not asked; otherwise it is an error.
    """

    judges = False  # a server writes, and scores nothing that it is given

    def __init__(self, server: HttpModel, form: EditForm = EditForm.AUTO, *, optional: bool = False) -> None:
        self.server, self._form, self._optional = server, form, optional

    @property
    def info(self) -> ModelInfo:
        info, form = self.server.info, self._format
        fingerprint = hashlib.blake2b(f"{info.fingerprint} {form and form.form}".encode(), digest_size=16).hexdigest()
        return ModelInfo(info.name, fingerprint, info.context_tokens, info.detail)

    @property
    def slots(self) -> int:
        """How many requests may be in flight at the server."""
        return self.server.slots

    @property
    def region(self) -> RegionSize | None:
        form = self._format
        if form is None and self._optional and self.server.known is not None:
            return None
        return form.region if form else RegionSize(10, 10)  # as most families; until the server was asked

    async def connect(self) -> None:
        """Find out what the server is. Raises `ModelError`, also if the format of its model's edits is not known."""
        await self.server.connect()
        if not self._optional:
            self._known_format()

    async def edit(self, request: EditRequest) -> EditAnswer:
        if not self.server.wire.route.here:
            self.server.refuse(_secret_in(request))  # before the server is asked for anything
        async with self.server.use():
            if self._format is None and self._optional:
                return EditAnswer(None)
            form = self._known_format()
            for smaller in _ever_smaller(request):
                try:
                    answer = await self._ask(form, quoted_request(smaller), request.region)
                except TooLong:
                    continue
                self.server.succeeded()
                return answer
        raise ModelError(f"{self.server.address.base}: the region to edit is too long for the model")

    async def _ask(self, form: EditFormat, request: EditRequest, region: str) -> EditAnswer:
        """The answer to the quoted ``request``, as a change of the user's own ``region``."""
        text, finish, usage, logprobs = "", None, Usage(), list[float]()
        counting = Counting()
        async with aclosing(self.server.events(self._asked(form, request))) as events:
            async for event in events:  # to the end, with which the connection can be used again
                piece = read_event(event)
                text += piece.text
                if len(text) > 2 * len(region) + LONGEST:
                    raise ModelError(f"{self.server.address.base} does not stop writing: more than a region's text")
                usage += counting.take(piece)
                finish = finish or piece.finish
                logprobs += piece.logprobs
        if finish is None:
            raise ModelUnavailable("the server's answer broke off")
        new = None if finish is Finish.LENGTH else form.read(text, request)  # half an answer would delete the rest
        change = None if new is None else difference(region, unquoted(new, region))
        return EditAnswer(change, tuple(logprobs), usage)

    def _asked(self, form: EditFormat, request: EditRequest) -> Ask:
        dialect = self._dialect
        return ask_for_edit(form, dialect.server, dialect.address, request)

    def preview(self, request: EditRequest) -> Preview:
        """What `edit` would send first for this request, and whether it would. Nothing is sent."""
        return self.server.shown(self._asked(self._known_format(), quoted_request(request)), _secret_in(request))

    async def close(self) -> None:
        await self.server.close()

    @property
    def _dialect(self) -> Dialect:
        return self.server.known or self.server.unseen()

    @property
    def _format(self) -> EditFormat | None:
        return edit_format(self._form, self._dialect.server.model)

    def _known_format(self) -> EditFormat:
        form = self._format
        if form is None:
            names = ", ".join(each for each in EditForm if each is not EditForm.AUTO)
            model = self._dialect.server.model
            raise ModelError(
                f"{self.server.address.base}: how {model or 'the model'} writes edits is not known; set edit_format to "
                f"one of {names}"
            )
        return form


def _ever_smaller(request: EditRequest) -> tuple[EditRequest, ...]:
    """The request, and the same with less, for a server that takes no longer prompt."""
    less = replace(request, related=())
    return request, less, replace(less, before="", after="", history=request.history[-1:])


def _secret_in(request: EditRequest) -> str:
    """The kind of secret in the user's text of a request; "" for none. Text around what is shown counts."""
    past = [RelatedText(edit.path, text) for edit in request.history for text in (edit.old, edit.new)]
    return secret_in_request(
        GenerationRequest(
            head=request.before + request.region[: request.cursor],
            forced="",
            suffix=request.region[request.cursor :] + request.after,
            path=request.path,
            related=(*request.related, *past, RelatedText(request.path, request.earlier)),
            before=request.beyond[0],
            after=request.beyond[1],
        )
    )
