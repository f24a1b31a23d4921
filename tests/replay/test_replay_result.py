"""Aggregates against a brute-force oracle, and the result file's reader and writer."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import made_results as results
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.errors import InputError
from tabspec.replay.results.aggregates import aggregates, pooled
from tabspec.replay.results.figures import keystrokes_saved, latency, percentile
from tabspec.replay.results.result import KindResult, ReplayResult, RequestRecord
from tabspec.replay.results.result_file import dumps, load, loads, save
from tabspec.suggestion import Miss, Reason, Source

milliseconds = st.floats(0, 1e6, allow_nan=False)
records = st.lists(
    st.builds(
        RequestRecord,
        t=milliseconds,
        ms=milliseconds,
        source=st.sampled_from([source.value for source in Source]),
        reason=st.sampled_from([None, *(reason.value for reason in Reason)]),
        cached=st.booleans(),
        tab=st.booleans(),
        accepted=st.booleans(),
        shown=st.booleans(),
        text=st.text(max_size=5),
        miss=st.sampled_from([None, *(miss.value for miss in Miss)]),
    )
)


@given(st.lists(milliseconds, min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_value_with_enough_below(values: list[float], percent: int) -> None:
    enough = [v for v in values if Fraction(sum(w <= v for w in values), len(values)) >= Fraction(percent, 100)]
    assert percentile(sorted(values), percent) == min(enough)


@given(st.lists(milliseconds))
def test_latency_is_ordered_and_zero_without_values(values: list[float]) -> None:
    found = latency(values)
    assert found.p50 <= found.p90 <= found.p99 <= found.max
    assert found.max == max(values, default=0.0)
    assert math.isclose(found.mean * len(values), math.fsum(values), abs_tol=1e-6)


@given(records)
def test_aggregates_equal_counting_one_by_one(timeline: list[RequestRecord]) -> None:
    hits = answered = tabs = instant_tabs = 0
    misses: dict[str, int] = {}
    for record in timeline:
        no_wait = record.source in ("exact", "type_through", "speculated")
        answered += record.source != "none"
        hits += no_wait
        if record.tab:
            tabs += 1
            known_to_be_nothing = record.cached and record.miss != "unrecorded"
            if (no_wait and record.miss != "unrecorded") or known_to_be_nothing:
                instant_tabs += 1
            else:
                misses[record.miss or "unknown"] = misses.get(record.miss or "unknown", 0) + 1
    found = aggregates(timeline)
    assert found["requests"] == len(timeline) == sum(found["sources"].values())
    assert set(found["sources"]) == {source.value for source in Source}
    assert found["hit_rate"] == (hits / answered if answered else 0.0)
    assert (found["tabs"], found["instant_tabs"]) == (tabs, instant_tabs)
    assert found["instant_tab_rate"] == (instant_tabs / tabs if tabs else 0.0)
    assert found["misses"] == misses
    after = [record for record in timeline if record.tab]
    known = [r for r in after if r.source == "none" and r.miss != "unrecorded"]
    nothing = sum(r.reason in ("empty", "withheld", "rejected", "excluded") for r in known)
    assert found["instant_next"] == sum(r.source in ("exact", "type_through", "speculated") for r in after)
    assert found["silent_tabs"] - found["unanswered_tabs"] == nothing
    assert found["next_latency_ms"] == latency(r.ms for r in after if r.source != "none")
    assert found["silent_tabs"] == sum(record.tab and record.source == "none" for record in timeline)
    assert sum(misses.values()) == tabs - instant_tabs
    assert found["tab_latency_ms"].max == max((record.ms for record in timeline if record.tab), default=0.0)


def test_keystrokes_saved_is_the_share_of_inserted_characters() -> None:
    assert keystrokes_saved(25, 75) == 0.75
    assert keystrokes_saved(0, 0) == 0.0


@given(st.lists(records, min_size=1, max_size=3))
def test_pooling_is_the_same_as_one_long_session(timelines: list[list[RequestRecord]]) -> None:
    runs = [results.run_of(part) for part in timelines]
    whole = [record for part in timelines for record in part]
    pool = pooled(runs)
    assert pool is not None
    for name, value in aggregates(whole).items():
        assert getattr(pool, name) == value


def test_pooling_adds_up_speculation() -> None:
    first = results.run_of([], kinds={"accept": KindResult(4, 3, 20, 10), "enter": KindResult(1, 0, 5, 0)})
    second = results.run_of([], kinds={"accept": KindResult(1, 1, 2, 2)}, interrupted=True)
    pool = pooled([first, second])
    assert pool is not None
    assert pool.kinds == {"accept": KindResult(5, 4, 22, 12), "enter": KindResult(1, 0, 5, 0)}
    assert pool.interrupted


def test_results_without_timelines_are_not_pooled() -> None:
    assert pooled([results.run("chain", 10), results.run("chain", 10, timeline=())]) is None


def test_a_result_written_and_read_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    result = results.result(60, sessions=2)
    save(result, tmp_path / "result.json")
    again = load(tmp_path / "result.json")
    assert dumps(again) == (tmp_path / "result.json").read_text(encoding="utf-8") == dumps(result)
    assert again.runs[0].sources == result.runs[0].sources
    assert json.loads(dumps(result))["runs"][0]["timeline"][0]["t"] == round(result.runs[0].timeline[0].t, 3)


@given(st.text(max_size=20), milliseconds)
def test_any_text_survives(text: str, ms: float) -> None:
    timeline = (RequestRecord(0.0, round(ms, 3), "model", text=text),)
    run = results.run_of(timeline, session=text, notes=(text,))
    again = loads(dumps(ReplayResult((run,)))).runs[0]
    assert (again.session, again.notes, again.timeline) == (text, (text,), timeline)


def test_a_text_with_half_a_surrogate_pair_is_still_written(tmp_path: Path) -> None:
    run = results.run("chain", 0, session="\ud83d")
    save(ReplayResult((run,)), tmp_path / "result.json")
    assert load(tmp_path / "result.json").runs[0].session == "?"


def test_unknown_fields_are_ignored() -> None:
    data = json.loads(dumps(results.result(5)))
    data["later"] = data["runs"][0]["later"] = data["runs"][0]["timeline"][0]["later"] = {"a": [1]}
    assert len(loads(json.dumps(data)).runs) == 4


def test_optional_fields_may_be_missing() -> None:
    data = json.loads(dumps(results.result(5)))
    for name in ("timeline", "notes", "misses", "cache_over_time", "synthetic", "command", "duration_s"):
        del data["runs"][0][name]
    assert loads(json.dumps(data)).runs[0].timeline == ()


def changed(*path: str | int, to: Any) -> str:
    data = json.loads(dumps(results.result(5)))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(data)


def without(name: str) -> str:
    data = json.loads(dumps(results.result(5)))
    del data["runs"][1][name]
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON (line 1"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not a replay result"),
        ("9" * 5000, "is not a replay result"),
        ("[]", "is not a replay result"),
        ('{"format": "other"}', "make one with `tabspec replay --json`"),
        (changed("version", to=99), "has version 99, and this tabspec reads up to 1"),
        (changed("version", to=True), '"version" is not a number'),
        (changed("runs", to={}), "runs: expected a list"),
        (changed("runs", 0, to=3), "runs[0]: expected an object"),
        (without("tabs"), "runs[1].tabs is missing"),
        (changed("runs", 0, "tokens", "prefill", to="many"), "runs[0].tokens.prefill: expected a whole number"),
        (changed("runs", 0, "tabs", to=True), "runs[0].tabs: expected a whole number"),
        (changed("runs", 0, "latency_ms", "p50", to=-1), "runs[0].latency_ms.p50: is negative"),
        (changed("runs", 0, "latency_ms", "p50", to=10**400), "runs[0].latency_ms.p50: is too large a number"),
        (changed("runs", 0, "latency_ms", "p50", to=float("nan")), "holds NaN"),
        (changed("runs", 0, "sources", "model", to=77), "runs[0].sources add up to"),
        (changed("runs", 0, "sources", "magic", to=0), "runs[0].sources.magic is no source"),
        (changed("runs", 0, "instant_tabs", to=999), "runs[0].instant_tabs is 999"),
        (changed("runs", 0, "unanswered_tabs", to=999), "runs[0].unanswered_tabs is 999"),
        (changed("runs", 0, "instant_next", to=999), "runs[0].instant_next is 999"),
        (changed("runs", 0, "timeline", 2, "source", to="magic"), "runs[0].timeline[2].source: 'magic' is no source"),
    ],
)
def test_invalid_results_are_one_line(text: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        loads(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name, says in (("none.json", "No such file"), ("binary.json", "not UTF-8"), (".", "no regular file")):
        with pytest.raises(InputError, match=says) as raised:
            load(tmp_path / name)
        assert str(tmp_path) in str(raised.value)
