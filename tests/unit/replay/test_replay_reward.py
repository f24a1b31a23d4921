"""The reward of a replay, against one that is computed from what the user was shown and did."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.context import EditContext
from tabspec.edits.reward import ACCEPTED, REFUSED
from tabspec.engine.engine import CompletionEngine
from tabspec.models.scripted.model import Script, ScriptedModel, continuing, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.results.aggregates import pooled
from tabspec.replay.results.result import ReplayResult, Run
from tabspec.replay.results.result_file import dumps, loads
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.user import User
from tabspec.suggestion import Suggestion
from tabspec.text import Edit
from tests.examples import examples

TEXT = "a = [1, 2]\nprint(a)\nfor b in a:\n    print(b)\n"


def typed(text: str) -> Session:
    """A person types ``text``, five keys a second."""
    events = [EditEvent(0.2 * at, (Edit(at, 0, text[at]),), at + 1) for at in range(len(text))]
    return Session("", tuple(events), language="python", uri="file:///a.py", name="typed")


def played(text: str, script: Script, user: User = User.TAB) -> Run:
    return run_virtual(replay(typed(text), ScriptedModel(script, prefill_s=0.01, token_s=0.001), Setting(user=user)))


def test_no_suggestions_have_no_reward() -> None:
    found = played(TEXT, lambda request: "")
    assert found.reward == 0 and not found.shown


def test_right_suggestions_earn_three_quarters_of_the_keys_that_they_save() -> None:
    found = played(TEXT, continuing(TEXT))
    assert found.rejected == 0 and found.accepted > 1
    assert found.reward == ACCEPTED * (found.accepted_chars - found.accepted)


def test_wrong_suggestions_lose_a_quarter_of_their_keys() -> None:
    found = played(TEXT, lambda request: "wrong_name")
    refused = [record for record in found.timeline if record.reward < 0]
    assert found.accepted == 0 and len(refused) == found.rejected > 1
    assert found.reward == sum(REFUSED * (record.chars - 1) for record in refused)


def test_the_typing_user_refuses_only_wrong_suggestions() -> None:
    assert played(TEXT, continuing(TEXT), User.TYPE).reward == 0
    assert (played(TEXT, lambda request: "wrong_name", User.TYPE).reward or 0) < 0


@settings(max_examples=examples(60))
@given(st.text("ab(\n", min_size=1, max_size=25))
def test_the_reward_equals_that_of_the_engines_outcomes(text: str) -> None:
    """The oracle reads the engine's own record of shown and accepted suggestions, and the text that follows them."""
    shown: list[tuple[EditContext, Suggestion]] = []
    earned = 0.0
    accepted = 0

    class Watched(CompletionEngine):
        def shown(self, context: EditContext, suggestion: Suggestion) -> None:
            settle(context)
            shown.append((context, suggestion))
            super().shown(context, suggestion)

        def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
            nonlocal earned, accepted
            assert shown.pop() == (context, suggestion)
            earned += ACCEPTED * (len(suggestion.text) - 1)
            accepted += 1
            super().accepted(context, suggestion)

    def settle(context: EditContext | None) -> None:
        """What was shown before is gone: it was refused unless the document continues it."""
        nonlocal earned
        while shown:
            before, suggestion = shown.pop()
            now, end = (text, None) if context is None else (context.document.text, context.offset)
            following = now[before.offset : end]  # at the end, the rest of the text
            first = following[:1]  # the next key decides: each key is a state of its own
            if first and suggestion.text[:1] != first:
                earned += REFUSED * (len(suggestion.text) - 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabspec.replay.runner.CompletionEngine", Watched)
        found = played(text, pseudo_random("ab\n"))
    settle(None)
    assert accepted == found.accepted
    assert found.reward == pytest.approx(earned)
    assert found.reward == math.fsum(record.reward for record in found.timeline)
    assert all(record.accepted for record in found.timeline if record.reward > 0)


def test_results_carry_the_reward_and_old_ones_have_none() -> None:
    found = played(TEXT, lambda request: "wrong_name")
    text = dumps(ReplayResult((found,)))
    assert dumps(loads(text)) == text
    assert loads(text).runs[0].reward == found.reward
    old = loads(text.replace(f' "reward": {found.reward}', ' "other": 0')).runs[0]
    assert old.reward is None
    both = pooled([found, found])
    assert both and both.reward == 2 * (found.reward or 0)
    mixed = pooled([found, replace(found, reward=None)])
    assert mixed and mixed.reward is None
