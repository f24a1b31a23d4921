"""From a stored text to a suggestion: looks it up in the completion cache, post-processes it for a state, and leaves
out what the user has rejected there."""

from __future__ import annotations

from dataclasses import replace

from cachetools import LRUCache

from tabspec.cache.completion_cache import CompletionCache, Entry, Hit
from tabspec.cache.digests import digest
from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.engine.stats import OVERTAKEN, EngineStats
from tabspec.fitting.postprocess import likely_part, offered
from tabspec.fitting.truncation import FitPlace
from tabspec.models.protocol import Model
from tabspec.suggestion import Answer, GeneratedText, Reason, Source, Suggestion


class Offering:
    """Makes answers from stored texts. A text is post-processed for each state where it is offered.

    Suggestions less likely right than ``min_probability`` are withheld.
    """

    def __init__(self, cache: CompletionCache, model: Model, min_probability: float, stats: EngineStats) -> None:
        self._cache, self._model, self._min_probability, self._stats = cache, model, min_probability, stats
        self.rejections = Rejections()

    def look_up(self, question: PromptState) -> Hit | None:
        """What the completion cache holds for this state, if it is a complete answer here."""
        hit = self._cache.lookup(question.context, question.scope)
        return hit if hit and self._is_complete(question, hit.entry, hit.generated) else None

    def cached(self, question: PromptState) -> Answer | None:
        """The answer from the completion cache; None for a miss."""
        hit = self.look_up(question)
        if hit is None:
            return None
        first = hit.entry.speculated and not hit.entry.served
        source = Source.SPECULATED if first else Source.EXACT if hit.exact else Source.TYPE_THROUGH
        return replace(self._serve(question, hit.entry, hit.generated, source), cached=True)

    def joined(self, question: PromptState, entry: Entry, typed: str, source: Source) -> Answer | None:
        """The answer from the entry of a generation that has ended, after ``typed`` was typed at its state; None if the
        entry is no complete answer here."""
        left = entry.generated.after_typing(typed) if typed else entry.generated
        assert left is not None  # the generation agrees with what was typed
        return self._serve(question, entry, left, source) if self._is_complete(question, entry, left) else None

    def suggest(
        self, question: PromptState, left: GeneratedText, entry: Entry | None = None, least: float | None = None
    ) -> Suggestion | Reason:
        """The suggestion that a text gives at this state, or the reason why there is none. ``least`` replaces
        ``min_probability`` for a text that belongs to no entry.

        ``left`` may be what is left of an ``entry``. At the entry's own state the result is always the same, and is
        kept with it: after an accept it is there before the user asks for it.
        """
        own = entry is not None and left is entry.generated
        suggestion = entry.fitted if entry is not None and own else None
        if suggestion is None:
            suggestion = self._fit(question.place, left, self._min_probability if least is None else least)
            if entry is not None and own:
                entry.fitted = suggestion
        refused = isinstance(suggestion, Suggestion) and (question.context, suggestion) in self.rejections
        return Reason.REJECTED if refused else suggestion

    def entry(self, question: PromptState, written: GeneratedText, kind: str, tokens: int) -> Entry:
        """What to store of a text that the model wrote at this state. ``tokens`` is how many tokens were decoded before
        a request waited for it."""
        end = question.place.cut_point(written.text)
        return Entry(written if end is None else written.stopped_at(end), kind, tokens, at_cut_point=end is not None)

    def _serve(self, question: PromptState, entry: Entry, left: GeneratedText, source: Source) -> Answer:
        """The answer from what is left of an entry. Counts that the entry was served."""
        suggestion = self.suggest(question, left, entry)
        if isinstance(suggestion, Reason):
            return Answer(Source.NONE, reason=suggestion)
        if not entry.served and entry.tokens:
            kind = self._stats.kinds[entry.kind or OVERTAKEN]
            kind.used, kind.used_tokens = kind.used + 1, kind.used_tokens + entry.tokens
        entry.served += 1
        return Answer(source, (suggestion,))

    def _fit(self, place: FitPlace, generated: GeneratedText, least: float) -> Suggestion | Reason:
        return offered(place, place.truncate(generated), least)

    def _is_complete(self, question: PromptState, entry: Entry, left: GeneratedText) -> bool:
        """Whether what is ``left`` of an entry is a complete answer at this state.

        It is not if the model stopped because the rest would have been cut off at the entry's own state, but would be
        kept at this one. Nor if it is too unlikely to be offered, and a new generation may find it more likely.
        """
        place = question.place
        if entry.at_cut_point and left is not entry.generated and place.cut_point(left.text) is None:
            return False
        return not left.begun or likely_part(place, place.truncate(left), self._min_probability) is not None


class Rejections:
    """Remembers, for each rejected suggestion, the document and cursor that an accept would have led to.

    So the rest of a rejected suggestion stays rejected while the user types it. The same text at another place, or
    after a change elsewhere in the document, is not affected.
    """

    # A rejection matters for minutes; 256 in a document are hours of work. The number of documents is bounded because
    # a rejection may arrive after its document was closed.
    _MOST = 256
    _DOCUMENTS = 256

    def __init__(self) -> None:
        self._futures: LRUCache[str, LRUCache[tuple[int, int], bool]] = LRUCache(self._DOCUMENTS)

    def add(self, context: EditContext, suggestion: Suggestion) -> None:
        """The user rejected this suggestion here."""
        self._futures.setdefault(context.uri, LRUCache(self._MOST))[_future(context, suggestion)] = True

    def __contains__(self, offered: tuple[EditContext, Suggestion]) -> bool:
        context, suggestion = offered
        refused = self._futures.get(context.uri)
        return refused is not None and _future(context, suggestion) in refused

    def closed(self, uri: str) -> None:
        """The document is closed: forget."""
        self._futures.pop(uri, None)


def _future(context: EditContext, suggestion: Suggestion) -> tuple[int, int]:
    after = context.after_accept(suggestion)
    return after.offset, digest(after.document.text)
