"""Which offer a change of the document accepts or refuses: a pure function, tested with random changes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from tabspec_lsp.state.offers import Offer, OfferOutcome, Offers, OutcomeKind

from tabspec.context import EditContext
from tabspec.suggestion import Answer, Source, Suggestion
from tabspec.text import Document

pieces = st.text(alphabet="ab( \n😀", max_size=8)
suggestions = st.builds(
    Suggestion, pieces.filter(bool), replace_before=st.integers(0, 2), replace_after=st.integers(0, 2)
)


def shown(before: str, behind: str, suggestion: Suggestion) -> tuple[Offers, Offer]:
    offers = Offers()
    context = EditContext(Document("file:///x", before + behind), len(before))
    (offer,) = offers.add(context, Answer(Source.MODEL, (suggestion,)))
    offers.show(offer)
    return offers, offer


def become(offers: Offers, *texts: str) -> list[OfferOutcome]:
    """What is outcomes when the document takes on these texts, one after another."""
    documents = [Document("file:///x", text) for text in texts]
    return [outcomes for before, after in pairwise(documents) for outcomes in offers.changed(before, after)]


@given(pieces, pieces, suggestions)
def test_the_whole_offer_is_accepted_once_and_its_undo_is_a_refusal(before: str, behind: str, own: Suggestion) -> None:
    assume(own.replace_before <= len(before) and own.replace_after <= len(behind))
    offers, offer = shown(before, behind, own)
    after = offer.context.after_accept(own).document.text
    assume(after != before + behind)
    outcomes = become(offers, before + behind, after)
    if len(own.text) == 1 and not (own.replace_before or own.replace_after):
        assert outcomes == []  # one character: may be typed; the command would say
        told = offers.accepted(offer)
        assert told
        outcomes = [told]
    assert [(one.kind, one.context.document.text) for one in outcomes] == [(OutcomeKind.ACCEPTED, before + behind)]
    assert outcomes[0].context.after_accept(outcomes[0].suggestion).document.text == after
    assert offers.accepted(offer) is None
    assert offers.partly_accepted(offer, 1) is None
    undone = become(offers, after, before + behind)
    assert [(one.kind, one.context.document.text) for one in undone] == [(OutcomeKind.UNDONE, before + behind)]
    assert undone[0].context.after_accept(undone[0].suggestion).document.text == after
    assert become(offers, before + behind, after, before + behind) == []


@given(pieces, pieces, pieces.filter(lambda text: len(text) > 1), st.data())
def test_typing_an_offer_is_not_an_accept_and_the_rest_can_be_accepted(
    before: str, behind: str, text: str, data: st.DataObject
) -> None:
    offers, _ = shown(before, behind, Suggestion(text))
    count = data.draw(st.integers(0, len(text) - 2))
    typed = [before + text[:i] + behind for i in range(count + 1)]
    assert become(offers, *typed) == []
    outcomes = become(offers, typed[-1], before + text + behind)
    assert [(one.kind, one.suggestion.text, one.context.document.text) for one in outcomes] == [
        (OutcomeKind.ACCEPTED, text[count:], typed[-1])
    ]


@given(pieces, pieces, pieces, pieces)
def test_only_a_text_that_an_accept_makes_is_an_accept(before: str, behind: str, text: str, other: str) -> None:
    assume(text)
    offers, offer = shown(before, behind, Suggestion(text))
    parts = {before + text[:i] + behind for i in range(len(text) + 1)}
    after = before + other + behind
    assume(after not in parts)
    assert become(offers, before + behind, after) == []
    assert offers.showing("file:///x") is None
    told = offers.accepted(offer)  # the client's own word still counts
    assert told
    assert told.suggestion.text == text


def test_an_offer_is_accepted_word_by_word() -> None:
    offers, offer = shown("", "", Suggestion("one two(three)"))
    texts = ["", "one", "one two", "one two(", "one two(three", "one two(three)"]
    outcomes = become(offers, *texts)
    # A single character is taken for typing; the last word takes all that is left.
    assert [(one.kind, one.suggestion.text) for one in outcomes] == [
        (OutcomeKind.PARTLY, "one"),
        (OutcomeKind.PARTLY, " two"),
        (OutcomeKind.PARTLY, "three"),
    ]
    assert offer.progress.now == len("one two(three)")


def test_a_word_that_the_client_reports_is_not_counted_twice() -> None:
    for told_first in (True, False):
        offers, offer = shown("", "", Suggestion("one two"))
        told = [offers.partly_accepted(offer, 3)] if told_first else []
        outcomes = become(offers, "", "one")
        told += [] if told_first else [offers.partly_accepted(offer, 3)]
        assert len([one for one in (*told, *outcomes) if one]) == 1
        assert offers.showing("file:///x") is offer
        rest = become(offers, "one", "one two")
        assert [(one.kind, one.suggestion.text) for one in rest] == [(OutcomeKind.ACCEPTED, " two")]


def test_offers_of_large_documents_take_no_more_memory_than_others() -> None:
    offers = Offers()
    made = []
    for number in range(100):
        text = f"{number}" + "x" * 5_000_000
        context = EditContext(Document("file:///x", text), 0)
        made += [offer.id for offer in offers.add(context, Answer(Source.MODEL, (Suggestion("a"),)))]
    kept = [offer_id for offer_id in made if offers.get(offer_id)]
    assert kept == made[-len(kept) :]
    assert 3 <= len(kept) <= 13


def test_old_offers_are_forgotten() -> None:
    offers, offer = shown("", "", Suggestion("first"))
    for _ in range(1001):
        offers.add(offer.context, Answer(Source.MODEL, (Suggestion("later"),)))
    assert offers.get(offer.id) is None
    assert offers.get(["not", "an", "id"]) is None


@given(pieces, pieces, st.lists(pieces.filter(lambda text: len(text) > 1), min_size=2, max_size=4, unique=True))
def test_accepting_another_alternative_is_recognized_while_the_first_counts_as_shown(
    before: str, behind: str, texts: list[str]
) -> None:
    context = EditContext(Document("file:///x", before + behind), len(before))
    for chosen in range(len(texts)):
        offers = Offers()
        made = offers.add(context, Answer(Source.MODEL, tuple(map(Suggestion, texts))))
        offers.show(made[0])
        after = context.after_accept(made[chosen].suggestion).document.text
        outcomes = become(offers, before + behind, after)
        # (Another one may begin alike, and what is accepted be taken for a word or a line of it.)
        assert all(one.offer.suggestion.text.startswith(texts[chosen]) for one in outcomes)
        if not any(text.startswith(texts[chosen]) for text in texts if text != texts[chosen]):
            assert [one.kind for one in outcomes] == [OutcomeKind.ACCEPTED]
            assert outcomes[0].offer is made[chosen]


def test_after_a_part_of_the_first_is_accepted_no_other_alternative_is() -> None:
    context = EditContext(Document("file:///x", "a"), 1)
    offers = Offers()
    first, _ = offers.add(context, Answer(Source.MODEL, (Suggestion(" = b"), Suggestion(" = c()"))))
    offers.show(first)
    assert become(offers, "a", "a ", "a =", "a = ", "a = c()") == []
