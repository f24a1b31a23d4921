"""The server without the protocol: open documents, and requests for suggestions.

It runs on one event loop. Only `CompletionService.complete` and `close` wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tabspec.context import EditContext
from tabspec.engine.neighbours import Neighbours
from tabspec.errors import PositionError
from tabspec.suggestion import Answer, Reason, Source
from tabspec.text import Document, Edit, Position
from tabspec_lsp.engine_host import EngineHost
from tabspec_lsp.feedback import Feedback
from tabspec_lsp.models import ModelHost, Open
from tabspec_lsp.next_edits import NextEditRequests, fits_inline
from tabspec_lsp.options import NextEditMode, Options
from tabspec_lsp.state.documents import ContentChange, DocumentChange, Documents, TextRange
from tabspec_lsp.state.edit_log import EditLog
from tabspec_lsp.state.imports import Imports
from tabspec_lsp.state.offers import Offer, Offers
from tabspec_lsp.state.shared_answers import SharedAnswers
from tabspec_lsp.state.status import status
from tabspec_lsp.state.timers import Timers

if TYPE_CHECKING:
    from tabspec_lsp.state.recorder import Recorder

log = logging.getLogger(__name__)

# Editors send a request after each change; Neovim sends it 200 ms later. If no request has come by then, none is
# expected, and generations that the new text makes useless are cancelled.
GRACE_S = 0.5


class Listener(Protocol):
    """Receives what the client should know."""

    def model_changed(self, host: ModelHost) -> None:
        """The model's state has changed, or its loading has made progress."""

    def status_changed(self) -> None:
        """`CompletionService.status` returns something new."""

    def troubled(self, detail: str) -> None:
        """The model has started to fail; ``detail`` is a line for the user. Not called again until it has worked."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The answer to one request. ``selected``: the edit of the menu item that the suggestions continue, if any."""

    context: EditContext
    offers: tuple[Offer, ...]
    document: Document
    selected: Edit | None = None


