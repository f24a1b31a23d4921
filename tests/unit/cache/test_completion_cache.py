"""The completion cache against a brute-force oracle, over random edit histories."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.cache.completion_cache import CompletionCache, Entry
from tabspec.context import EditContext
from tabspec.suggestion import Finish, GeneratedText
from tabspec.text import Document, Edit
from tests.examples import examples


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def at(text: str, offset: int | None = None, uri: str = "file:///a") -> EditContext:
    return EditContext(Document(uri, text), len(text) if offset is None else offset)


def wrote(text: str) -> Entry:
    return Entry(GeneratedText(text, Finish.END))


def test_hits_by_exact_state_type_through_backspace_and_undo() -> None:
    cache = CompletionCache()
    start = at("def f(\n", 6)
    cache.put(start, "m", wrote("a, b):"))
    hit = cache.lookup(start, "m")
    assert hit and hit.exact and hit.generated.text == "a, b):"
    typed = start.after_typing("a, ")
    hit = cache.lookup(typed, "m")
    assert hit and not hit.exact and hit.generated.text == "b):"
    backspaced = EditContext(typed.document.edited(Edit(typed.offset - 1, 1, "")), typed.offset - 1)
    hit = cache.lookup(backspaced, "m")
    assert hit and hit.generated.text == " b):"
    assert cache.lookup(start.after_typing("x"), "m") is None
    undone = at("def f(\n", 6)
    assert cache.lookup(undone, "m") == cache.lookup(start, "m")


@pytest.mark.parametrize(
    "other",
    [at("def g(\n", 6), at("def f(\n\n", 6), at("def f(\n", 6, "file:///b"), at("def f(\n", 5)],
    ids=["prefix", "suffix", "document", "cursor"],
)
def test_a_key_holds_the_whole_state(other: EditContext) -> None:
    cache = CompletionCache()
    cache.put(at("def f(\n", 6), "m", wrote("a"))
    assert cache.lookup(other, "m") is None
    assert cache.lookup(at("def f(\n", 6), "another model or window") is None


def test_an_empty_answer_is_a_hit_at_its_place_only() -> None:
    cache = CompletionCache()
    cache.put(at("x"), "m", wrote(""))
    hit = cache.lookup(at("x"), "m")
    assert hit and hit.exact and hit.generated.text == ""
    assert cache.lookup(at("xy"), "m") is None


def test_entries_bytes_and_seconds_are_bounded() -> None:
    timer = Timer()
    cache = CompletionCache(max_entries=3, max_bytes=1 << 20, ttl=10, timer=timer)
    for i in range(5):
        cache.put(at(f"line {i}"), "m", wrote("x"))
        assert cache.lookup(at("line 1"), "m") or i < 1 or i > 3  # kept young while it is used
    assert len(cache) == 3
    assert cache.evictions == 2
    assert cache.lookup(at("line 1"), "m")
    assert not cache.lookup(at("line 0"), "m")
    timer.now = 10.0
    assert not cache.lookup(at("line 1"), "m")
    cache.put(at("new"), "m", wrote("x"))
    assert list(cache) == [CompletionCache.key(at("new"), "m")]

    one = wrote("x" * 100).bytes
    small = CompletionCache(max_bytes=2 * one)
    for i in range(5):
        small.put(at(f"{i}"), "m", wrote("x" * 100))
        assert small.bytes <= 2 * one
    small.put(at("5"), "m", wrote("x" * 10_000))  # larger than all of it: not kept, nothing driven out
    assert len(small) == 2


def test_an_entry_that_expires_while_it_is_replaced() -> None:
    class Running(Timer):
        def __call__(self) -> float:
            self.now += 0.1
            return self.now

    timer = Running()
    for most in (1, 10):
        cache = CompletionCache(max_entries=most, ttl=10.0, timer=timer)
        for i in range(200):
            timer.now = 100.0 * i
            cache.put(at("x"), "m", wrote("a"))
            timer.now += 10.0 - 0.1 * (i % 20)
            if i % 2:
                cache.lookup(at("x"), "m")
            else:
                cache.put(at("x" if i % 4 else "y"), "m", wrote("b"))
                assert sum(sum(lengths._counts.values()) for lengths in cache._index.values()) == len(cache._entries)


def test_is_a_mutable_mapping() -> None:
    cache = CompletionCache()
    key = CompletionCache.key(at("x"), "m")
    cache[key] = wrote("a")
    cache[key] = wrote("b")
    assert len(cache) == 1 and cache[key].generated.text == "b" and key in cache
    del cache[key]
    assert not cache and cache.evictions == 0 and cache.lookup(at("x"), "m") is None
    with pytest.raises(KeyError):
        cache[key]


# --- against an oracle ------------------------------------------------------------------------------------------

pieces = st.text(alphabet="ab\n😀é", max_size=3)
actions = st.one_of(
    st.tuples(st.just("type"), pieces),
    st.tuples(st.just("backspace"), st.integers(1, 3)),
    st.tuples(st.just("move"), st.integers(0, 20)),
    st.tuples(st.just("put"), st.text(alphabet="ab\n😀é", max_size=6)),
    st.tuples(st.just("undo"), st.integers(1, 5)),
    st.tuples(st.just("pass"), st.floats(0.1, 4)),
)


def brute_force(
    puts: list[tuple[EditContext, str, float]], state: EditContext, now: float, ttl: float
) -> tuple[str, bool] | None:
    """The nearest earlier state whose answer the user has typed a part of; the newest answer of each state counts."""
    newest = {(put.prefix, put.suffix): (text, t) for put, text, t in puts}
    for length in range(state.offset, -1, -1):
        known = newest.get((state.prefix[:length], state.suffix))
        if known is None or now >= known[1] + ttl:
            continue
        typed = state.prefix[length:]
        if not typed:
            return known[0], True
        if known[0].startswith(typed) and known[0] != typed:
            return known[0][len(typed) :], False
    return None


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(actions, max_size=40))
def test_never_a_wrong_suggestion_never_a_lost_hit(history: list[tuple[str, object]]) -> None:
    timer, ttl = Timer(), 10.0
    cache = CompletionCache(ttl=ttl, timer=timer)
    states, puts = [at("a")], []
    for action, value in history:
        state = states[-1]
        if action == "type":
            states.append(state.after_typing(str(value)))
        elif action == "backspace":
            n = min(int(str(value)), state.offset)
            states.append(EditContext(state.document.edited(Edit(state.offset - n, n, "")), state.offset - n))
        elif action == "move":
            states.append(EditContext(state.document, min(int(str(value)), len(state.document.text))))
        elif action == "undo":
            states.append(states[max(0, len(states) - 1 - int(str(value)))])
        elif action == "pass":
            timer.now += float(str(value))
        else:
            cache.put(state, "m", wrote(str(value)))
            puts.append((state, str(value), timer.now))
        hit = cache.lookup(states[-1], "m")
        expected = brute_force(puts, states[-1], timer.now, ttl)
        assert (hit and (hit.generated.text, hit.exact)) == expected


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40)), max_size=60), st.integers(1, 5))
def test_bounds_hold_and_the_index_follows(puts: list[tuple[int, int]], most: int) -> None:
    timer = Timer()
    cache = CompletionCache(max_entries=most, max_bytes=4000, ttl=5, timer=timer)
    for place, size in puts:
        timer.now += 0.5
        cache.put(at("x" * place), "m", wrote("y" * size))
        assert len(cache) <= most and cache.bytes <= 4000
        assert cache.lookup(at("x" * place), "m") is not None
    for key in list(cache):
        del cache[key]
    timer.now += 10
    cache._entries.expire()
    assert not cache._index, "the index must not outlive its entries"
