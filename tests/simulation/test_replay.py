"""Replays of small sessions with a scripted model, on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from tabspec.config import EngineConfig, Policy
from tabspec.models.scripted.model import ScriptedModel, continuing
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile, TimedModel
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.user import User
from tabspec.text import Edit

WRITTEN = "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result\n"


def typed(text: str = WRITTEN, gap: float = 0.2) -> Session:
    """A session in which ``text`` is typed a character at a time."""
    events = tuple(EditEvent(i * gap, (Edit(i, 0, char),)) for i, char in enumerate(text))
    return Session("", events, language="python", uri="file:///total.py", name="total")


def run(policy: str, user: str = "tab", think_ms: float = 600, **settings: object) -> Run:
    model = TimedModel(MemoModel(ScriptedModel(continuing(WRITTEN))), LatencyProfile(100, 0, 10))
    config = EngineConfig(policy=Policy(policy)).updated(settings)
    return run_virtual(replay(typed(), model, Setting(config=config, user=User(user), think_ms=think_ms)))


def test_policies_differ_as_they_should() -> None:
    none, cache, depth1, chain = (run(policy) for policy in ("none", "cache", "depth1", "chain"))
    for each in (none, cache, depth1, chain):
        assert each.stale_served == 0
        assert each.requests == sum(each.sources.values()) == len(each.timeline)
        assert each.typed_chars + each.accepted_chars == len(WRITTEN)
        assert each.tabs >= 3
    assert none.hit_rate == none.instant_tab_rate == cache.instant_tab_rate == 0
    assert depth1.instant_tab_rate > 0.7 and chain.instant_tab_rate == depth1.instant_tab_rate
    assert depth1.tab_latency_ms.p50 == 0 < none.tab_latency_ms.p50
    assert none.tokens.decoded_speculative == 0 < depth1.tokens.decoded_speculative


def test_bursts_need_depth() -> None:
    depth1, chain = run("depth1", think_ms=20), run("chain", think_ms=20)
    assert chain.instant_tab_rate >= depth1.instant_tab_rate


def test_the_typing_user_accepts_nothing() -> None:
    result = run("chain", user="type")
    assert (result.accepted, result.tabs, result.accepted_chars, result.keystrokes_saved) == (0, 0, 0, 0.0)
    assert result.requests == len(WRITTEN)
    assert result.sources["type_through"] > result.requests / 2
    assert result.rejected == 0, "typing what it says is no rejection"


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert dumps(ReplayResult((run("chain"),))) == dumps(ReplayResult((run("chain"),)))


@pytest.mark.parametrize("limit", [0, 1, 10, 1000])
def test_the_limit_ends_a_replay(limit: int) -> None:
    model = ScriptedModel(continuing(WRITTEN))
    result = run_virtual(replay(typed(), model, Setting(user=User.TYPE, limit=limit)))
    assert result.requests == min(limit, len(WRITTEN))


def test_an_interrupted_replay_keeps_the_results_so_far() -> None:
    async def interrupted() -> Run:
        task = asyncio.create_task(replay(typed(), ScriptedModel(continuing(WRITTEN)), Setting(user=User.TYPE)))
        await asyncio.sleep(2.0)
        task.cancel()
        return await task

    result = run_virtual(interrupted())
    assert result.interrupted and any("interrupted" in note for note in result.notes)
    assert 9 <= result.requests <= 11
