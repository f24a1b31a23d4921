"""The completion engine: one request in, exactly one answer out.

It asks, in this order: the completion cache, a generation in flight that agrees so far, the model. What is shown
makes the speculator ask for what comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import replace

from tabspec.cache.completion_cache import CompletionCache, Entry, Hit
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.alternatives import Alternatives, is_new
from tabspec.engine.generation import Generation, Link, State
from tabspec.engine.neighbours import Neighbours
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.rejections import Rejections
from tabspec.engine.scheduler import Scheduler
from tabspec.engine.speculation.acceptance import Predictor
from tabspec.engine.speculation.futures import SHARES, TYPED_AT_REST, FutureKind
from tabspec.engine.speculation.log import SpeculationLog
from tabspec.engine.speculation.price import Price
from tabspec.engine.speculation.speculator import Speculation, Speculator
from tabspec.engine.stats import OVERTAKEN, EngineStats
from tabspec.errors import ModelUnavailable
from tabspec.fitting.postprocess import judge, trimmed
from tabspec.fitting.truncation import FitStep, cut_point, truncate
from tabspec.models.protocol import Model, StopRule, warms
from tabspec.prompt.window import WindowSize
from tabspec.suggestion import Answer, GeneratedText, Miss, Reason, Source, Suggestion


class CompletionEngine:
    """Answers completion requests for any number of documents. To be made inside a running event loop, whose clock it
    uses: under replay and simulation that clock is virtual.

    ``slots`` is how many generations the model runs at a time; ``neighbours`` holds the documents around the ones that
    are asked for; ``steps`` are those of post-processing; ``acceptance`` knows how likely accepts are (a replay may;
    without it, that is learned).
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
    ) -> None:
        self.config = config = config or EngineConfig()
        self.stats = EngineStats()
        self._model, self._steps = model, steps
        self.neighbours = neighbours or Neighbours(config.related_chars)
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._window = WindowSize(config.prefix_chars, config.suffix_chars, max(config.prefix_chars // 3, 1))
        self.completion_cache = CompletionCache(
            config.cache_entries, config.cache_bytes, config.cache_seconds, self._now
        )
        stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
        self._scheduler = Scheduler(model, stop, self._review, self._ended, slots)
        self._price = Price(config.economy)
        self._speculator = Speculator(config, self._price, loop, self._known, self._speculate, acceptance)
        self._alternatives = Alternatives(stop, self._question, self._has, steps)
        self._speculation_log = SpeculationLog()
        self._rejections = Rejections()
        self._waiting: dict[str, _Request] = {}  # the latest request of each document
        self._current: dict[str, EditContext] = {}  # where each document's user is, as far as we were told

    async def complete(self, context: EditContext, most: int = 1) -> Answer:
        """Answer one request. A newer request for the same document ends this one as superseded.

        With ``most`` above 1, the answer has other suggestions behind the first, up to so many in all, which are only
        looked for now; ``waited`` is for the first.
        """
        request = _Request(context)
        started = self._now()
        answer = Answer(Source.NONE, reason=Reason.CANCELLED)
        try:
            first = replace(await self._answer(request), waited=self._now() - started)
            answer = first if most <= 1 else await self._more(request, first, most)
        finally:
            self._leave(request)
            self.stats.count(answer)
        return answer

    def shown(self, context: EditContext, suggestion: Suggestion) -> None:
        """The suggestion is on the user's screen. Heard too late, when something else was typed, it is but counted."""
        self.stats.shown += 1
        current = self._current.get(context.uri)
        if current and Link(context, suggestion).on_way(current):
            self._speculator.shown(context, suggestion)

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user took it (or, for a part of it, what ``suggestion`` holds). Editors may tell of the change first."""
        self.stats.accepted += 1
        self._speculator.accepted(context, suggestion)
        current = self._current.get(context.uri)
        if current and current.same_place(context):
            self.changed(context.after_accept(suggestion))

    def rejected(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user refused it: it is not offered again here, and what was asked ahead behind it stops."""
        self.stats.rejected += 1
        self._rejections.add(context, suggestion)
        future = context.after_accept(suggestion)
        root = self._speculator.root(context.uri)
        if root and root.context.after_accept(root.suggestion).same_place(future):
            self._speculator.gone(context.uri, refused=True)
        for generation in self._of(context.uri):
            if not generation.waiters and any(link.passes(future) for link in generation.lineage):
                self._scheduler.cancel(generation)

    def changed(self, context: EditContext) -> None:
        """The document or the cursor moved on: stop what cannot be reached from here."""
        waiting = self._waiting.get(context.uri)
        if waiting and not waiting.context.same_place(context):
            self._supersede(waiting)
        root = self._speculator.root(context.uri)
        if root and not root.on_way(context):
            self._speculator.gone(context.uri, refused=True)
        self._current[context.uri] = context
        for generation in self._of(context.uri):
            self._review(generation)

    def rested(self, context: EditContext) -> None:
        """The cursor was put here, or a document was opened with it here, and nothing was typed yet: ask ahead if that
        is worth its price, and else have the prompt computed: then the first suggestion comes as quickly as others.
        """
        self.changed(context)
        if not self.config.speculation_depth or self._too_long(context) or self._known(context) is not None:
            return
        if self._speculator.start(FutureKind.REST, SHARES[FutureKind.REST]) is not None:
            self._speculate(Speculation(context, (), FutureKind.REST, SHARES[FutureKind.REST]))
        elif self._worth_warming(context):
            self._scheduler.submit(Generation(self._question(context), probability=TYPED_AT_REST, wanted=1, warm=True))

    def closed(self, uri: str) -> None:
        """The document is closed: stop everything for it."""
        request = self._waiting.get(uri)
        if request:
            self._supersede(request)
        self._current.pop(uri, None)
        for generation in self._of(uri):
            self._scheduler.cancel(generation)
        self._speculator.gone(uri)
        self._rejections.closed(uri)

    async def close(self) -> None:
        """Stop everything. The model is the caller's to close."""
        self._speculator.close()
        for request in list(self._waiting.values()):
            self._supersede(request)
        await self._scheduler.close()

    @property
    def in_flight(self) -> tuple[int, int]:
        """Generations that are queued or running: those that somebody waits for, and those asked ahead."""
        waiting = [generation.foreground for generation in self._scheduler.generations()]
        return sum(waiting), len(waiting) - sum(waiting)

    # --- one request ------------------------------------------------------------------------------------------------

    @property
    def _caching(self) -> bool:
        return self.config.policy is not Policy.NONE

    def _too_long(self, context: EditContext) -> bool:
        return len(context.document.text) > self.config.max_document_chars

    async def _answer(self, request: _Request) -> Answer:
        context = request.context
        if earlier := self._waiting.get(context.uri):
            self._supersede(earlier)
        self._waiting[context.uri] = request
        if self._too_long(context):
            self.changed(context)
            return Answer(Source.NONE, reason=Reason.EXCLUDED, detail="the document is too long")
        question = self._question(context)
        if answer := self._cached(question):
            self.changed(context)
            return answer
        generation, source = self._in_flight(context), Source.JOINED
        if generation is None:
            generation, source = self._ask(question), Source.MODEL
        queued = generation.state is State.QUEUED  # before it is waited for: it may be asked again for that
        self._attach(request, generation)
        self.changed(context)  # after joining, so that nothing of use is stopped
        miss = self._miss(question, source, queued)
        return await self._wait(request, question, generation, source, miss)

    async def _wait(
        self, request: _Request, question: PromptState, generation: Generation, source: Source, miss: Miss
    ) -> Answer:
        """Wait for a generation as long as it agrees with the request; then for one of the request's own."""
        while True:
            if request.superseded:
                return Answer(Source.NONE, reason=Reason.SUPERSEDED)
            typed = request.context.typed_since(generation.context)
            if typed is None or not generation.agrees(typed) or (generation.ended and generation.entry is None):
                if source is Source.MODEL:
                    return _broken(generation)
                generation, source = self._ask(question), Source.MODEL
                self._attach(request, generation)
            elif generation.entry is not None:
                left = generation.entry.generated.after_typing(typed) if typed else generation.entry.generated
                assert left is not None  # agrees(typed) has said so
                if self._holds(request.context, generation.entry, left):
                    answer = self._offer(request.context, left, generation.entry, source)
                    return replace(answer, miss=miss) if answer.suggestion else answer
                generation, source = self._ask(question), Source.MODEL
                self._attach(request, generation)
            else:
                await request.woken.wait()
                request.woken.clear()

    def _cached(self, question: PromptState) -> Answer | None:
        hit = self._look_up(question) if self._caching else None
        if hit is None:
            return None
        first = hit.entry.speculated and not hit.entry.served
        source = Source.SPECULATED if first else Source.EXACT if hit.exact else Source.TYPE_THROUGH
        return replace(self._offer(question.context, hit.generated, hit.entry, source), cached=True)

    def _look_up(self, question: PromptState) -> Hit | None:
        hit = self.completion_cache.lookup(question.context, question.scope)
        return hit if hit and self._holds(question.context, hit.entry, hit.generated) else None

    def _holds(self, context: EditContext, entry: Entry, left: GeneratedText) -> bool:
        """Whether what is ``left`` of an entry is the whole answer at ``context``: not if it ends where the rest would
        have been cut off at the entry's own state, and would not be here."""
        return not entry.settled or cut_point(context, left.text, self._steps) is not None

    def _offer(self, context: EditContext, generated: GeneratedText, entry: Entry, source: Source) -> Answer:
        """Post-process what is left of an entry's text into the answer."""
        suggestion = self._suggest(context, generated)
        if isinstance(suggestion, Reason):
            return Answer(Source.NONE, reason=suggestion)
        if not entry.served and entry.tokens:
            kind = self.stats.kinds[entry.kind or OVERTAKEN]
            kind.used, kind.used_tokens = kind.used + 1, kind.used_tokens + entry.tokens
        entry.served += 1
        return Answer(source, (suggestion,))

    def _suggest(self, context: EditContext, generated: GeneratedText) -> Suggestion | Reason:
        """What to offer of a text at ``context``, or why nothing."""
        generated = truncate(context, generated, self._steps)
        suggestion = trimmed(context, generated, self._steps)
        suggestion = judge(suggestion, generated, self._model.info.calibration, self.config.min_probability)
        refused = isinstance(suggestion, Suggestion) and (context, suggestion) in self._rejections
        return Reason.REJECTED if refused else suggestion

    # --- more than one suggestion -----------------------------------------------------------------------------------

    async def _more(self, request: _Request, first: Answer, most: int) -> Answer:
        """An answer with other suggestions behind it, the likeliest first. Also where the first was nothing, because
        the model is in doubt or the user has refused it."""
        if first.reason not in (None, Reason.EMPTY, Reason.WITHHELD, Reason.REJECTED):
            return first
        others: list[Suggestion] = []
        said = [each.text for each in first.suggestions]
        texts = self._alternatives.texts(request.context, said, lambda generation: self._done(request, generation))
        async with aclosing(texts):
            async for generated in texts:
                suggestion = self._suggest(request.context, generated)
                if isinstance(suggestion, Suggestion) and is_new(suggestion, (*first.suggestions, *others)):
                    others.append(suggestion)
                if len(first.suggestions) + len(others) >= most:
                    break
        if request.superseded:
            return Answer(Source.NONE, reason=Reason.SUPERSEDED)
        others.sort(key=lambda suggestion: suggestion.probability or 0.0, reverse=True)
        if not first.suggestions and others:
            return Answer(Source.MODEL, tuple(others), waited=first.waited)
        return replace(first, suggestions=(*first.suggestions, *others))

    async def _done(self, request: _Request, generation: Generation) -> bool:
        """Wait until a generation has ended, on behalf of a request; False if that is superseded first."""
        if generation.state is State.QUEUED and generation not in self._scheduler.generations():
            self._scheduler.submit(generation)
        self._attach(request, generation)
        while not (generation.ended or request.superseded):
            await request.woken.wait()
            request.woken.clear()
        self._attach(request, None)
        return not request.superseded

    def _has(self, question: PromptState) -> GeneratedText | Generation | None:
        """What there is of an answer to this very question."""
        if not self._caching:
            return None
        hit = self._look_up(question)
        running = (each for each in self._of(question.context.uri) if not each.wanted)
        return (
            hit.generated
            if hit
            else next((each for each in running if each.context.same_place(question.context)), None)
        )

    def _supersede(self, request: _Request) -> None:
        """Something newer has come. Its task leaves the generation when it wakes, and not before: the newer request may
        join it, and in between it would count as speculation and lose its slot.
        """
        request.superseded = True
        request.woken.set()

    def _leave(self, request: _Request) -> None:
        """The request waits no more."""
        if self._waiting.get(request.context.uri) is request:
            del self._waiting[request.context.uri]
        self._attach(request, None)

    def _attach(self, request: _Request, generation: Generation | None) -> None:
        """Make the request wait for this generation and for no other."""
        if left := request.generation:
            left.listeners.remove(request.woken.set)
            self._scheduler.set_foreground(left, left.waiters > 0)
            self._review(left)
        request.generation = generation
        if generation:
            generation.listeners.append(request.woken.set)
            self._scheduler.set_foreground(generation, True)

    # --- generations ------------------------------------------------------------------------------------------------

    def _question(self, context: EditContext) -> PromptState:
        return PromptState.of(context, self._window, self._model.info.fingerprint, self.neighbours.related, self._steps)

    def _of(self, uri: str) -> list[Generation]:
        return [generation for generation in self._scheduler.generations() if generation.context.uri == uri]

    def _in_flight(self, context: EditContext) -> Generation | None:
        """The generation whose answer, as far as it goes, is one for ``context``: the one that has got farthest."""
        if not self._caching:
            return None
        scope = self._question(context).scope
        best, best_left = None, 0
        for generation in self._of(context.uri):
            typed = context.typed_since(generation.context)
            if generation.wanted or typed is None or generation.question.scope != scope or not generation.agrees(typed):
                continue
            if generation.ended and generation.entry is None:  # it was stopped, and has not left the model yet
                continue
            left = len(generation.text) - len(typed)
            if best is None or left > best_left:
                best, best_left = generation, left
        return best

    def _ask(self, question: PromptState) -> Generation:
        """Put a request's own question to the model. What has warmed up for it so far is in the KV cache."""
        for other in self._of(question.context.uri):
            if other.warm:
                self._scheduler.cancel(other)
        generation = Generation(question, foreground=True)
        self._scheduler.submit(generation)
        return generation

    def _review(self, generation: Generation) -> None:
        """Stop a generation that nobody waits for, once its user cannot come to its state any more."""
        if not generation.waiters and not generation.ended and not self._reachable(generation):
            self._scheduler.cancel(generation)

    def _reachable(self, generation: Generation) -> bool:
        """Whether its answer may still be served: from the completion cache, to a request that comes later."""
        current = self._current.get(generation.context.uri)
        if current is None or not self._caching:
            return False
        if generation.wanted:
            return generation.warm and generation.context.same_place(current)
        return generation.reachable(current)

    def _ended(self, generation: Generation) -> None:
        """Called by the scheduler once for each generation: keep what came of it, and look what to ask next."""
        self.stats.usage += generation.usage
        if generation.speculative_tokens:
            self.stats.kinds[generation.kind or OVERTAKEN].tokens += generation.speculative_tokens
        if generation.kind:
            self._speculation_log.ended(generation)
        if generation.state is not State.DONE or generation.wanted:
            return
        if generation.kind:
            self._price.measured(generation.busy, generation.cost)
        written = generation.generated()
        end = cut_point(generation.context, written.text, self._steps)
        generation.entry = Entry(
            written if end is None else written.stopped_at(end),
            generation.kind,
            generation.speculative_tokens,
            settled=end is not None,
        )
        if self._caching:
            self.completion_cache.put(generation.context, generation.question.scope, generation.entry)
        self._speculator.look(generation.context.uri)

    def _miss(self, question: PromptState, source: Source, queued: bool) -> Miss:
        """Why a request has to wait for a generation, which was ``queued`` or running."""
        if not self.config.speculation_depth:
            return Miss.NOT_SPECULATED
        if source is Source.JOINED:
            return Miss.MODEL_BUSY if queued else Miss.NO_TIME
        return self._speculation_log.miss(question)

    def _worth_warming(self, context: EditContext) -> bool:
        """Whether to compute the prompt for ``context`` now. It saves as much time as it costs, if it is needed: so
        what counts is how often that is.
        """
        return (
            warms(self._model)
            and self.config.economy < TYPED_AT_REST
            and not any(each.context.same_place(context) for each in self._of(context.uri))
        )

    # --- for the speculator -----------------------------------------------------------------------------------------

    def _known(self, context: EditContext) -> Suggestion | Reason | None:
        """What would be offered at ``context`` without asking the model; None if that is not known."""
        hit = self._look_up(self._question(context))
        return hit and self._suggest(context, hit.generated)

    def _speculate(self, speculation: Speculation) -> bool:
        """Put a future to the model, unless that is done already; whether it was."""
        running = self._in_flight(speculation.context)
        if running is None:
            question = self._question(speculation.context)
            ahead = Generation(question, speculation.lineage, speculation.kind, speculation.probability)
            if self._reachable(ahead) and not self._too_long(speculation.context):
                self.stats.kinds[speculation.kind].asked += 1
                self._scheduler.submit(ahead)
                return True
        elif running.context.same_place(speculation.context):  # the screen has moved on towards it
            running.lineage, running.probability = speculation.lineage, speculation.probability
        return False


class _Request:
    """A request that has not been answered yet."""

    __slots__ = ("context", "generation", "superseded", "woken")

    def __init__(self, context: EditContext) -> None:
        self.context = context
        self.generation: Generation | None = None
        self.superseded = False
        self.woken = asyncio.Event()


def _broken(generation: Generation) -> Answer:
    """The answer to a request whose own generation came to nothing."""
    if generation.error is None:
        return Answer(Source.NONE, reason=Reason.CANCELLED)
    gone = isinstance(generation.error, ModelUnavailable)
    reason = Reason.UNAVAILABLE if gone else Reason.FAILED
    return Answer(Source.NONE, reason=reason, detail=str(generation.error))
