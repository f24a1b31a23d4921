"""A predictor that is never wrong, and users whose pauses vary."""

from __future__ import annotations

from statistics import median, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.engine.generation import Link
from tabspec.models.protocol import GenerationRequest
from tabspec.models.scripted.model import Script, ScriptedModel, continuing
from tabspec.replay.clock import run_virtual
from tabspec.replay.results.result import PERFECT, Run
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.oracle import OraclePredictor
from tabspec.replay.users.thinking import QUICK, Thinking
from tabspec.replay.users.user import Player
from tabspec.suggestion import Suggestion
from tabspec.text import Edit

LINES = ("def total(values):\n", "    result = 0\n", "    for value in values:\n", "        result += value\n")
TEXT = "".join(LINES) * 12


def typed(text: str = TEXT, gap: float = 0.15) -> Session:
    events = [EditEvent(gap * i, (Edit(i, 0, each),), i + 1) for i, each in enumerate(text)]
    return Session("", tuple(events))


def often_wrong(request: GenerationRequest) -> str:
    """Knows the text, and answers something else at two of three places."""
    right = continuing(TEXT)(request)
    return right if len(request.prefix) % 3 == 1 else "#" + right


def run(policy: str, script: Script | None = None, gap: float = 0.15, prefill: float = 0.15, **settings: object) -> Run:
    model = ScriptedModel(script or continuing(TEXT), prefill_s=prefill, token_s=0.01, token_chars=4, logprob=-0.3)
    config = EngineConfig(policy=Policy.CHAIN, depth=16) if policy == PERFECT else EngineConfig(policy=Policy(policy))
    return run_virtual(replay(typed(TEXT, gap), model, Setting(config=config, perfect=policy == PERFECT, **settings)))  # type: ignore[arg-type]


def test_the_perfect_predictor_knows_several_accepts_ahead() -> None:
    player = Player(typed("abcdef"))
    player.perform()  # types a
    foresight = OraclePredictor(player)
    first = Link(player.context, Suggestion("bc"))
    second = Link(first.context.after_accept(first.suggestion), Suggestion("de"))
    assert foresight.probability(second) == 0, "it was not asked about the accept that leads there"
    assert [foresight.probability(each) for each in (first, second)] == [1, 1]
    assert foresight.probability(Link(second.context, Suggestion("dx"))) == 0
    assert player.context.offset == 1, "no Tab was pressed"


@pytest.mark.slow
@pytest.mark.parametrize("burst", [1, 5])
@pytest.mark.parametrize("think_ms", [120.0, 600.0])
def test_no_policy_is_better_than_the_perfect_predictor(think_ms: float, burst: int) -> None:
    bound = run(PERFECT, often_wrong, think_ms=think_ms, burst=burst)
    assert bound.policy == PERFECT and bound.tabs > 5
    for policy in Policy:
        other = run(policy, often_wrong, think_ms=think_ms, burst=burst)
        assert bound.instant_tab_rate >= other.instant_tab_rate, policy
    assert bound.tokens.decoded_unused <= 1  # after the last Tab of the recording


@pytest.mark.slow
def test_adaptive_has_depth1s_tabs_for_fewer_tokens() -> None:
    # A quick model and a slow typist: depth1 asks behind each wrong suggestion.
    depth1, adaptive = (run(policy, often_wrong, gap=0.2, prefill=0.02) for policy in ("depth1", "adaptive"))
    assert adaptive.instant_tab_rate >= depth1.instant_tab_rate
    assert adaptive.tokens.decoded_unused < depth1.tokens.decoded_unused


def test_pauses_vary_as_configured_and_equally_for_all_policies() -> None:
    thinking = Thinking(0.6, jitter=0.3, seed=7)
    pauses = [thinking.pause(place, 0) for place in range(400)]
    assert median(pauses) == pytest.approx(0.6, rel=0.1)
    assert 0.1 < stdev(pauses) < 0.3
    assert pauses == [thinking.pause(place, 3) for place in range(400)], "nothing but the place counts"
    assert pauses != [Thinking(0.6, jitter=0.3, seed=8).pause(place, 0) for place in range(400)]


@given(st.integers(2, 6), st.integers(0, 50))
def test_a_burst_of_tabs_begins_with_a_thinking_pause(burst: int, row: int) -> None:
    expected = 0.6 if row % burst == 0 else QUICK
    assert Thinking(0.6, burst=burst).pause(0, row) == expected


def test_the_notes_of_a_run_describe_its_user() -> None:
    notes = " ".join(run("depth1", jitter=0.3, burst=3).notes)
    assert "thinking varies" in notes and "bursts of 3 Tabs" in notes
