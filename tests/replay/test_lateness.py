"""A request is never later than without speculation by more than the one pass that had begun when it came.

On the virtual clock this is an inequality, request by request. (With the real worker it is measured:
`tests/benchmarks/beside_speculation.py`.)
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.config import EngineConfig, Policy
from tabspec.lab.tree import speculator_for
from tabspec.models.protocol import GenerationRequest
from tabspec.models.scripted.model import ScriptedModel, continuing, pseudo_random
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile, TimedModel
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.replay.users.user import User
from tabspec.text import Edit
from tests.examples import examples
from tests.replay.lateness import heard_in, late

WRITTEN = "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result\n"
# Every prompt costs the same here: differences by the state of the KV cache are not tested.
PROFILE = LatencyProfile(1.0, 0.0, 15.0, together=4, beside=0.24)


def answer(request: GenerationRequest) -> str:
    """Now and then what is really written next: most requests are to go to the model, and some to be accepted."""
    known = request.prefix[-1:] in "(=:"
    return continuing(WRITTEN)(request) if known else pseudo_random(" abcdefghi(=:\n")(request)


def typed(seed: int) -> Session:
    """A user who writes WRITTEN, quickly and slowly, and sometimes something else, which is then deleted."""
    random, events, now = Random(seed), list[EditEvent](), 0.0
    for at, char in enumerate(WRITTEN):
        now += random.choice((0.01, 0.05, 0.2, 0.6)) * (0.5 + random.random())
        if random.random() < 0.1:
            events.append(EditEvent(now, (Edit(at, 0, "x"),)))
            now += 0.3 * random.random()
            events.append(EditEvent(now, (Edit(at, 1, ""),)))
            now += 0.1 * random.random()
        events.append(EditEvent(now, (Edit(at, 0, char),)))
    return Session("", tuple(events), language="python", uri="file:///total.py", name="total")


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Policy.DEPTH1, Policy.CHAIN, Policy.TREE, Policy.ADAPTIVE])
@settings(max_examples=examples(4))
@given(st.integers(0, 1 << 32), st.sampled_from((User.TYPE, User.TAB)))
def test_no_request_is_later_by_more_than_one_pass(policy: Policy, seed: int, user: User) -> None:
    session = typed(seed)

    async def waits(policy: Policy) -> dict[tuple[int, str], list[float | None]]:
        model = TimedModel(MemoModel(ScriptedModel(answer, token_chars=1)), PROFILE)
        config = EngineConfig(policy=policy).updated({"economy": 0.0})
        return await heard_in(
            session, model, Setting(config=config, speculator=speculator_for(policy), user=user, think_ms=100)
        )

    differences = late(run_virtual(waits(Policy.CACHE)), run_virtual(waits(policy)))
    assert len(differences) > 10, "the session must give something to compare"
    longest = PROFILE.decode_ms_per_token * (1 + PROFILE.beside * (PROFILE.together - 1)) / 1000
    assert max(differences) <= longest + 1e-9
