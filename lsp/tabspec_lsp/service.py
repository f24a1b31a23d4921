"""What the server does, without the protocol: documents, engine, offers, and what was heard of them.

All of it runs on one event loop. Only `CompletionService.complete` and `close` wait for anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tabspec.context import EditContext
from tabspec.engine.neighbours import Neighbours
from tabspec.engine.stats import EngineStats
from tabspec.errors import PositionError
from tabspec.models.protocol import slots_of
from tabspec.suggestion import Answer, Reason, Source
from tabspec.text import Document, Edit, Position, PositionEncoding
from tabspec_lsp.models import ModelHost, ModelState, Open
from tabspec_lsp.options import Options, ShownMode
from tabspec_lsp.state.documents import Change, Changed, Documents, TextRange
from tabspec_lsp.state.imports import Imports
from tabspec_lsp.state.offers import Heard, Offer, Offers, Outcome
from tabspec_lsp.state.status import Tabs, status

if TYPE_CHECKING:
    from tabspec.engine.engine import CompletionEngine
    from tabspec_lsp.state.recorder import Recorder

log = logging.getLogger(__name__)

# A request follows each change that the user makes, Neovim's 200 ms later. If none does, nobody is
# waiting for suggestions any more, and what cannot be reached from the new text is stopped.
GRACE_S = 0.5


_SERVERS = ("http://", "https://")  # tabspec.models.address; not imported here, for a quick start


class Listener(Protocol):
    """What the service tells the client."""

    def model_changed(self, host: ModelHost) -> None:
        """The model's state, or how far loading it has come."""

    def status_changed(self) -> None:
        """`CompletionService.status` would say something new."""

    def troubled(self, detail: str) -> None:
        """The model cannot answer; ``detail`` is a line that says why. Called once for each trouble."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The answer to one request: what to offer, and where. ``selected``: the menu's completion that it goes behind."""

    context: EditContext
    offers: tuple[Offer, ...]
    document: Document
    selected: Edit | None = None


