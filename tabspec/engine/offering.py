"""From a stored text to a suggestion: looks it up in the completion cache, and post-processes it for a state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tabspec.cache.completion_cache import CompletionCache, Entry, Hit
from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.rejections import Rejections
from tabspec.engine.stats import OVERTAKEN, EngineStats
from tabspec.fitting.postprocess import likely_part, postprocess
from tabspec.fitting.truncation import FitStep, cut_point, truncate
from tabspec.models.protocol import Model
from tabspec.suggestion import Answer, GeneratedText, Reason, Source, Suggestion


class Offering:
    """Makes answers from stored texts. A text is post-processed again at each state where it is offered.

    ``steps`` are the steps of post-processing. Suggestions less likely right than ``min_probability`` are withheld.
    """

    def __init__(
        self,
        cache: CompletionCache,
        model: Model,
        steps: Collection[FitStep],
        min_probability: float,
        stats: EngineStats,
    ) -> None:
        self._cache, self._model, self._steps, self._min_probability = cache, model, steps, min_probability
        self._stats = stats
        self.rejections = Rejections()

    def look_up(self, question: PromptState) -> Hit | None:
        """What the completion cache holds for this state, if it is a complete answer here."""
        hit = self._cache.lookup(question.context, question.scope)
        return hit if hit and self.holds(question.context, hit.entry, hit.generated) else None

    def cached(self, question: PromptState) -> Answer | None:
        """The answer from the completion cache; None for a miss."""
        hit = self.look_up(question)
        if hit is None:
            return None
        first = hit.entry.speculated and not hit.entry.served
        source = Source.SPECULATED if first else Source.EXACT if hit.exact else Source.TYPE_THROUGH
        return replace(self.offer(question.context, hit.generated, hit.entry, source), cached=True)

    def holds(self, context: EditContext, entry: Entry, left: GeneratedText) -> bool:
        """Whether what is ``left`` of an entry is a complete answer at ``context``.

        It is not if the model stopped because the rest would have been cut off at the entry's own state, but would be
        kept at ``context``. Nor if it is too unlikely to be offered, and a new generation may find it more likely.
        """
        if entry.settled and cut_point(context, left.text, self._steps) is None:
            return False
        if not left.begun:
            return True
        part = truncate(context, left, self._steps)
        return likely_part(context, part, self._steps, self._min_probability) is not None

    def offer(self, context: EditContext, generated: GeneratedText, entry: Entry, source: Source) -> Answer:
        """The answer from what is left of an entry. Counts that the entry was served."""
        suggestion = self.suggest(context, generated)
        if isinstance(suggestion, Reason):
            return Answer(Source.NONE, reason=suggestion)
        if not entry.served and entry.tokens:
            kind = self._stats.kinds[entry.kind or OVERTAKEN]
            kind.used, kind.used_tokens = kind.used + 1, kind.used_tokens + entry.tokens
        entry.served += 1
        return Answer(source, (suggestion,))

    def suggest(
        self, context: EditContext, generated: GeneratedText, least: float | None = None
    ) -> Suggestion | Reason:
        """The suggestion that a text gives at ``context``, or the reason why there is none. ``least`` replaces
        ``min_probability``."""
        least = self._min_probability if least is None else least
        suggestion = postprocess(context, generated, self._steps, self._model.info.calibration, least)
        refused = isinstance(suggestion, Suggestion) and (context, suggestion) in self.rejections
        return Reason.REJECTED if refused else suggestion

    def entry(self, context: EditContext, written: GeneratedText, kind: str, tokens: int) -> Entry:
        """What to store of a text that the model wrote at ``context``. ``tokens`` is how many tokens were decoded
        before a request waited for it."""
        end = cut_point(context, written.text, self._steps)
        return Entry(written if end is None else written.stopped_at(end), kind, tokens, settled=end is not None)
