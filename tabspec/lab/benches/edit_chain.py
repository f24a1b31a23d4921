"""Time a chain of next edits in the engine: each accept answered from the completion cache, beside proposing anew;
and changes that no person types.

`python -m tabspec.lab.benches.edit_chain` prints one row for each size of the document.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.edits.history import EMPTY
from tabspec.edits.lessons import lessons
from tabspec.edits.proposals import propose as proposing
from tabspec.edits.proposals.propose import propose
from tabspec.engine.engine import CompletionEngine
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.syntax import trees
from tabspec.text import Document, Edit

SIZES = (200, 2_000)
# Uses of the renamed function: chains of commits in public projects have at most about as many.
PLACES = 16
ROUNDS = 20
# Seconds of the model until its first token, as in the goals.
MODEL_S = 0.15
URI = "file:///bench.py"


def source(lines: int, places: int = PLACES) -> str:
    """Python code with functions of six lines, some of which use the function of the first line."""
    parts = ["def summed(first, second):\n    return first + second\n"]
    functions = max(lines // 8, 1)
    for number in range(functions):
        uses = number % max(functions // places, 1) == 0
        result = f"summed(found[0], {number})" if uses else f"max(found) + {number}"
        parts.append(
            f"\n\ndef part_{number}(values, offset={number}):\n"
            f'    """Return the values beyond the offset of part {number}."""\n'
            "    found = [each for each in values if each > offset]\n"
            f"    result = {result}\n"
            f"    print('part', result, offset + {number})\n"
            "    return found\n"
        )
    return "".join(parts)


def renamed(lines: int) -> EditContext:
    """The state after the user has renamed the function."""
    before, edit = Document(URI, source(lines), "python"), Edit(4, 6, "total")
    after = before.edited(edit)
    return EditContext(after, 0, EMPTY.changed(before, [edit], after, 1.0))


def measure() -> list[dict[str, float]]:
    """For each size: the times of a chain in milliseconds of one processor.

    ``first``: the first proposals in a document that was never parsed; ``parsed``: in one that was parsed ahead.
    ``hit``: a request after an accept, from the completion cache. ``ahead``: computing what follows, when an edit is
    shown. ``anew``: proposing after typing elsewhere.
    """
    return [_one(lines) for lines in SIZES]


def _one(lines: int) -> dict[str, float]:
    first: list[float] = []
    parsed: list[float] = []
    hits: list[float] = []
    ahead: list[float] = []
    for _ in range(ROUNDS):
        for times, parse in ((first, False), (parsed, True)):
            _forget()
            state = renamed(lines)
            if parse:
                trees.parse_ahead(Document(URI, source(lines), "python"))
            assert state.history is not None
            steps = lessons(state.history)
            with _timed(times):
                propose(state.document, state.offset, steps)
        run_virtual(_walk(lines, hits, ahead))
    return {
        "lines": lines,
        "depth": len(hits) // ROUNDS,
        "first": _median(first),
        "parsed": _median(parsed),
        "hit": _median(hits),
        "hit_p99": round(sorted(hits)[int(len(hits) * 0.99)], 3),
        "ahead": _median(ahead),
        "ahead_p99": round(sorted(ahead)[int(len(ahead) * 0.99)], 3),
        "anew": _anew(lines),
    }


async def _walk(lines: int, hits: list[float], ahead: list[float]) -> None:
    """Accept edit after edit, and time each request but the first."""
    engine = CompletionEngine(ScriptedModel(lambda request: "", prefill_s=MODEL_S), EngineConfig())
    state, depth = renamed(lines), 0
    while True:
        with _timed(hits if depth else []):
            answer = await engine.complete(state)
        suggestion = answer.suggestion
        if suggestion is None or suggestion.edit is None:
            hits.pop()  # the chain's end: the model was asked for a completion
            break
        with _timed(ahead):
            engine._edits.fill(state, suggestion)
        engine.shown(state, suggestion)
        engine.accepted(state, suggestion)
        state, depth = state.after_accept(suggestion), depth + 1
    await engine.close()


def _anew(lines: int) -> float:
    """Proposing after a letter was typed at the document's end."""
    state = renamed(lines)
    anew: list[float] = []
    assert state.history is not None
    steps = lessons(state.history)
    document = state.document
    propose(document, 0, steps)
    for _ in range(ROUNDS):
        typed = Edit(len(document.text), 0, "x")
        after = document.edited(typed)
        after.line_starts  # noqa: B018  the engine keeps them between keystrokes
        with _timed(anew):
            propose(after, 0, steps)
        document = after
    return _median(anew)


def unusual() -> Iterator[dict[str, float | str]]:
    """The times of a change and of the look after it, in milliseconds, where much changes at once."""
    state = renamed(2_000)
    text = state.document.text
    changes = {
        "paste of 2,000 lines": [Edit(0, 0, text)],
        "formatter, one change a line": [
            Edit(at + 2 * number, 0, "  ") for number, at in enumerate(state.document.line_starts[:-1])
        ],
        "formatter, one change": [Edit(0, len(text), text.replace(", ", ","))],
        "branch switch": [Edit(0, len(text), source(2_400)[100:])],
        "all deleted": [Edit(0, len(text), "")],
    }
    for name, edits in changes.items():
        _forget()
        trees.parse_ahead(state.document)
        after = state.document
        for edit in edits:
            after = after.edited(edit)
        yield {"change": name, **run_virtual(_look(state, edits, after))}


async def _look(state: EditContext, edits: list[Edit], after: Document) -> dict[str, float]:
    engine = CompletionEngine(ScriptedModel(lambda request: "", prefill_s=MODEL_S), EngineConfig())
    engine.changed(state)
    history = state.history
    assert history is not None
    kept: list[float] = []
    look: list[float] = []
    with _timed(kept):
        history = history.changed(state.document, edits, after, 9.0)
        history.digest  # noqa: B018  computes the steps
    context = replace(state, document=after, offset=0, history=history)
    with _timed(look):
        engine.next_edit(context)
    await engine.close()
    return {"history": round(kept[0], 2), "look": round(look[0], 2)}


def _forget() -> None:
    for cache in (trees._whole, trees._last, trees._states, trees._surroundings, proposing._kept):
        cache.clear()


@contextmanager
def _timed(times: list[float]) -> Iterator[None]:
    """Append the milliseconds of processor time that the block takes: other processes must not count."""
    began = time.thread_time()
    yield
    times.append((time.thread_time() - began) * 1e3)


def _median(times: list[float]) -> float:
    return round(statistics.median(times), 3)


if __name__ == "__main__":
    for row in (*measure(), *unusual()):
        print(row)
