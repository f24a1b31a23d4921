"""The completion engine: one request in, exactly one answer out.

It looks, in this order, at the completion cache, at the generations in flight, and at the model. When a suggestion is
shown, the speculator asks for what would follow its accept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace

from tabspec.cache.completion_cache import CompletionCache
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.completions import Completions
from tabspec.engine.generation import Generation, Link, State
from tabspec.engine.in_flight import InFlight
from tabspec.engine.neighbours import Neighbours
from tabspec.engine.next_edits.choice import NextEdits
from tabspec.engine.next_edits.written import WrittenEdits
from tabspec.engine.offering import Offering
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.requests import Request, Requests
from tabspec.engine.scheduler import Scheduler
from tabspec.engine.speculation.acceptance import Predictor
from tabspec.engine.speculation.log import SpeculationLog
from tabspec.engine.speculation.price import REST, TAKEN_AT_REST, TYPED_AT_REST, Price
from tabspec.engine.speculation.speculator import Speculation, Speculator
from tabspec.engine.stats import OVERTAKEN, EngineStats
from tabspec.fitting.truncation import FitStep
from tabspec.models.edit_protocol import EditModel
from tabspec.models.protocol import Model, StopRule, warms
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Answer, Reason, Source, Suggestion


class CompletionEngine:
    """Answers completion requests for any number of documents. Must be made inside a running event loop, whose clock it
    uses: under replay and simulation that clock is virtual.

    ``slots`` is how many generations the model runs at a time; ``neighbours`` holds the documents that related code is
    taken from; ``steps`` are the steps of post-processing; ``edits`` is a model that writes next edits; ``stats``
    are the counts that it goes on with. A replay may replace ``acceptance``, which predicts accepts (else it learns
    from the user), and ``speculator``, which asks ahead.
    """

    def __init__(
        self,
        model: Model,
        config: EngineConfig | None = None,
        *,
        steps: Collection[FitStep] = frozenset(FitStep),
        slots: int = 1,
        neighbours: Neighbours | None = None,
        acceptance: Predictor | None = None,
        speculator: type[Speculator] = Speculator,
        edits: EditModel | None = None,
        stats: EngineStats | None = None,
    ) -> None:
        self.config = config = config or EngineConfig()
        self._caching = config.policy is not Policy.NONE
        self.stats = stats or EngineStats()
        self._model, self._steps = model, steps
        self.neighbours = neighbours or Neighbours(config.related_chars)
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._window = WindowSize.of(config)
        self.completion_cache = CompletionCache(config.cache_bytes)
        stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
        self._offering = Offering(self.completion_cache, model, config.min_probability, self.stats)
        self._scheduler = Scheduler(model, stop, self._wrote, self._ended, slots)
        self._generations = InFlight(self._scheduler, self._caching)
        self._requests = Requests(self._scheduler, self._generations)
        self._price = Price(config.economy)
        self._speculator = speculator(config, self._price, loop, self._known, self._speculate, acceptance)
        self._speculation_log = SpeculationLog(bool(config.speculation_depth))
        self._completions = Completions(
            self._offering,
            self._scheduler,
            self._generations,
            self._requests,
            self._speculation_log,
            stop,
            self._question,
            self.changed,
        )
        kept = self.completion_cache if self._caching else None
        writer = None
        if edits is not None:
            writer = WrittenEdits(edits, self._window, kept, self.stats, self.neighbours, self._edit_ended)
        self._edits = NextEdits(kept, writer)

    async def complete(self, context: EditContext, most: int = 1) -> Answer:
        """Answer one request. A newer request for the same document ends this one as superseded.

        The answer has at most ``most`` suggestions. ``waited`` is the time until the first one, in seconds; the others
        are computed after it.
        """
        request = Request(context)
        started = self._now()
        answer = Answer(Source.NONE, reason=Reason.CANCELLED)
        try:
            first = replace(await self._answer(request), waited=self._now() - started)
            answer = first if most <= 1 else await self._completions.more(request, first, most)
        finally:
            self._requests.leave(request)
            self.stats.count(answer)
        return answer

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """The suggestion is on the user's screen. If the user has typed something else since, it is only counted."""
        self.stats.shown += 1
        current = self._generations.current.get(context.uri)
        if current and Link(context, suggestion).on_way(current):
            self._edits.fill(context, suggestion)
            self._speculator.shown(context, suggestion)

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user accepted ``suggestion``, which may be a part of what was shown. May follow `changed`."""
        self.stats.accepted += 1
        self._speculator.accepted(context, suggestion)
        self._edits.accepted(suggestion)
        current = self._generations.current.get(context.uri)
        if current and current.same_place(context):
            self.changed(context.after_accept(suggestion))

    def rejected(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user rejected it: it is not offered again here, and speculations that follow it are cancelled."""
        self.stats.rejected += 1
        if suggestion.edit:
            self._edits.refused(context, suggestion.edit)
        else:
            self._offering.rejections.add(context, suggestion)
        future = context.after_accept(suggestion)
        root = self._speculator.root(context.uri)
        if root and root.context.after_accept(root.suggestion).same_place(future):
            self._speculator.gone(context.uri, refused=True)
        for generation in self._generations.of(context.uri):
            if not generation.waiters and any(link.passes(future) for link in generation.lineage):
                self._scheduler.cancel(generation)

    def changed(self, context: EditContext) -> None:
        """The document or the cursor has changed: cancel generations whose states can no longer be reached."""
        self._requests.supersede(context.uri, but=context)
        root = self._speculator.root(context.uri)
        if root and not root.on_way(context):
            self._speculator.gone(context.uri, refused=True)
        self._generations.current[context.uri] = context
        self._edits.changed(context)
        for generation in self._generations.of(context.uri):
            self._generations.review(generation)

    def rested(self, context: EditContext) -> None:
        """The cursor was put here, or a document was opened with it here, and nothing was typed yet. The policy `tree`
        asks for a suggestion here; the others have the prompt computed, so that the first suggestion comes as quickly
        as later ones.
        """
        self.changed(context)
        if not self.config.speculation_depth or self._too_long(context) or self._known(context) is not None:
            return
        if self.config.policy is Policy.TREE:
            self._speculate(Speculation(context, (), TAKEN_AT_REST, REST))
        elif self._worth_warming(context):
            self._scheduler.submit(Generation(self._question(context), probability=TYPED_AT_REST, wanted=1, warm=True))

    async def edit(self, context: EditContext, pause: bool = False) -> Answer:
        """The next edit at a place where the cursor was put, whatever completion there may be. A newer call for the
        same document ends this one as superseded; a request for a completion at the same place does not. ``pause``: the
        model is asked about a step that is being typed only after a pause. It does not count as a request."""
        request = Request(context, alone=True)
        started = self._now()
        try:
            answer = await self._edits.alone(request, self._enter, pause)
        finally:
            self._requests.leave(request)
        return replace(answer, waited=self._now() - started)

    def next_edit(self, context: EditContext) -> Suggestion | None:
        """The next edit by pattern at a place where the cursor was put, if there is one. No model is asked."""
        self._edits.changed(context)
        edit = self._edits.first(context)
        return None if edit is None else Suggestion.of(edit)

    def following(self, context: EditContext, suggestion: Suggestion) -> Iterator[tuple[EditContext, Suggestion]]:
        """The next edits that will be offered one after another, if ``suggestion`` and each of them is accepted: each
        with the state at which it will be offered."""
        self._edits.fill(context, suggestion)
        context = context.after_accept(suggestion)
        while isinstance(known := self._edits.known(context, None), Suggestion):
            yield context, known
            context = context.after_accept(known)

    def closed(self, uri: str) -> None:
        """The document is closed: cancel all its requests and generations."""
        self._requests.supersede(uri)
        self._generations.current.pop(uri, None)
        for generation in self._generations.of(uri):
            self._scheduler.cancel(generation)
        self._speculator.gone(uri)
        self._offering.rejections.closed(uri)
        self._edits.closed(uri)

    async def close(self) -> None:
        """Cancel all requests and generations. The caller closes the model."""
        self._speculator.close()
        self._requests.close()
        await self._scheduler.close()
        await self._edits.close()

    @property
    def in_flight(self) -> tuple[int, int]:
        """Numbers of foreground generations and of speculations that are queued or running."""
        waiting = [each.foreground for each in (*self._scheduler.generations(), *self._edits.generations())]
        return sum(waiting), len(waiting) - sum(waiting)

    # --- one request ------------------------------------------------------------------------------------------------

    def _too_long(self, context: EditContext) -> bool:
        return len(context.document.text) > self.config.max_document_chars

    async def _answer(self, request: Request) -> Answer:
        """The edit or the completion, whichever is worth more."""
        return await self._edits.answer(request, self._enter, self._completion)

    def _enter(self, request: Request) -> None:
        self._requests.enter(request)
        self.changed(request.context)

    async def _completion(self, request: Request) -> Answer:
        """The completion at the cursor."""
        self._requests.enter(request)
        if self._too_long(request.context):
            self.changed(request.context)
            return Answer(Source.NONE, reason=Reason.EXCLUDED, detail="the document is too long")
        return await self._completions.answer(request)

    # --- generations ------------------------------------------------------------------------------------------------

    def _question(self, context: EditContext) -> PromptState:
        return PromptState.of(context, self._window, self._model.info.fingerprint, self.neighbours.related, self._steps)

    def _wrote(self, generation: Generation) -> None:
        self._generations.review(generation)  # its text may contradict what the user has typed
        if generation.foreground and isinstance(generation.question, PromptState):
            generation.question.place.parse_ahead()  # while the model writes on

    def _ended(self, generation: Generation) -> None:
        """A generation has ended: count it, store its text, and let the speculator plan again."""
        self.stats.usage += generation.usage
        if generation.speculative_tokens:
            self.stats.kinds[generation.kind or OVERTAKEN].tokens += generation.speculative_tokens
        if generation.kind:
            self._speculation_log.ended(generation)
        if generation.state is not State.DONE or generation.wanted:
            return
        assert isinstance(generation.question, PromptState)  # edits end in `_edit_ended`
        generation.entry = self._offering.entry(
            generation.question, generation.generated(), generation.kind, generation.speculative_tokens
        )
        if self._caching:
            self.completion_cache.put(generation.context, generation.question.scope, generation.entry)
        if generation.kind:
            # No completion: perhaps an edit. Both are one future, and are measured together when the edit has ended.
            goes_on = self._known(generation.context) is None and self._edits.ahead(
                generation.context, generation.lineage, generation.probability, generation
            )
            if not goes_on:
                self._price.measured(generation.busy, generation.cost)
        self._speculator.look(generation.context.uri)

    def _edit_ended(self, generation: Generation) -> None:
        """A model has written an edit, or failed: let the speculator plan again."""
        if generation.state is State.DONE and generation.kind:
            self._price.measured(generation.busy, generation.cost)
            self._speculator.look(generation.root.uri)

    def _worth_warming(self, context: EditContext) -> bool:
        """Whether to compute the prompt for ``context`` now. If it is used, it saves as much time as it costs: so it
        pays if it is used more often than ``economy`` asks for.
        """
        return (
            warms(self._model)
            and self.config.economy < TYPED_AT_REST
            and not any(each.context.same_place(context) for each in self._generations.of(context.uri))
        )

    # --- for the speculator -----------------------------------------------------------------------------------------

    def _known(self, context: EditContext) -> Suggestion | Reason | None:
        """What would be offered at ``context`` without the model; None if that is not known."""
        question = self._question(context)
        hit = self._offering.look_up(question)
        completion = hit and self._offering.suggest(question, hit.generated, hit.entry)
        return self._edits.known(context, completion)

    def _speculate(self, speculation: Speculation) -> bool:
        """Queue a speculation, unless its state is known, in flight or out of reach; True if it was queued."""
        question = self._question(speculation.context)
        if self._offering.look_up(question):  # there is no completion: only an edit is left to ask for
            return self._edits.ahead(speculation.context, speculation.lineage, speculation.probability)
        running = self._generations.agreeing(question)
        if running is None:
            ahead = Generation(question, speculation.lineage, speculation.kind, speculation.probability)
            if self._generations.reachable(ahead) and not self._too_long(speculation.context):
                self.stats.kinds[speculation.kind].asked += 1
                self._scheduler.submit(ahead)
                return True
        elif running.context.same_place(speculation.context):  # a newer screen leads to it
            running.lineage, running.probability = speculation.lineage, speculation.probability
        return False
