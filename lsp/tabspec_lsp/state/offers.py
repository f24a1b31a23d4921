"""Offered suggestions and what became of them: accepted, accepted in part, typed, rejected, or undone.

Editors report little. LSP only runs an item's command after an accept, and some editors not even that. So this is
computed from the document: after an accept, it is exactly the text that the suggestion leads to.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

from cachetools import LRUCache

from tabspec.context import EditContext
from tabspec.suggestion import Answer, Source, Suggestion
from tabspec.text import Document, Edit


@dataclass(frozen=True, slots=True)
class AcceptProgress:
    """How much of an offer is in the document, in characters: ``now``, and ``before`` the last change. Accepts have
    been counted up to ``counted``. A next edit counts as one character."""

    now: int = 0
    before: int = 0
    counted: int = 0

    def to(self, now: int) -> AcceptProgress:
        """After a change of the document."""
        return AcceptProgress(now, self.now, self.counted)

    def start(self, taken: int) -> int:
        """Where an accept up to ``taken`` has begun. It may be reported before the document changes, or after."""
        return min(self.before, taken) if self.now >= taken else self.now


@dataclass(eq=False, slots=True)
class Offer:
    """A suggestion that was sent to the client. ``waited``: seconds that its request took.

    ``others``: the other suggestions of the same response. ``following``: the next one of the same chain.
    """

    id: str
    context: EditContext
    suggestion: Suggestion
    source: Source
    waited: float = 0.0
    shown: bool = False
    progress: AcceptProgress = AcceptProgress()
    rejected: bool = False
    others: tuple[Offer, ...] = ()
    following: Offer | None = None

    @property
    def uri(self) -> str:
        """The document that accepting it changes."""
        return self.suggestion.edit.uri if self.suggestion.edit else self.context.uri

    @property
    def document(self) -> Document:
        """The text that accepting it changes."""
        return next((each for each in self.context.others if each.uri == self.uri), self.context.document)

    @property
    def change(self) -> Edit:
        """The change that accepting it makes."""
        return self.context.edit_for(self.suggestion)

    @property
    def length(self) -> int:
        """The length of the whole offer, as `AcceptProgress` counts."""
        return 1 if self.suggestion.edit else len(self.suggestion.text)

    def is_same_edit(self, other: Offer) -> bool:
        """Whether this and ``other`` are the same next edit of the same text, from two answers."""
        if not (self.suggestion.edit and other.suggestion.edit) or self.uri != other.uri:
            return False
        return self.change == other.change and self.document.text == other.document.text

    def holds_text_of(self, ignored: Callable[[str], bool]) -> bool:
        """Whether it refers to a document that is ``ignored``."""
        return any(ignored(each.uri) for each in (self.context.document, *self.context.others))

    def rest(self, taken: int) -> tuple[EditContext, Suggestion]:
        """The place after ``taken`` characters are in the document, and the rest of the suggestion there."""
        if not taken or self.suggestion.edit:
            return self.context, self.suggestion
        text = self.suggestion.text
        return self.context.after_typing(text[:taken]), replace(self.suggestion, text=text[taken:])

    def found_in(self, document: Document) -> int | None:
        """How many of its characters are in ``document``; None if the document has other changes.

        All characters count only if the replaced range is gone, too.
        """
        base, text, own, change = self.document.text, document.text, self.suggestion, self.change
        end = change.offset + change.delete
        whole = len(base) + len(change.insert) - change.delete
        if len(text) == whole and _is(text, base[: change.offset], change.insert, base[end:]):
            return self.length
        if own.edit:
            return None
        at, new, count = self.context.offset, own.text, len(text) - len(base)
        if own.replace_before or not 0 <= count <= len(new) or not _is(text, base[:at], new[:count], base[at:]):
            return None
        return count if count < len(new) or not own.replace_after else None


def _is(text: str, *parts: str) -> bool:
    """Whether ``text`` is these three parts. The middle is compared first: it is short and differs most often."""
    before, middle, _ = parts
    return text.startswith(middle, len(before)) and text == "".join(parts)


class OutcomeKind(Enum):
    """What happened to an offer."""

    ACCEPTED = "accept"
    PARTLY = "partial_accept"
    UNDONE = "reject"


@dataclass(frozen=True, slots=True)
class OfferOutcome:
    """An outcome: ``suggestion`` was accepted or rejected at ``context``. ``late``: the edit came before."""

    kind: OutcomeKind
    offer: Offer
    context: EditContext
    suggestion: Suggestion
    late: bool = False

    @property
    def document(self) -> Document:
        """The document that the accept changed, before it."""
        return self.offer.document if self.suggestion.edit else self.context.document


@dataclass(slots=True)
class _DocumentOffers:
    """A document: the offer on its screen, and the accepts that an undo may revert, the last one at the end."""

    showing: Offer | None = None
    accepts: deque[OfferOutcome] = field(default_factory=lambda: deque(maxlen=8))  # more are rarely undone in a row


class Offers:
    """The offers that clients may still refer to."""

    # Editors send a request for each keystroke and refer to the last few responses only. Each offer holds a snapshot of
    # its document: of a file of 100 kB some hundreds are kept, of one of 10 MB the last few.
    _MOST_BYTES = 64 << 20

    def __init__(self) -> None:
        self._by_id: LRUCache[str, Offer] = LRUCache(self._MOST_BYTES, getsizeof=self._bytes)
        self._places: dict[str, _DocumentOffers] = {}
        self._made = 0

    def add(self, context: EditContext, answer: Answer) -> tuple[Offer, ...]:
        """Offers for the suggestions of an answer, in the order of display."""
        offers = tuple(self._add(context, each, answer) for each in answer.suggestions)
        for offer in offers:
            offer.others = tuple(other for other in offers if other is not offer)
        return offers

    def add_chain(self, answer: Answer, edits: Iterable[tuple[EditContext, Suggestion]]) -> tuple[Offer, ...]:
        """Offers for next edits, each with the state that accepting those before it leads to. ``answer`` says where the
        first comes from."""
        offers = tuple(self._add(context, suggestion, answer) for context, suggestion in edits)
        for before, offer in pairwise(offers):
            before.following = offer
        return offers

    def _add(self, context: EditContext, suggestion: Suggestion, answer: Answer) -> Offer:
        self._made += 1
        offer = self._by_id[str(self._made)] = Offer(str(self._made), context, suggestion, answer.source, answer.waited)
        return offer

    @classmethod
    def _bytes(cls, offer: Offer) -> int:
        # At most a tenth, so that a few offers of any document are kept. At least a thousandth: 1,000 are the most.
        size = sys.getsizeof(offer.context.document.text)
        return min(max(size, cls._MOST_BYTES // 1000), cls._MOST_BYTES // 10)

    def get(self, offer_id: object) -> Offer | None:
        """The offer with an id from the client; None if it is unknown."""
        return self._by_id.get(offer_id) if isinstance(offer_id, str) else None

    def show(self, offer: Offer) -> None:
        """The offer is on the screen."""
        offer.shown = True
        self._place(offer).showing = offer

    def showing(self, uri: str) -> Offer | None:
        """The offer on a document's screen, as far as is known."""
        place = self._places.get(uri)
        return place.showing if place else None

    def closed(self, uri: str) -> None:
        """The document was closed, or its text is uncertain."""
        self._places.pop(uri, None)

    def purge(self, ignored: Callable[[str], bool]) -> None:
        """Forget the offers for documents that are ``ignored`` now, and all that hold their text."""
        for offer in list(self._by_id.values()):
            if offer.holds_text_of(ignored):
                del self._by_id[offer.id]
        self._places = {uri: place for uri, place in self._places.items() if not ignored(uri)}
        for place in self._places.values():
            if place.showing and place.showing.holds_text_of(ignored):
                place.showing = None
            if any(accept.offer.holds_text_of(ignored) for accept in place.accepts):
                place.accepts.clear()

    def accepted(self, offer: Offer) -> OfferOutcome | None:
        """The client reports an accept. None if it was known."""
        return self._take(offer, offer.length, OutcomeKind.ACCEPTED)

    def partly_accepted(self, offer: Offer, length: int) -> OfferOutcome | None:
        """The client reports an accept of the first ``length`` characters. None if it was known."""
        whole = length >= offer.length
        return self._take(offer, length, OutcomeKind.ACCEPTED if whole else OutcomeKind.PARTLY)

    def rejected(self, offer: Offer) -> OfferOutcome | None:
        """The client reports a rejection. None if it was known."""
        if offer.rejected:
            return None
        offer.rejected = True
        self._hide(offer)
        return OfferOutcome(OutcomeKind.UNDONE, offer, *offer.rest(offer.progress.now))

    def changed(self, before: Document, after: Document) -> Iterator[OfferOutcome]:
        """The outcomes that follow from a change of a document."""
        place = self._places.get(after.uri)
        if place is None:
            return
        if place.accepts and place.accepts[-1].document.text == after.text:
            undone = place.accepts.pop()
            undone.offer.rejected = True
            place.showing = None
            yield replace(undone, kind=OutcomeKind.UNDONE, suggestion=undone.offer.rest(_at(undone))[1])
            return
        offer = place.showing
        if offer is None:
            return
        taken = offer.found_in(after)
        if taken is None and not offer.progress.now:
            # The user may have cycled to another suggestion, which editors do not report.
            place.showing = offer = next((other for other in offer.others if other.found_in(after)), None)
            taken = offer.found_in(after) if offer else None
        if offer is None or taken is None:
            place.showing = None
            return
        kind = self._kind(offer, taken)
        if kind is not None and (outcome := self._take(offer, taken, kind)):
            yield outcome
        offer.progress = offer.progress.to(taken)
        if taken == offer.length and place.showing is offer:
            place.showing = None

    def made(self, before: Document, after: Document) -> Suggestion | None:
        """What was accepted by a change of a document from ``before``, if that was the accept that was reported or
        recognized last."""
        place = self._places.get(after.uri)
        if place is None or not place.accepts or place.accepts[-1].document.text != before.text:
            return None
        last = place.accepts[-1]
        made = last.context.edit_for(last.suggestion).apply(before.text) == after.text
        return last.suggestion if made else None

    def landed(self, document: Document) -> int | None:
        """Where the last accept has put the cursor, if ``document`` has not changed since."""
        place = self._places.get(document.uri)
        if place is None or not place.accepts:
            return None
        last = place.accepts[-1]
        after = last.context.after_accept(last.suggestion)
        return after.offset if after.document.text == document.text else None

    @staticmethod
    def _kind(offer: Offer, taken: int) -> OutcomeKind | None:
        """Whether the change was an accept, or typing (None). A change of one character counts as typing."""
        if offer.suggestion.edit:
            change = offer.change
            return OutcomeKind.ACCEPTED if len(change.insert) + change.delete > 1 else None
        new = taken - offer.progress.now
        if new <= 1 and not (offer.suggestion.replace_before or offer.suggestion.replace_after):
            return None
        if taken == offer.length:
            return OutcomeKind.ACCEPTED
        if new <= 1:
            return None
        left = offer.rest(offer.progress.now)[1]
        parts = (len(left.first_word().text), len(left.first_line().text))
        return OutcomeKind.PARTLY if new in parts else None

    def _take(self, offer: Offer, taken: int, kind: OutcomeKind) -> OfferOutcome | None:
        """Count the characters up to ``taken`` as accepted. None if they have been counted."""
        progress, accepts = offer.progress, self._place(offer).accepts
        if progress.counted >= taken > 0 or (accepts and accepts[-1].offer.is_same_edit(offer)):
            return None
        start = progress.start(taken)
        context, rest = offer.rest(start)
        if kind is OutcomeKind.PARTLY:
            rest = replace(rest, text=rest.text[: taken - start], replace_after=0)
        else:
            self._hide(offer)
        offer.progress = replace(progress, counted=taken)
        outcome = OfferOutcome(kind, offer, context, rest, late=progress.now >= taken)
        accepts.append(outcome)
        if offer.following:  # the client shows it at once
            self._place(offer.following).showing = offer.following
        return outcome

    def _place(self, offer: Offer) -> _DocumentOffers:
        return self._places.setdefault(offer.uri, _DocumentOffers())

    def _hide(self, offer: Offer) -> None:
        place = self._places.get(offer.uri)
        if place and place.showing is offer:
            place.showing = None


def _at(outcome: OfferOutcome) -> int:
    """Characters of the offer that were in the document before this accept."""
    return outcome.context.offset - outcome.offer.context.offset
