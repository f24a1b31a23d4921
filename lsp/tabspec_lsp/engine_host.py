"""The completion engine on the current model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, cast

from tabspec.context import EditContext
from tabspec.engine.neighbours import Neighbours
from tabspec.engine.stats import EngineStats
from tabspec.errors import ModelNotUsable
from tabspec.models.protocol import slots_of
from tabspec.suggestion import Answer, Reason, Source, Suggestion
from tabspec_lsp.models import ModelHost, ModelState, Open
from tabspec_lsp.options import Options

if TYPE_CHECKING:
    from tabspec.engine.engine import CompletionEngine
    from tabspec.models.edit_protocol import EditModel
    from tabspec.models.process_edits import LocalProcess

log = logging.getLogger(__name__)

_SERVERS = ("http://", "https://")  # as in tabspec.models.address, which is slow to import


def _needs(options: Options) -> tuple[object, ...]:
    """The settings that an engine is made for."""
    server = options.server
    return options.engine, server.enabled, server.edit_model, server.edit_format


class EngineHost:
    """Holds at most one engine. It is replaced when the model or the engine's settings change, and closed before its
    model is. Statistics go on across engines.

    ``changed`` is called when the model's state has changed, and when loading makes progress. ``troubled`` is called
    with a line for the user when the model starts to fail, and again only after it has worked in between.
    """

    def __init__(
        self,
        open_model: Open,
        neighbours: Neighbours,
        changed: Callable[[], None],
        troubled: Callable[[str], None],
    ) -> None:
        self.engine: CompletionEngine | None = None
        self.stats = EngineStats()
        self.models = ModelHost(open_model, self._model_changed, self._released)
        self.trouble = ""  # the last failure of the model, until it answers again
        self._options = Options()
        self._neighbours, self._changed, self._troubled = neighbours, changed, troubled
        self._closing: set[asyncio.Task[None]] = set()
        self._limits: set[asyncio.Timeout] = set()  # of the requests that the engine is answering
        self._edits: EditModel | None = None  # the engine's
        self._rested: EditContext | None = None  # where the cursor came to rest before there was an engine

    def configure(self, options: Options) -> None:
        """Use these settings from now on. A new model is loaded in the background."""
        before, self._options = self._options, options
        if _needs(before) != _needs(options):
            self._new_engine()
        self.models.load(options.server.model, options.server.daemon)

    def renew(self) -> None:
        """Replace the engine, if there is one, by a new one with an empty completion cache."""
        if self.engine is not None:
            self._new_engine()

    async def close(self) -> None:
        """Close engine and model."""
        self._drop_engine()
        await self.models.close()

    async def settled(self) -> None:
        """Wait for an engine at most ``patience`` seconds, while the model is loading."""
        if self.engine is None:
            await self.models.settled(self._options.server.patience)

    async def complete(self, context: EditContext, most: int) -> Answer | None:
        """Answer a request with up to ``most`` suggestions. None: the model was not ready within ``patience``."""
        if self.engine is None:
            self.stats.count(Answer(Source.NONE, reason=Reason.UNAVAILABLE))
            return None
        return await self._in_time(self.engine.complete(context, most))

    async def edit(self, context: EditContext, pause: bool) -> Answer:
        """The next edit at ``context``, if there is one, whatever completion there may be. ``pause``: a model is asked
        about a step that is being typed only after a pause."""
        answer = None
        if self.engine is not None:
            self.engine.changed(context)
            answer = await self._in_time(self.engine.edit(context, pause))
        return Answer(Source.NONE, reason=Reason.UNAVAILABLE) if answer is None else answer

    async def _in_time(self, request: Coroutine[Any, Any, Answer]) -> Answer | None:
        """The engine's answer. None: the model was not ready within ``patience``."""
        try:
            # While the model restarts, the completion cache still answers, and other requests wait.
            async with asyncio.timeout(None) as limit:
                self._limits.add(limit)
                self._bound_waiting()
                try:
                    answer = await request
                finally:
                    self._limits.discard(limit)
        except TimeoutError:  # the engine has counted the request, as cancelled
            return None
        if answer.detail:
            log.warning("%s: %s", answer.reason, answer.detail)
        self._report(answer)
        return answer

    def following(self, context: EditContext, suggestion: Suggestion) -> Iterator[tuple[EditContext, Suggestion]]:
        """The next edits that will be offered one after another, if ``suggestion`` and each of them is accepted."""
        return self.engine.following(context, suggestion) if self.engine else iter(())

    def rested(self, context: EditContext) -> None:
        """The cursor came to rest at ``context``, and nothing was typed there yet."""
        if self.engine is None:
            self._rested = context
        else:
            self.engine.rested(context)

    def forget(self, uri: str) -> None:
        """Forget where the cursor rested in this document: its text is out of date, or must not be used."""
        if self._rested and self._rested.uri == uri:
            self._rested = None

    def _report(self, answer: Answer) -> None:
        """Report a failing model to the user, once until it works again, even if messages differ.

        The state of a local model's process is shown as such (`ModelHost`), so it is not reported here.
        """
        server = self._options.server.model.startswith(_SERVERS) or answer.detail.startswith(_SERVERS)
        local_process = answer.reason is not Reason.FAILED and not server
        if answer.detail and not self.trouble and not local_process:
            self._troubled(answer.detail)
        if answer.detail or answer.suggestion:
            self.trouble = answer.detail

    def _bound_waiting(self) -> None:
        """Limit all waiting requests to ``patience`` seconds while the model is not ready, and to none while it is."""
        ready = self.models.state is ModelState.READY
        until = None if ready else asyncio.get_running_loop().time() + self._options.server.patience
        for limit in self._limits:
            if (limit.when() is None) is not ready and not limit.expired():
                limit.reschedule(until)

    def _model_changed(self) -> None:
        if self._usable and self.engine is None:
            self._new_engine()
        elif not self._usable:  # a worker that restarts keeps its engine, and with it the completion cache
            self._drop_engine()
        self._bound_waiting()
        self._changed()

    @property
    def _usable(self) -> bool:
        return self.models.model is not None and self.models.state is not ModelState.UNUSABLE

    def _new_engine(self) -> None:
        """Make a new engine. While suggestions are off there is none, because an engine speculates by itself."""
        self._drop_engine()
        model = self.models.model
        if model is not None and self._usable and self._options.server.enabled:
            # Imported here so that `initialize` is answered without it.
            from tabspec.engine.engine import CompletionEngine

            self._edits = self._edit_model()
            self.engine = CompletionEngine(
                model,
                self._options.engine,
                slots=slots_of(model),
                neighbours=self._neighbours,
                edits=self._edits,
                stats=self.stats,
            )
            rested, self._rested = self._rested, None
            if rested:
                self.engine.rested(rested)

    def _edit_model(self) -> EditModel | None:
        """The model that writes next edits, by the settings. One that cannot be used is reported."""
        from tabspec.models.load import edits_here, load_edit_model

        server = self._options.server
        if edits_here(server.edit_model, server.model):
            from tabspec.models.process_edits import ProcessEdits

            if server.model.startswith(_SERVERS):  # the model at the cursor has no process here
                from tabspec.models.daemon.shared import SharedModel

                return ProcessEdits(SharedModel(None, mode=server.daemon), owned=True)
            return ProcessEdits(cast("LocalProcess", self.models.model))
        try:
            return load_edit_model(server.edit_model, server.edit_format, server.model)
        except ModelNotUsable as error:
            self._troubled(str(error))
            return None

    def _drop_engine(self) -> None:
        engine, self.engine = self.engine, None
        edits, self._edits = self._edits, None

        async def close(engine: CompletionEngine) -> None:
            await engine.close()
            if edits is not None:
                await edits.close()

        if engine is not None:
            task = asyncio.ensure_future(close(engine))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _released(self) -> None:
        """Wait until no engine uses the model that will be closed."""
        if self._closing:
            await asyncio.wait(list(self._closing))
