"""Other suggestions for the same place, for a user who asks to see more than the first.

An alternative is a likely first token, followed by the model's text for the state after that token was typed. So it
depends on the document alone, like the first suggestion, and the completion cache can hold its second part. The model
must be able to list the likely first tokens of its answers ("beginnings").
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from cachetools import LRUCache

from tabspec.cache.completion_cache import CompletionCache, Key
from tabspec.context import EditContext
from tabspec.engine.generation import Generation, Link
from tabspec.engine.prompt_state import PromptState
from tabspec.fitting.early_stop import end_with_block
from tabspec.fitting.truncation import line_before
from tabspec.models.protocol import Beginning, StopRule
from tabspec.suggestion import Finish, GeneratedText, Suggestion

# Beginnings that the model is asked for. Several may lead to the same text ("s", "se", "self"), and the setting allows
# ten suggestions.
BEGINNINGS = 16
# Beginnings with a probability below one in a hundred are noise, and take as long to continue as the others.
LEAST_LOGPROB = math.log(0.01)

RunToEnd = Callable[[Generation], Awaitable[bool]]
"""Runs a generation and waits for its end; False if the request was superseded first."""


class Alternatives:
    """Finds other texts. ``question`` makes the prompt state of a context; ``known`` returns the stored text or the
    generation in flight of a prompt state; ``stop`` ends each text."""

    # Beginnings are requested only when a user asks for alternatives. Those of the last places are kept.
    _PLACES = 256

    def __init__(
        self,
        stop: StopRule,
        question: Callable[[EditContext], PromptState],
        known: Callable[[PromptState], GeneratedText | Generation | None],
    ) -> None:
        self._stop, self._question, self._known = stop, question, known
        self._beginnings: LRUCache[Key, tuple[Beginning, ...]] = LRUCache(self._PLACES)

    async def texts(
        self, question: PromptState, known: Iterable[str], ask: RunToEnd
    ) -> AsyncGenerator[GeneratedText, None]:
        """Texts for a state with other beginnings than the texts in ``known`` and than each other, the likeliest
        beginning first. Ends early if the request is superseded."""
        texts = list(known)
        for beginning in await self._begin(question, ask):
            # Decoding after this beginning would give that text again (docs/design/decoding.md).
            if beginning.logprob < LEAST_LOGPROB or any(text.startswith(beginning.text) for text in texts):
                continue
            rest = await self._go_on(question.context, beginning.text, ask)
            if rest is None:
                return
            text = joined(beginning, self._within(question, beginning.text, rest), self._stop)
            texts.append(text.text)
            yield text

    async def _begin(self, question: PromptState, ask: RunToEnd) -> tuple[Beginning, ...]:
        key = CompletionCache.key(question.context, question.scope)
        if key not in self._beginnings:
            generation = Generation(question, foreground=True, wanted=BEGINNINGS)
            if not await ask(generation) or generation.finish is None:
                return ()
            self._beginnings[key] = generation.beginnings
        return self._beginnings[key]

    async def _go_on(self, context: EditContext, begun: str, ask: RunToEnd) -> GeneratedText | None:
        """The model's text after ``begun``; None if the request was superseded first."""
        if self._stop.end(begun) is not None:
            return GeneratedText("", Finish.STOP)
        question = self._question(context.after_typing(begun))
        known = self._known(question)
        if isinstance(known, GeneratedText):
            return known
        generation = known or Generation(question, (Link(context, Suggestion(begun)),), foreground=True)
        return generation.generated() if await ask(generation) and generation.finish else None

    def _within(self, question: PromptState, begun: str, rest: GeneratedText) -> GeneratedText:
        """``rest``, the answer after ``begun``, cut so that it can be a part of a text at this state.

        It may end with the beginning of a line that leaves the block of ``begun``. That line must be cut off here,
        because at this state it may count as a part of the block, and would not be cut.
        """
        following = self._question(question.context.after_typing(begun)).place
        rest = following.truncate(rest)
        if following.cut_point(rest.text) is None or question.place.cut_point(begun + rest.text) is not None:
            return rest
        kept = end_with_block(line_before(following.context), rest.text)
        return rest.stopped_at(len(kept)) if kept else GeneratedText("", Finish.STOP)


def joined(beginning: Beginning, rest: GeneratedText, stop: StopRule) -> GeneratedText:
    """A beginning and the text after it, as one text; cut where ``stop`` holds."""
    size = len(beginning.text)
    text = beginning.text + rest.text
    end = stop.end(text)
    ends, logprobs = (size, *(size + at for at in rest.ends)), (beginning.logprob, *rest.logprobs)
    if end is None or end >= len(text):
        return GeneratedText(text, rest.finish, ends, logprobs)
    kept = sum(at <= end for at in ends) or 1
    return GeneratedText(text[:end], Finish.STOP, tuple(min(at, end) for at in ends[:kept]), logprobs[:kept])


def is_new(suggestion: Suggestion, others: Iterable[Suggestion]) -> bool:
    """Whether its text differs from those of ``others`` in more than white space."""
    words = suggestion.text.split()
    return all(words != other.text.split() for other in others)
