"""Next edits that a model writes: for a request, and in advance for the state after an accept.

Answers are kept in the completion cache under document, cursor, history and model. They run on a scheduler of their
own, of the same class as that of completions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

from tabspec.cache.completion_cache import CompletionCache, Entry
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.engine.generation import Generation, Link, State
from tabspec.engine.neighbours import Neighbours
from tabspec.engine.next_edits.state import WRITTEN, EditState, agreed
from tabspec.engine.requests import Request, answer_to_failure
from tabspec.engine.scheduler import Scheduler
from tabspec.engine.stats import EngineStats
from tabspec.models.edit_protocol import EditModel, chunk_of
from tabspec.models.protocol import Chunk, ModelInfo, StopRule, slots_of
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Answer, Finish, GeneratedText, Miss, Reason, Source, Suggestion

Choose = Callable[[EditContext, tuple[ProposedEdit, ...]], ProposedEdit | None]
"""Picks the edit of a chain that may be shown at a state."""
_NOTHING = GeneratedText("", Finish.END)


class WrittenEdits:
    """The edits of ``model``, which sees windows of ``size``. Answers are kept in ``cache``; without one, each request
    asks the model. ``ended`` is called when an edit was written, or the model has failed."""

    def __init__(
        self,
        model: EditModel,
        size: WindowSize,
        cache: CompletionCache | None,
        stats: EngineStats,
        neighbours: Neighbours,
        ended: Callable[[Generation], None],
    ) -> None:
        self._model, self._size, self._cache = model, size, cache
        self._stats, self._neighbours, self._ended_with = stats, neighbours, ended
        streams = _Rewriting(model)
        self._scheduler = Scheduler(streams, StopRule(), lambda _: None, self._ended, slots_of(streams))
        self._current: dict[str, EditContext] = {}  # the latest known state of each document

    def judges(self, context: EditContext, edit: ProposedEdit) -> bool:
        """Whether the model, asked at this state, judges an edit that a pattern proposes for its document: it judges
        those in its region."""
        state = self._state(context) if self._model.judges else None
        change = edit.change
        return state is not None and state.start <= change.offset <= change.offset + change.delete <= state.stop

    def known(self, context: EditContext) -> tuple[ProposedEdit, ...] | None:
        """The chain at this state without asking the model; None if it is not known. Counts nothing as served."""
        state = self._state(context)
        if state is None:
            return ()
        entry = self._cached(state)
        return None if entry is None else entry.edits

    async def answer(self, request: Request, otherwise: Answer, choose: Choose) -> Answer:
        """The answer with the edit that the model writes for the request, where ``choose`` picks one of the chain; else
        ``otherwise``, or that the model has failed."""
        state = self._state(request.context)
        if state is None:
            return otherwise
        entry, generation, source = self._cached(state), None, Source.EXACT
        if entry is None:
            generation, source = self._running(state) if self._cache is not None else None, Source.JOINED
            if generation is None:
                generation, source = Generation(state, foreground=True), Source.MODEL
                self._scheduler.submit(generation)
            await self._ended_for(request, generation)
            if request.superseded:
                return Answer(Source.NONE, reason=Reason.SUPERSEDED)
            entry = generation.entry
        elif entry.speculated and not entry.served:
            source = Source.SPECULATED
        if entry is None:
            assert generation is not None  # it has failed, or the engine is being closed
            return answer_to_failure(generation)
        edit = choose(request.context, entry.edits)
        if edit is None:
            return otherwise
        if not entry.served and entry.tokens:
            kind = self._stats.kinds[WRITTEN]
            kind.used, kind.used_tokens = kind.used + 1, kind.used_tokens + entry.tokens
        entry.served += 1
        suggestion = Suggestion.of(replace(edit, position=0, parent=0))
        miss = None if generation is None else Miss.NO_TIME if source is Source.JOINED else Miss.UNKNOWN
        return Answer(source, (suggestion,), miss=miss, cached=generation is None)

    async def _ended_for(self, request: Request, generation: Generation) -> None:
        """Wait until a generation has ended, or a newer request has come."""
        generation.listeners.append(request.wake)
        self._scheduler.set_foreground(generation, True)
        try:
            while not (generation.ended or request.superseded):
                await request.change()
        finally:
            generation.listeners.remove(request.wake)
            self._scheduler.set_foreground(generation, generation.waiters > 0)
            self._review(generation)

    def ahead(
        self, context: EditContext, lineage: tuple[Link, ...], probability: float, after: Generation | None = None
    ) -> bool:
        """Queue a request for the state that ``lineage`` leads to, unless its answer is known or being written. A model
        that reads more than the window of completions is asked only if ``lineage`` has a next edit. The time of the
        completion ``after`` which it is asked counts as its own: the user has to wait for both."""
        state = self._state(context)
        if state is None or self._cached(state) is not None or self._running(state):
            return False
        if state.region.chars and all(link.suggestion.edit is None for link in lineage):
            # Each completion would lead to a scan of its own, of a thousand tokens, and few of them to an edit.
            return False
        generation = Generation(state, lineage, WRITTEN, probability)
        if after is not None:
            generation.busy, generation.cost = after.busy, after.cost
        if not self._reachable(generation):
            return False
        self._stats.kinds[WRITTEN].asked += 1
        self._scheduler.submit(generation)
        return True

    def changed(self, context: EditContext) -> None:
        """The document or the cursor has changed: stop what can no longer be reached."""
        self._current[context.uri] = context
        for generation in self._scheduler.generations():
            self._review(generation)

    def refused(self, uri: str) -> None:
        """What was on the screen of this document was refused: no accept leads from there."""
        for generation in self._scheduler.generations():
            if generation.root.uri == uri and not generation.waiters:
                self._scheduler.cancel(generation)

    def closed(self, uri: str) -> None:
        """The document is closed."""
        self._current.pop(uri, None)
        for generation in self._scheduler.generations():
            if uri in (generation.root.uri, generation.context.uri):
                self._scheduler.cancel(generation)

    def generations(self) -> list[Generation]:
        """Those that are queued or running."""
        return self._scheduler.generations()

    async def close(self) -> None:
        """Stop asking. The caller closes the model."""
        await self._scheduler.close()

    def _state(self, context: EditContext) -> EditState | None:
        """What to ask at this state; None where nothing was edited yet."""
        region, history = self._model.region, agreed(context)
        if region is None or history is None or not history.steps:
            return None
        return EditState.of(context, region, self._size, self._model.info.fingerprint, self._neighbours.related)

    def _cached(self, state: EditState) -> Entry | None:
        hit = self._cache.lookup(state.context, state.scope) if self._cache is not None else None
        return hit.entry if hit else None

    def _running(self, state: EditState) -> Generation | None:
        """The generation of exactly this state."""
        return next(
            (
                each
                for each in self._scheduler.generations()
                if not each.ended and each.question.scope == state.scope and each.context.same_place(state.context)
            ),
            None,
        )

    def _review(self, generation: Generation) -> None:
        if not generation.waiters and not generation.ended and not self._reachable(generation):
            self._scheduler.cancel(generation)

    def _reachable(self, generation: Generation) -> bool:
        """Whether a request may come for exactly this state."""
        current = self._current.get(generation.root.uri)
        if current is None:
            return False
        return generation.context.same_place(current) or any(link.on_way(current) for link in generation.lineage)

    def _ended(self, generation: Generation) -> None:
        """A generation has ended: count it, and keep its answer."""
        stats, state = self._stats, generation.question
        assert isinstance(state, EditState)
        stats.usage += generation.usage
        if generation.speculative_tokens:
            stats.kinds[WRITTEN].tokens += generation.speculative_tokens
        if generation.state is State.DONE:
            edits = state.edits(generation.text, generation.logprobs, generation.right)
            entry = Entry(_NOTHING, generation.kind, generation.speculative_tokens, edits=edits)
            generation.entry = entry
            if self._cache is not None:
                self._cache.put(state.context, state.scope, entry)
        self._ended_with(generation)


class _Rewriting:
    """An edit model for the scheduler, which reads streams: the answer is one chunk, the region's new text."""

    def __init__(self, model: EditModel) -> None:
        self._model = model
        self.slots = int(getattr(model, "slots", 0)) or 1
        self.schedules = bool(getattr(model, "schedules", False))

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    async def stream(self, request: Any) -> AsyncGenerator[Chunk, None]:
        answer = await self._model.edit(request)
        yield chunk_of(answer, request.region)

    async def close(self) -> None:
        return None
