"""Other suggestions for the same place, for a user who asks to see more than the first.

An alternative is a beginning that the model finds likely, and what it says once that has been typed: so it is a
function of the document as the first suggestion is, what is typed or taken of it is a state of its own in the
completion cache, and any model can give it that can tell how its answers may begin.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable

from cachetools import LRUCache

from tabspec.cache.completion_cache import CompletionCache, Key
from tabspec.context import EditContext
from tabspec.engine.generation import Generation, Link
from tabspec.engine.prompt_state import PromptState
from tabspec.fitting.early_stop import end_with_block
from tabspec.fitting.truncation import FitStep, cut_point, line_before, truncate
from tabspec.models.protocol import Beginning, StopRule
from tabspec.suggestion import Finish, GeneratedText, Suggestion

# Beginnings that are looked at: several may lead to the same text ("s", "se", "self"), and ten suggestions are the most
# that the setting allows.
BEGINNINGS = 16
# What the model itself finds less likely than one in a hundred is noise, and takes as long to continue as the others.
LEAST_LOGPROB = math.log(0.01)

Ask = Callable[[Generation], Awaitable[bool]]
"""Puts a generation to the model and waits for its end; False if nobody wants it any more."""


class Alternatives:
    """Finds other texts. ``question`` makes the question for a state; ``known`` gives what the completion cache or a
    generation in flight has for it; ``stop`` is the rule that each text is held to, ``steps``
    are those of post-processing."""

    # Beginnings are asked for by hand: those of the last places suffice.
    _PLACES = 256

    def __init__(
        self,
        stop: StopRule,
        question: Callable[[EditContext], PromptState],
        known: Callable[[PromptState], GeneratedText | Generation | None],
        steps: Collection[FitStep] = frozenset(FitStep),
    ) -> None:
        self._stop, self._question, self._known, self._steps = stop, question, known, steps
        self._beginnings: LRUCache[Key, tuple[Beginning, ...]] = LRUCache(self._PLACES)

    async def texts(self, context: EditContext, said: Iterable[str], ask: Ask) -> AsyncGenerator[GeneratedText, None]:
        """Texts for ``context`` that begin otherwise than those ``said`` and those before them; the likeliest
        beginning first. It ends early if ``ask`` does."""
        texts = list(said)
        for beginning in await self._begin(self._question(context), ask):
            # A text that begins so is what comes out again (docs/design/decoding.md): there is no need to ask.
            if beginning.logprob < LEAST_LOGPROB or any(text.startswith(beginning.text) for text in texts):
                continue
            rest = await self._go_on(context, beginning.text, ask)
            if rest is None:
                return
            text = joined(beginning, self._within(context, beginning.text, rest), self._stop)
            texts.append(text.text)
            yield text

    async def _begin(self, question: PromptState, ask: Ask) -> tuple[Beginning, ...]:
        key = CompletionCache.key(question.context, question.scope)
        if key not in self._beginnings:
            generation = Generation(question, foreground=True, wanted=BEGINNINGS)
            if not await ask(generation) or generation.finish is None:
                return ()
            self._beginnings[key] = generation.beginnings
        return self._beginnings[key]

    async def _go_on(self, context: EditContext, begun: str, ask: Ask) -> GeneratedText | None:
        """What the model says behind ``begun``; None if it does not get to say it."""
        if self._stop.end(begun) is not None:
            return GeneratedText("", Finish.STOP)
        question = self._question(context.after_typing(begun))
        known = self._known(question)
        if isinstance(known, GeneratedText):
            return known
        generation = known or Generation(question, (Link(context, Suggestion(begun)),), foreground=True)
        return generation.generated() if await ask(generation) and generation.finish else None

    def _within(self, context: EditContext, begun: str, rest: GeneratedText) -> GeneratedText:
        """``rest``, the answer behind ``begun``, as a part of a text at ``context``.

        It may end at the beginning of a line that leaves its block, which is to be cut off; seen from ``context`` that
        line may be within the block, and nothing would be cut.
        """
        behind = context.after_typing(begun)
        rest = truncate(behind, rest, self._steps)
        if cut_point(behind, rest.text, self._steps) is None:
            return rest
        if cut_point(context, begun + rest.text, self._steps) is not None:
            return rest
        kept = end_with_block(line_before(behind), rest.text)
        return rest.stopped_at(len(kept)) if kept else GeneratedText("", Finish.STOP)


def joined(beginning: Beginning, rest: GeneratedText, stop: StopRule) -> GeneratedText:
    """A beginning and what comes behind it, as one text; cut where ``stop`` holds."""
    size = len(beginning.text)
    text = beginning.text + rest.text
    end = stop.end(text)
    ends, logprobs = (size, *(size + at for at in rest.ends)), (beginning.logprob, *rest.logprobs)
    if end is None or end >= len(text):
        return GeneratedText(text, rest.finish, ends, logprobs)
    kept = sum(at <= end for at in ends) or 1
    return GeneratedText(text[:end], Finish.STOP, tuple(min(at, end) for at in ends[:kept]), logprobs[:kept])


def is_new(suggestion: Suggestion, others: Iterable[Suggestion]) -> bool:
    """Whether it says something else than ``others``; blanks do not count."""
    words = suggestion.text.split()
    return all(words != other.text.split() for other in others)
