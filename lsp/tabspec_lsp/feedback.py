"""Reports what becomes of offers, by the client's messages and by the text, to the engine and the recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tabspec.context import EditContext
from tabspec.suggestion import Answer, Suggestion
from tabspec.text import Document, PositionEncoding
from tabspec_lsp.engine_host import EngineHost
from tabspec_lsp.options import ShownMode
from tabspec_lsp.state.offers import Offer, OfferOutcome, Offers, OutcomeKind
from tabspec_lsp.state.shared_answers import SharedAnswers
from tabspec_lsp.state.status import Tabs

if TYPE_CHECKING:
    from tabspec_lsp.state.recorder import Recorder


class Feedback:
    """The outcomes of one client's offers. ``mode`` returns the setting `shown`; ``changed`` is called when the figures
    of the status have changed.

    An offer counts as shown when it is returned, unless the client reports that itself: completions and next edits are
    reported by different messages, and a client may send one of the two.
    """

    def __init__(
        self,
        offers: Offers,
        host: EngineHost,
        answers: SharedAnswers,
        recorder: Recorder | None,
        mode: Callable[[], ShownMode],
        changed: Callable[[], None],
    ) -> None:
        self.tabs = Tabs()
        self._offers, self._host, self._answers, self._recorder = offers, host, answers, recorder
        self._mode, self._status_changed = mode, changed
        self._reports: set[bool] = set()  # whether what the client has reported as shown were next edits

    def requested(self, context: EditContext, answer: Answer) -> None:
        """A request was answered without the engine's `complete`."""
        self.tabs.requested(context, answer)
        if self._recorder:
            self._recorder.requested(context)

    def returned(self, offer: Offer) -> None:
        """The response with this offer has been sent."""
        reported = (offer.suggestion.edit is not None) in self._reports
        if self._mode() is ShownMode.RETURNED or (self._mode() is ShownMode.AUTO and not reported):
            self._show(offer)

    def shown(self, offer_id: object, edit: bool) -> None:
        """The client reports that an offer is on the screen. ``edit``: by the message for next edits."""
        self._reports.add(edit)
        offer = self._offers.get(offer_id)
        if offer is None or offer.shown:
            return
        # What follows in a chain is never returned by itself.
        if self._mode() is not ShownMode.RETURNED or offer.suggestion.edit:
            self._show(offer)

    def accepted(self, offer_id: object) -> None:
        """The client reports that an offer was accepted."""
        self._reported(offer_id, self._offers.accepted)

    def partly_accepted(self, offer_id: object, units: int) -> None:
        """The client reports that the first ``units`` UTF-16 code units of an offer were accepted."""
        offer = self._offers.get(offer_id)
        if offer and units > 0 and offer.suggestion.edit is None:
            length = PositionEncoding.UTF16.locate(offer.suggestion.text, units)
            self._reported(offer_id, lambda offer: self._offers.partly_accepted(offer, length))

    def rejected(self, offer_id: object) -> None:
        """The client reports that an offer was refused."""
        self._reported(offer_id, self._offers.rejected)

    def jumped(self, offer_id: object) -> None:
        """The client reports that the cursor was moved to a next edit."""
        offer = self._offers.get(offer_id)
        if offer and self._recorder:
            self._recorder.jumped(offer)

    def changed(self, before: Document, after: Document) -> Suggestion | None:
        """A document has changed. Returns what was accepted by the change, if it was an accept."""
        for event in list(self._offers.changed(before, after)):
            self._ended(event)
        return self._offers.made(before, after)

    def _reported(self, offer_id: object, what: Callable[[Offer], OfferOutcome | None]) -> None:
        offer = self._offers.get(offer_id)
        outcome = what(offer) if offer else None
        if outcome:
            self._ended(outcome)

    def _show(self, offer: Offer) -> None:
        known = self._offers.showing(offer.uri)
        again = known is not None and known.shown and known.is_same_edit(offer)  # in the answer to a later request
        self._offers.show(offer)
        if again:
            return
        if self._recorder:
            self._recorder.shown(offer)
        if self._host.engine:
            self._host.engine.shown(offer.context, offer.suggestion)
        self._status_changed()

    def _ended(self, outcome: OfferOutcome) -> None:
        context, suggestion = outcome.context, outcome.suggestion
        if self._recorder:
            self._recorder.ended_offer(outcome)
        engine = self._host.engine
        if outcome.kind is OutcomeKind.UNDONE:
            self.tabs.forget(context.uri)
            self._answers.forget(context.uri)
            if engine:
                engine.rejected(context, suggestion)
        else:
            after = context.after_accept(suggestion)
            self.tabs.accepted(after)
            if engine:
                engine.accepted(context, suggestion)
                if suggestion.edit:  # the cursor may have been elsewhere since the answer
                    engine.changed(after)
        self._status_changed()