class CompletionService:
    """Documents, engine and suggestions of one client. Must be created inside the running loop.

    ``ignored`` returns whether a document (a URI) must not be used, ``folders`` the workspace folders.
    """

    def __init__(
        self,
        open_model: Open,
        listener: Listener,
        ignored: Callable[[str], bool],
        recorder: Recorder | None = None,
        folders: Callable[[], list[Path]] = list,
    ) -> None:
        self.options = Options()
        self.documents = Documents()
        self.neighbours = Neighbours(self.options.engine.related_chars)
        self._imports = Imports(self.neighbours, self.documents, folders, ignored)
        self.offers = Offers()
        self.host = EngineHost(open_model, self.neighbours, self._model_changed, listener.troubled)
        self._listener, self._ignored, self._recorder = listener, ignored, recorder
        self._answers = SharedAnswers()
        self.feedback = Feedback(
            self.offers, self.host, self._answers, recorder, lambda: self.options.server.shown, listener.status_changed
        )
        self._log = EditLog(self.documents, ignored)
        self.next_edits = NextEditRequests(
            self.documents,
            self.offers,
            self.host,
            self.feedback,
            self._log,
            self._answer_edit,
            lambda: self._next_edit_mode,
            ignored,
        )
        self._grace = Timers(GRACE_S)
        self._left_alone: set[str] = set()  # open documents that are ignored

    # --- settings and model ---------------------------------------------------------------------------------------

    def configure(self, options: Options) -> None:
        """Use these settings from now on. A new model is loaded in the background."""
        before, self.options = self.options, options
        self.neighbours.chars = options.engine.related_chars
        if options.engine.related_chars and not before.engine.related_chars:
            for uri in self.documents.in_step:
                if document := self.documents.get(uri):
                    self._neighbour(document)
                    self._imports.opened(document)
        self.host.configure(options)

    def _model_changed(self) -> None:
        self._listener.model_changed(self.host.models)
        self._listener.status_changed()

    async def close(self) -> None:
        """Stop everything."""
        self._grace.close()
        self._imports.close()
        await self.host.close()
        if self._recorder:
            self._recorder.close()

    # --- documents ------------------------------------------------------------------------------------------------

    def opened(self, document: Document) -> None:
        """A document was opened."""
        self.documents.open(document)
        self.offers.closed(document.uri)
        self._take_up(document)

    def _take_up(self, document: Document) -> None:
        """Use an open document's text, unless it is ignored."""
        if self._ignored(document.uri):
            self._lost_track(document.uri)  # it may have been open before, under another rule
            self._left_alone.add(document.uri)
            return
        self._left_alone.discard(document.uri)
        self._neighbour(document)
        self._log.opened(document)
        self._imports.opened(document)
        if self._recorder:
            self._recorder.opened(document)

    def rules_changed(self) -> None:
        """Ignore rules have changed: drop all text of documents that are ignored now, and use those no longer ignored.

        The engine is replaced, because its completion cache does not record which documents its entries come from.
        """
        self.neighbours.purge(self._ignored)
        self.offers.purge(self._ignored)
        self._log.purge()
        self._answers.forget()
        if self._recorder:
            self._recorder.purge(self._ignored)
        for uri in self.documents.in_step:
            document = self.documents.get(uri)
            if self._ignored(uri):
                self._lost_track(uri)
                self.feedback.tabs.forget(uri)
                self._left_alone.add(uri)
            elif document and uri in self._left_alone:
                self._take_up(document)
        self.host.renew()

    def changed(self, uri: str, version: int | None, changes: Iterable[ContentChange]) -> None:
        """A document was changed by the client."""
        changed = self.documents.change(uri, version, changes)
        if changed is None:
            self._lost_track(uri)
            return
        self.host.forget(uri)
        accepted = self.feedback.changed(changed.before, changed.after)
        self._log.changed(changed, asyncio.get_running_loop().time(), accepted)
        self._neighbour(changed.after)
        self._imports.changed(changed)
        if self._recorder:
            self._recorder.changed(changed)
        self._start_grace(changed)

    def _neighbour(self, document: Document) -> None:
        """Offer this document's text as related code for other documents."""
        if self.neighbours.chars and not self._ignored(document.uri):
            self.neighbours.opened(document)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._left_alone.discard(uri)
        if self.documents.close(uri):
            self._lost_track(uri)

    def distrust(self, uri: str | None = None) -> None:
        """A message was lost that may have been a change of this document (None: of any document)."""
        for name in [uri] if uri is not None else self.documents.in_step:
            self.documents.distrust(name)
            self._lost_track(name)

    def _lost_track(self, uri: str) -> None:
        """Drop everything that belongs to this document's text."""
        self._grace.stop(uri)
        self.offers.closed(uri)
        self._log.dropped(uri)
        self._answers.forget(uri)
        self.neighbours.closed(uri)
        self._imports.close(uri)
        self.host.forget(uri)
        if self.host.engine:
            self.host.engine.closed(uri)
        if self._recorder:
            self._recorder.closed(uri)

    def _start_grace(self, changed: DocumentChange) -> None:
        """If no request comes in time, take the end of the last edit as the cursor's place."""
        uri, offset = changed.after.uri, changed.edits[-1].end if changed.edits else 0

        def over() -> None:
            if self.host.engine and not self._ignored(uri):
                self.host.engine.changed(EditContext(changed.after, offset))

        self._grace.start(uri, over)

    # --- requests ---------------------------------------------------------------------------------------------------

    async def complete(
        self,
        uri: str,
        position: Position,
        selected: tuple[TextRange, str] | None = None,
        *,
        explicit: bool = False,
        inline: bool = False,
    ) -> Offered | None:
        """Answer a request; None if there is no suggestion. ``selected``: range and text of the menu's selected item.

        An ``explicit`` request by the user gets several suggestions to choose from. The document is taken as it is when
        this coroutine first runs. ``inline``: the suggestion may be a next edit, if the client gets them this way.
        """
        document = self.documents.get(uri)
        if document is None:
            return None
        try:
            offset = document.offset(position, self.documents.encoding)
            edit = self._selected(document, selected)
        except PositionError as error:
            log.warning("%s: a request outside of the document: %s", uri, error)
            return None
        if edit is not None:
            context = EditContext(document.edited(edit), edit.end)
        elif explicit:
            context = EditContext(document, offset)
        else:
            context = self.next_edits.for_completion(document, offset, inline)
        answer = await self._answer(document, context, self.options.engine.alternatives if explicit else 1)
        answer = await self._as_completion(document, context, answer, inline)
        if answer.suggestions and self.documents.get(uri) is not document:
            return None  # the user has typed on, and the answer is stale
        self._listener.status_changed()
        offers = self.offers.add(context, answer)
        return Offered(context, offers, document, edit) if offers else None

    async def _as_completion(self, document: Document, context: EditContext, answer: Answer, inline: bool) -> Answer:
        """``answer``, if it can be returned as a completion; where it is a next edit that the client gets in another
        way, no answer; else the completion in its place."""
        if answer.suggestion is None or answer.suggestion.edit is None:
            return answer
        if not self.next_edits.inline:
            return Answer(Source.NONE, reason=Reason.EMPTY)
        if inline and fits_inline(context, answer.suggestion.edit):
            return answer
        return await self._answer(document, EditContext(document, context.offset), 1)

    def rested(self, uri: str, position: Position) -> None:
        """The cursor came to rest at ``position`` and nothing was typed yet, or a document was opened with it there."""
        document = self.documents.get(uri)
        if document is None or not self.options.server.enabled or self._ignored(uri):
            return
        try:
            context = EditContext(document, document.offset(position, self.documents.encoding))
        except PositionError as error:
            log.warning("%s: a cursor outside of the document: %s", uri, error)
            return
        self._grace.stop(uri)
        self.host.rested(self.next_edits.rested(context))

    def _selected(self, document: Document, selected: tuple[TextRange, str] | None) -> Edit | None:
        if selected is None:
            return None
        where, text = selected
        start, end = (document.offset(position, self.documents.encoding) for position in (where.start, where.end))
        return Edit(start, max(end - start, 0), text)

    async def _answer_edit(self, document: Document, context: EditContext) -> Answer:
        return await self._answer(document, context, 1, "edit")

    async def _answer(self, document: Document, context: EditContext, most: int, kind: str = "completion") -> Answer:
        """The engine's answer, which requests of several kinds share where next edits may be offered."""
        if most > 1 or self._next_edit_mode is NextEditMode.OFF:
            return await self._asked(document, context, most)
        return await self._answers.get(context, kind, lambda context: self._asked(document, context, most))

    async def _asked(self, document: Document, context: EditContext, most: int) -> Answer:
        if not self.options.server.enabled or self._ignored(context.uri):
            return self._none(Reason.EXCLUDED)
        self._grace.stop(context.uri)
        if self._recorder:
            self._recorder.requested(context)
        await self.host.settled()
        if self.documents.get(context.uri) is not document:
            return self._none(Reason.SUPERSEDED)
        if self._ignored(context.uri):  # by rules that came in the meantime
            return self._none(Reason.EXCLUDED)
        answer = await self.host.complete(context, most)
        if answer is None:
            return Answer(Source.NONE, reason=Reason.UNAVAILABLE)
        self.feedback.tabs.requested(context, answer)
        return answer

    @property
    def _next_edit_mode(self) -> NextEditMode:
        return self.options.server.next_edits if self.options.server.enabled else NextEditMode.OFF

    def _none(self, reason: Reason) -> Answer:
        answer = Answer(Source.NONE, reason=reason)
        self.host.stats.count(answer)
        return answer

    # --- status -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The response to `tabspec/status`."""
        recording = str(self._recorder.folder) if self._recorder and not self._recorder.ended else None
        return status(self.options, self.host, self.feedback.tabs, self.documents, recording)
