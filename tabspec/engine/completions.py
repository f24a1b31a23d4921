"""Answers a request for a completion at the cursor: from the completion cache, from a generation in flight, or from the
model. For a user who asks for more, it adds other suggestions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from tabspec.context import EditContext
from tabspec.engine.alternatives import Alternatives, is_new
from tabspec.engine.generation import Generation, State
from tabspec.engine.in_flight import InFlight
from tabspec.engine.offering import Offering
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.requests import Request, Requests, answer_to_failure
from tabspec.engine.scheduler import Scheduler
from tabspec.engine.speculation.log import SpeculationLog
from tabspec.models.protocol import StopRule
from tabspec.suggestion import Answer, GeneratedText, Miss, Reason, Source, Suggestion


class Completions:
    """Finds or starts the generation that answers a request, and waits for it.

    ``question`` makes the prompt state of a context. ``changed`` reports the request's state to the engine, which then
    cancels the generations that it has made useless.
    """

    def __init__(
        self,
        offering: Offering,
        scheduler: Scheduler,
        generations: InFlight,
        requests: Requests,
        log: SpeculationLog,
        stop: StopRule,
        question: Callable[[EditContext], PromptState],
        changed: Callable[[EditContext], None],
    ) -> None:
        self._offering, self._scheduler, self._generations, self._requests = offering, scheduler, generations, requests
        self._log, self._question, self._changed = log, question, changed
        self._alternatives = Alternatives(stop, question, self._known)

    async def answer(self, request: Request) -> Answer:
        """The first suggestion, or the reason why there is none."""
        question = self._question(request.context)
        if answer := self._offering.cached(question):
            self._changed(request.context)
            return answer
        generation, source = self._generations.agreeing(question), Source.JOINED
        if generation is None:
            generation, source = self._start(question), Source.MODEL
        queued = generation.state is State.QUEUED  # read before joining, which may put it back into the queue
        self._requests.attach(request, generation)
        self._changed(request.context)  # after joining, so that the joined generation is not cancelled
        miss = self._log.miss(question, source is Source.JOINED, queued)
        return await self._wait(request, question, generation, source, miss)

    async def _wait(
        self, request: Request, question: PromptState, generation: Generation, source: Source, miss: Miss
    ) -> Answer:
        """Wait for a generation as long as it agrees with the request; then start the request's own."""
        while not request.superseded:
            typed = request.context.typed_since(generation.context)
            agrees = typed is not None and generation.agrees(typed)
            if agrees and not generation.ended:
                await request.change()
                continue
            if typed is not None and agrees and generation.entry is not None:
                if answer := self._offering.joined(question, generation.entry, typed, source):
                    return replace(answer, miss=miss) if answer.suggestion else answer
            elif source is Source.MODEL:
                return answer_to_failure(generation)
            generation, source = self._start(question), Source.MODEL
            self._requests.attach(request, generation)
        return Answer(Source.NONE, reason=Reason.SUPERSEDED)

    def _start(self, question: PromptState) -> Generation:
        """Start a generation for this request. Warm-ups of the document are cancelled: the KV cache has what they have
        computed."""
        for other in self._generations.of(question.context.uri):
            if other.warm:
                self._scheduler.cancel(other)
        generation = Generation(question, foreground=True)
        self._scheduler.submit(generation)
        return generation

    # --- more than one suggestion -----------------------------------------------------------------------------------

    async def more(self, request: Request, first: Answer, most: int) -> Answer:
        """``first`` with other suggestions after it, the likeliest first: at most ``most`` in all. Also if ``first``
        has none because the model is in doubt or the user has rejected it."""
        if first.reason not in (None, Reason.EMPTY, Reason.WITHHELD, Reason.REJECTED):
            return first
        others: list[Suggestion] = []
        question = self._question(request.context)
        known = [each.text for each in first.suggestions]
        texts = self._alternatives.texts(question, known, partial(self._requests.ended, request))
        async with aclosing(texts):
            async for generated in texts:
                # The user has asked for more: unlikely ones are shown, too.
                suggestion = self._offering.suggest(question, generated, least=0.0)
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

    def _known(self, question: PromptState) -> GeneratedText | Generation | None:
        """The stored text or the generation of exactly this state."""
        hit = self._offering.look_up(question)
        return hit.generated if hit else self._generations.same(question)