class CompletionService:
    """The server's heart. ``ignored`` tells which URIs are left alone, ``folders`` are the workspace's. To be made
    inside the running loop."""

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
        self.host = ModelHost(open_model, self._model_changed, self._released)
        self.stats = EngineStats()
        self.tabs = Tabs()
        self._trouble = ""  # why the model failed last, until it answers again
        self.tells_shown = False
        self._listener, self._ignored, self._recorder = listener, ignored, recorder
        self._engine: CompletionEngine | None = None
        self._grace: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._left_alone: set[str] = set()  # open documents that are ignored
        self._limits: set[asyncio.Timeout] = set()  # of the requests that the engine is answering
        self._rests: EditContext | None = None  # where the cursor came to rest, until there is an engine

    @property
    def encoding(self) -> PositionEncoding:
        return self.documents.encoding

    # --- settings and model ---------------------------------------------------------------------------------------

    def configure(self, options: Options) -> None:
        """Use these settings from now on; a new model is loaded in the background."""
        before, self.options = self.options, options
        self.neighbours.chars = options.engine.related_chars
        if options.engine.related_chars and not before.engine.related_chars:
            for uri in self.documents.in_step:
                if document := self.documents.get(uri):
                    self._neighbour(document)
                    self._imports.opened(document)
        if (before.engine, before.server.enabled) != (options.engine, options.server.enabled):
            self._new_engine()
        self.host.load(options.server.model, options.server.daemon)

    def _model_changed(self) -> None:
        if self._usable and self._engine is None:
            self._new_engine()
        elif not self._usable:  # a worker that is only being started again keeps its engine, and the completion cache
            self._drop_engine()
        self._bound_waiting()
        self._listener.model_changed(self.host)
        self._listener.status_changed()

    @property
    def _usable(self) -> bool:
        return self.host.model is not None and self.host.state is not ModelState.UNUSABLE

    def _new_engine(self) -> None:
        """Make a new engine; none while suggestions are off, since an engine asks ahead by itself."""
        self._drop_engine()
        if self.host.model is not None and self._usable and self.options.server.enabled:
            # Not at the top: `initialize` is answered without it.
            from tabspec.engine.engine import CompletionEngine

            model = self.host.model
            self._engine = CompletionEngine(
                model, self.options.engine, slots=slots_of(model), neighbours=self.neighbours
            )
            self._engine.stats = self.stats  # counting goes on
            rests, self._rests = self._rests, None
            if rests and self.documents.get(rests.uri) is rests.document and not self._ignored(rests.uri):
                self._engine.rested(rests)

    def _drop_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            task = asyncio.ensure_future(engine.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _released(self) -> None:
        """Wait until no engine uses the model that is to be closed."""
        if self._closing:
            await asyncio.wait(list(self._closing))

    async def close(self) -> None:
        """Stop everything."""
        for uri in list(self._grace):
            self._stop_grace(uri)
        self._imports.close()
        self._drop_engine()
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
        self._imports.opened(document)
        if self._recorder:
            self._recorder.opened(document)

    def rules_changed(self) -> None:
        """Ignore rules have changed: forget all text of files that are ignored now, and use that of those no more are.

        The engine is made anew, since its completion cache does not know of which files its entries are.
        """
        self.neighbours.purge(self._ignored)
        self.offers.purge(self._ignored)
        if self._recorder:
            self._recorder.purge(self._ignored)
        for uri in self.documents.in_step:
            document = self.documents.get(uri)
            if self._ignored(uri):
                self._lost_track(uri)
                self.tabs.forget(uri)
                self._left_alone.add(uri)
            elif document and uri in self._left_alone:
                self._take_up(document)
        if self._engine is not None:
            self._new_engine()

    def changed(self, uri: str, version: int | None, changes: Iterable[Change]) -> None:
        """A document was changed by the client."""
        changed = self.documents.change(uri, version, changes)
        if changed is None:
            self._lost_track(uri)
            return
        heard = list(self.offers.changed(changed.before, changed.after))
        for one in heard:
            self._heard(one)
        self._neighbour(changed.after)
        self._imports.changed(changed)
        if self._recorder:
            self._recorder.changed(changed)
        self._start_grace(changed)

    def _neighbour(self, document: Document) -> None:
        """Other documents may be shown pieces of this one."""
        if self.neighbours.chars and not self._ignored(document.uri):
            self.neighbours.opened(document)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self._left_alone.discard(uri)
        if self.documents.close(uri):
            self._lost_track(uri)

    def distrust(self, uri: str | None = None) -> None:
        """A message was lost that may have been a change (of this document, or of any)."""
        for name in [uri] if uri is not None else self.documents.in_step:
            self.documents.distrust(name)
            self._lost_track(name)

    def _lost_track(self, uri: str) -> None:
        self._stop_grace(uri)
        self.offers.closed(uri)
        self.neighbours.closed(uri)
        self._imports.close(uri)
        if self._engine:
            self._engine.closed(uri)
        if self._recorder:
            self._recorder.closed(uri)

    def _start_grace(self, changed: Changed) -> None:
        """If no request says by then where the cursor is, go by the change itself."""
        uri = changed.after.uri
        self._stop_grace(uri)
        offset = changed.edits[-1].end if changed.edits else 0

        def over() -> None:
            self._grace.pop(uri, None)
            if self._engine and not self._ignored(uri):
                self._engine.changed(EditContext(changed.after, offset))

        self._grace[uri] = asyncio.get_running_loop().call_later(GRACE_S, over)

    def _stop_grace(self, uri: str) -> None:
        timer = self._grace.pop(uri, None)
        if timer:
            timer.cancel()

    def described(self, uri: str) -> dict[str, Any] | None:
        """What is known of an open document, for tests of clients: whether its text here is what they have."""
        document = self.documents.get(uri)
        if document is None:
            return None
        digest = hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()
        return {"version": document.version, "characters": len(document.text), "sha256": digest}

    # --- requests ---------------------------------------------------------------------------------------------------

    async def complete(
        self, uri: str, position: Position, selected: tuple[TextRange, str] | None = None, *, explicit: bool = False
    ) -> Offered | None:
        """Answer a request; None if there is nothing to offer. ``selected`` is what is selected in a completion menu.
        A user who has asked for it (``explicit``) gets several to choose from.

        The document is taken as it is when this coroutine is first run.
        """
        document = self.documents.get(uri)
        if document is None:
            return None
        try:
            context = EditContext(document, document.offset(position, self.encoding))
            edit = self._selected(document, selected)
        except PositionError as error:
            log.warning("%s: a request at a wrong place: %s", uri, error)
            return None
        if edit is not None:
            context = EditContext(document.edited(edit), edit.end)
        answer = await self._answer(document, context, self.options.engine.alternatives if explicit else 1)
        if answer.suggestions and self.documents.get(uri) is not document:
            return None  # the user has typed on: it would be stale
        self._listener.status_changed()
        offers = self.offers.add(context, answer)
        return Offered(context, offers, document, edit) if offers else None

    def rested(self, uri: str, position: Position) -> None:
        """The cursor was put there, and nothing was typed yet; or a document was opened with it there."""
        document = self.documents.get(uri)
        if document is None or not self.options.server.enabled or self._ignored(uri):
            return
        try:
            context = EditContext(document, document.offset(position, self.encoding))
        except PositionError as error:
            log.warning("%s: a cursor at a wrong place: %s", uri, error)
            return
        self._stop_grace(uri)
        if self._engine is None:
            self._rests = context
        else:
            self._engine.rested(context)

    def _selected(self, document: Document, selected: tuple[TextRange, str] | None) -> Edit | None:
        if selected is None:
            return None
        where, text = selected
        start, end = (document.offset(position, self.encoding) for position in (where.start, where.end))
        return Edit(start, max(end - start, 0), text)

    async def _answer(self, document: Document, context: EditContext, most: int) -> Answer:
        if not self.options.server.enabled or self._ignored(context.uri):
            return self._none(Reason.EXCLUDED)
        self._stop_grace(context.uri)
        if self._recorder:
            self._recorder.requested(context)
        patience = self.options.server.patience
        if self._engine is None:
            await self.host.settled(patience)
            if self.documents.get(context.uri) is not document:
                return self._none(Reason.SUPERSEDED)
            if self._ignored(context.uri):  # by rules that came meanwhile
                return self._none(Reason.EXCLUDED)
        if self._engine is None:
            return self._none(Reason.UNAVAILABLE)
        try:
            # While the model is being started again, what is known already is served, and the rest waits.
            async with asyncio.timeout(None) as limit:
                self._limits.add(limit)
                self._bound_waiting()
                try:
                    answer = await self._engine.complete(context, most)
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            return Answer(Source.NONE, reason=Reason.UNAVAILABLE)  # the engine has counted it, as cancelled
        self.tabs.requested(context, answer)
        if answer.detail:
            log.warning("%s: %s", answer.reason, answer.detail)
        self._tell(answer)
        return answer

    def _bound_waiting(self) -> None:
        """Requests wait ``patience`` seconds for a model that is not ready; also those that began while it was."""
        ready = self.host.state is ModelState.READY
        until = None if ready else asyncio.get_running_loop().time() + self.options.server.patience
        for limit in self._limits:
            if (limit.when() is None) is not ready and not limit.expired():
                limit.reschedule(until)

    def _tell(self, answer: Answer) -> None:
        """Show the user what is wrong with the model: once, however its words vary, and again only after it was well.

        That a process of our own is gone or loads again is a part of its state, and is not shown here.
        """
        ours_gone = answer.reason is not Reason.FAILED and not self.options.server.model.startswith(_SERVERS)
        if answer.detail and not self._trouble and not ours_gone:
            self._listener.troubled(answer.detail)
        if answer.detail or answer.suggestion:
            self._trouble = answer.detail

    def _none(self, reason: Reason) -> Answer:
        answer = Answer(Source.NONE, reason=reason)
        self.stats.count(answer)
        return answer

    # --- what becomes of an offer -----------------------------------------------------------------------------------

    def returned(self, offer: Offer) -> None:
        """An offer has been sent."""
        mode = self.options.server.shown
        if mode is ShownMode.RETURNED or (mode is ShownMode.AUTO and not self.tells_shown):
            self._show(offer)

    def told_shown(self, offer_id: object) -> None:
        """The client says that an offer is on the screen."""
        self.tells_shown = True
        offer = self.offers.get(offer_id)
        if offer and self.options.server.shown is not ShownMode.RETURNED and not offer.shown:
            self._show(offer)

    def told_accepted(self, offer_id: object) -> None:
        """The client says that an offer was accepted."""
        self._told(offer_id, self.offers.accepted)

    def told_partly_accepted(self, offer_id: object, units: int) -> None:
        """The client says that so much of an offer was accepted, in code units of UTF-16."""
        offer = self.offers.get(offer_id)
        if offer and units > 0:
            length = PositionEncoding.UTF16.locate(offer.suggestion.text, units)
            self._told(offer_id, lambda offer: self.offers.partly_accepted(offer, length))

    def told_rejected(self, offer_id: object) -> None:
        """The client says that an offer was refused."""
        self._told(offer_id, self.offers.rejected)

    def _told(self, offer_id: object, what: Callable[[Offer], Heard | None]) -> None:
        offer = self.offers.get(offer_id)
        heard = what(offer) if offer else None
        if heard:
            self._heard(heard)

    def _show(self, offer: Offer) -> None:
        self.offers.show(offer)
        if self._recorder:
            self._recorder.shown(offer)
        if self._engine:
            self._engine.shown(offer.context, offer.suggestion)
        self._listener.status_changed()

    def _heard(self, heard: Heard) -> None:
        if self._recorder:
            self._recorder.heard(heard)
        if heard.outcome is Outcome.UNDONE:
            self.tabs.forget(heard.context.uri)
            if self._engine:
                self._engine.rejected(heard.context, heard.suggestion)
        else:
            self.tabs.accepted(heard.context.after_accept(heard.suggestion))
            if self._engine:
                self._engine.accepted(heard.context, heard.suggestion)
        self._listener.status_changed()

    # --- status -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What `tabspec/status` answers."""
        recording = str(self._recorder.folder) if self._recorder and not self._recorder.ended else None
        return status(
            self.options, self.host, self.stats, self._engine, self.tabs, self.documents, recording, self._trouble
        )
