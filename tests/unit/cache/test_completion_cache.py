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


def test_bytes_are_bounded_and_what_is_used_stays() -> None:
    one = wrote("x" * 100).bytes
    cache = CompletionCache(max_bytes=3 * one)
    for i in range(5):
        cache.put(at(f"line {i}"), "m", wrote("x" * 100))
        assert cache.lookup(at("line 1"), "m") or i < 1  # it is looked up each time, and so never the oldest
        assert cache.bytes <= 3 * one
    assert len(cache) == 3 and cache.evictions == 2
    assert cache.lookup(at("line 1"), "m") and not cache.lookup(at("line 0"), "m")
    cache.put(at("5"), "m", wrote("x" * 10_000))  # larger than all of it: not kept, and nothing is evicted
    assert len(cache) == 3


def test_an_entry_replaces_that_of_the_same_state() -> None:
    cache = CompletionCache()
    cache.put(at("x"), "m", wrote("a"))
    cache.put(at("x"), "m", wrote("b"))
    hit = cache.lookup(at("x"), "m")
    assert len(cache) == 1 and cache.evictions == 0 and hit and hit.generated.text == "b"


def test_a_cleared_cache_knows_nothing_and_has_no_evictions() -> None:
    cache = CompletionCache()
    cache.put(at("x"), "m", wrote("a"))
    cache.clear()
    assert not cache and not cache.bytes and cache.lookup(at("x"), "m") is None
    assert cache.evictions == 0 and not cache._index
    cache.put(at("x"), "m", wrote("b"))
    cache.popitem()
    assert cache.evictions == 1 and not cache._index
    with pytest.raises(KeyError):
        cache.popitem()
    assert cache.evictions == 1


# --- against an oracle ------------------------------------------------------------------------------------------

pieces = st.text(alphabet="ab\n😀é", max_size=3)
actions = st.one_of(
    st.tuples(st.just("type"), pieces),
    st.tuples(st.just("backspace"), st.integers(1, 3)),
    st.tuples(st.just("move"), st.integers(0, 20)),
    st.tuples(st.just("put"), st.text(alphabet="ab\n😀é", max_size=6)),
    st.tuples(st.just("undo"), st.integers(1, 5)),
)


def brute_force(puts: list[tuple[EditContext, str]], state: EditContext) -> tuple[str, bool] | None:
    """The nearest earlier state whose answer the user has typed a part of; the newest answer of each state counts."""
    newest = {(put.prefix, put.suffix): text for put, text in puts}
    for length in range(state.offset, -1, -1):
        known = newest.get((state.prefix[:length], state.suffix))
        typed = state.prefix[length:]
        if known is None:
            continue
        if not typed:
            return known, True
        if known.startswith(typed) and known != typed:
            return known[len(typed) :], False
    return None


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(actions, max_size=40))
def test_never_a_wrong_suggestion_never_a_lost_hit(history: list[tuple[str, object]]) -> None:
    cache = CompletionCache()
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
        else:
            cache.put(state, "m", wrote(str(value)))
            puts.append((state, str(value)))
        hit = cache.lookup(states[-1], "m")
        expected = brute_force(puts, states[-1])
        assert (hit and (hit.generated.text, hit.exact)) == expected


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40)), max_size=60), st.integers(1500, 8000))
def test_bounds_hold_and_the_index_follows(puts: list[tuple[int, int]], most: int) -> None:
    cache = CompletionCache(most)
    for place, size in puts:
        cache.put(at("x" * place), "m", wrote("y" * size))
        assert cache.bytes <= most
        assert cache.lookup(at("x" * place), "m") is not None
        assert sum(sum(lengths._counts.values()) for lengths in cache._index.values()) == len(cache)
    for key in list(cache):
        del cache[key]
    assert not cache._index, "the index must not outlive its entries"
