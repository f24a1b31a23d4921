"""Which speculation is worth its cost, and when to start it, compared with brute-force sums."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.engine.generation import Link
from tabspec.engine.speculation.acceptance import Acceptance
from tabspec.engine.speculation.pace import LATE, SPREAD, STARTS, UserPace, done_before
from tabspec.engine.speculation.price import Price, ShownSuggestion
from tabspec.suggestion import Suggestion
from tabspec.text import Document

seconds = st.floats(0.01, 3)
pauses = st.lists(seconds, min_size=16, max_size=16)  # as many as are kept: what they stand in for is gone
odds = st.floats(0.01, 0.99)


def paced(taken: list[float], again: list[float], refused: list[float]) -> UserPace:
    pace = UserPace()
    for pause in taken:
        pace.taken(pause, follows_accept=False)
    for pause in again:
        pace.taken(pause, follows_accept=True)
    for pause in refused:
        pace.refused(pause)
    return pace


def waiting(asked: float, pause: float, service: float) -> float:
    """Seconds between Tab, ``pause`` after the showing, and the answer to what was asked at ``asked`` or with Tab."""
    return max(min(asked, pause) + service - pause, 0.0)


@given(pauses, pauses, pauses, seconds)
def test_a_row_of_the_table_is_the_mean_over_the_observed_pauses(
    taken: list[float], again: list[float], refused: list[float], service: float
) -> None:
    pace = paced(taken, again, refused)
    users = [pause * factor for pause in taken for factor in SPREAD]
    for start, row in zip(STARTS, pace.table(service, False, 1), strict=True):
        saved = sum(service - waiting(start, pause, service) for pause in users) / len(users)
        vain = sum(min(max(pause - start, 0), service) for pause in refused) / len(refused)
        assert math.isclose(row.saved, saved, abs_tol=1e-9) and math.isclose(row.wasted_if_refused, vain, abs_tol=1e-9)
        assert row.wasted_if_taken == row.saved
    assert all(row.saved_next == 0 for row in pace.table(service, False, 2))


@given(st.floats(0, 3), seconds, seconds, seconds)
def test_time_saved_at_a_second_tab(start: float, pause: float, again: float, service: float) -> None:
    assume(abs(pause + again - start - service) > 1e-9 and abs(again - service) > 1e-9)  # rounding decides there
    if start < pause:
        with_first = waiting(0.0, again, service)  # asked with the first Tab
        earlier = waiting(start, pause + again, service)
        late = LATE if earlier == 0 and with_first > 0 else 0.0
        assert math.isclose(done_before(start, pause, again, service), with_first - earlier + late, abs_tol=1e-9)
    else:
        assert done_before(start, pause, again, service) == 0


@given(pauses, pauses, pauses, odds, st.floats(0, 1), st.floats(0, 3))
def test_the_chosen_start_is_worth_most(
    taken: list[float], again: list[float], refused: list[float], p: float, economy: float, age: float
) -> None:
    price = Price(economy)
    price.pace = paced(taken, again, refused)
    start = price.start(p, ShownSuggestion(p, 0.0, age=age))
    table = price.pace.table(price.service, False, 1)
    worth = {
        at: p * row.saved - economy * (1 - p) * row.wasted_if_refused
        for at, row in zip(STARTS, table, strict=True)
        if at >= age or at == max(each for each in STARTS if each <= age)
    }
    assert (worth[start] if start is not None else 0.0) == max(0.0, *worth.values())


def test_speculation_starts_late_for_slow_users_and_at_once_for_fast_ones() -> None:
    slow, quick = Price(0.02), Price(0.02)
    slow.pace = paced([0.6] * 16, [0.6] * 16, [0.2] * 16)
    quick.pace = paced([0.05] * 16, [0.05] * 16, [0.2] * 16)
    late = slow.start(0.2, ShownSuggestion(0.2, 0.2))
    assert late is not None and 0.2 <= late <= 0.6 / SPREAD[-1] - slow.service + 0.1
    assert quick.start(0.2, ShownSuggestion(0.2, 0.2)) == 0.0


def test_speculation_is_deeper_only_for_tabs_faster_than_suggestions() -> None:
    for again, deep in ((0.05, True), (1.0, False)):
        price = Price(0.02)
        price.pace = paced([0.6] * 16, [again] * 16, [0.2] * 16)
        assert (price.start(0.3, ShownSuggestion(0.5, 0.5), depth=2) is not None) == deep


def test_so_many_accepts_ahead_as_the_model_falls_behind() -> None:
    """Tabs 0.12 s apart: work for the third of them that takes 0.15 s can begin at the first."""
    for service, depths in ((0.1, []), (0.15, [2]), (0.3, [2, 3]), (0.4, [2, 3, 4])):
        price = Price(0.02)
        price.pace = paced([0.6] * 16, [0.12] * 16, [0.2] * 16)
        for _ in range(16):
            price.measured(service, service)
        assert [
            depth for depth in (2, 3, 4) if price.start(0.5, ShownSuggestion(0.5, 0.5), depth) is not None
        ] == depths


@given(odds, odds)
def test_a_future_of_probability_zero_is_never_worth_it(p: float, economy: float) -> None:
    assert Price(economy).start(0.0, ShownSuggestion(p, 0.5)) is None


def test_service_times_are_estimated_conservatively() -> None:
    price = Price(0.02)
    for _ in range(14):
        price.measured(0.01, 0.01)
    for _ in range(2):
        price.measured(0.1, 0.1)
    assert 0.1 <= price.service <= 0.1 * math.exp(1 / 7)


def link(text: str = "x", probability: float | None = 0.5) -> Link:
    return Link(EditContext(Document("file:///a", ""), 0), Suggestion(text, probability=probability))


def test_acceptance_depends_on_the_kind_of_suggestion() -> None:
    acceptance = Acceptance()
    assert acceptance.probability(link(probability=0.9)) > acceptance.probability(link(probability=0.3))
    in_word = Link(EditContext(Document("file:///a", "wor"), 3), link("d").suggestion)
    assert acceptance.probability(in_word) > acceptance.probability(link("d"))
    assert acceptance.probability(link(), follows_accept=True) > acceptance.probability(link())
    assert acceptance.probability(link(probability=None)) == acceptance.probability(link(probability=0.5))


@given(st.lists(st.booleans(), max_size=60), st.booleans())
def test_acceptance_follows_the_user_within_bounds(taken: list[bool], follows_accept: bool) -> None:
    acceptance = Acceptance()
    for each in taken:
        before = acceptance.probability(link(), follows_accept)
        acceptance.observe(link(), each, follows_accept)
        after = acceptance.probability(link(), follows_accept)
        assert after >= before if each else after <= before
        assert 0 < after < 1
    assert acceptance.probability(link(), not follows_accept) == Acceptance().probability(link(), not follows_accept)
