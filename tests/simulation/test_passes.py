"""Passes that generations share: `DecodeBatcher` against a brute-force account of who should be in which pass, and
when.

Generations begin, are cancelled, and come to their end at random moments; some are foreground ones, some steps have
draft tokens, some are prefill. The account is kept by a list of moments and knows nothing of tasks and futures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tabspec.models.local.batching import MOST_ROWS
from tabspec.replay.clock import run_virtual

from .passes import BESIDE, LONG, Pass, Passes


@dataclass(frozen=True, slots=True)
class Step:
    """What a generation asks of one pass."""

    tokens: int
    want: int
    seconds: float


@dataclass(eq=False)
class Plan:
    """One generation: when it begins, its steps, and when it is cancelled, if at all."""

    name: int
    begin: float
    foreground: bool
    steps: Sequence[Step]
    cancel: float | None = None
    done: int = 0  # steps
    taken: int = 0  # steps that were run
    ended: bool = field(default=False)

    @property
    def step(self) -> Step:
        return self.steps[self.done]

    def __str__(self) -> str:
        return f"{self.name}{'!' * self.foreground}"


Log = list[tuple[float, float, tuple[str, ...]]]
"""Passes: begin, end, and who is in them, in order."""


def plans(seed: int) -> list[Plan]:
    """Moments are real numbers, so that no two of them are the same."""
    random = Random(seed)

    def step(number: int) -> Step:
        if number == 0 and random.random() < 0.5:
            return Step(LONG, random.choice((0, 1)), 5 * random.random())
        tokens = random.choice((1, 1, 1, 2, 4, 9))
        return Step(tokens, tokens, random.random())

    return [
        Plan(
            name,
            begin := random.random() * random.choice((1, 20)),
            random.random() < 0.3,
            [step(number) for number in range(random.randrange(1, 8))],
            begin + 6 * random.random() if random.random() < 0.3 else None,
        )
        for name in range(random.randrange(1, 9))
    ]


def account(plans: Sequence[Plan]) -> Log:
    """What passes there should be, found by going from moment to moment."""
    moments = [(plan.begin, "begin", plan) for plan in plans]
    moments += [(plan.cancel, "cancel", plan) for plan in plans if plan.cancel is not None]
    moments.sort(key=lambda moment: moment[0])
    there: list[Plan] = []
    line: list[Plan] = []
    log: Log = []
    batch: list[Plan] = []
    now, end = 0.0, float("inf")
    while moments or end < float("inf"):
        now = min([end, *(moment[0] for moment in moments[:1])])
        if now == end:
            for plan in batch:
                if not plan.ended:
                    plan.done += 1
                    if plan.done < len(plan.steps):
                        line.append(plan)
                    else:
                        plan.ended = True
            batch, end = [], float("inf")
        else:
            _, what, plan = moments.pop(0)
            if what == "begin":
                there.append(plan)
                line.append(plan)
            else:
                plan.ended = True
                line = [other for other in line if other is not plan]
        if not batch:
            urgent = any(plan.foreground and not plan.ended for plan in there)
            ready = [plan for plan in line if plan.foreground or not urgent]
            batch = list(_together(ready))
            line = [plan for plan in line if plan not in batch]
            if batch:
                end = now + max(plan.step.seconds for plan in batch) * (1 + BESIDE * (len(batch) - 1))
                log.append((now, end, tuple(map(str, batch))))
    return log


def _together(ready: Sequence[Plan]) -> Iterator[Plan]:
    """Those that go into one pass with the first: they want as many rows, and a pass has so many tokens."""
    tokens = 0
    for plan in ready:
        if plan is ready[0] or (plan.step.want == ready[0].step.want and tokens + plan.step.tokens <= MOST_ROWS):
            tokens += plan.step.tokens
            yield plan


async def played(plans: Sequence[Plan]) -> Log:
    """What passes there are."""
    log: Log = []
    now = asyncio.get_running_loop().time

    def began(begun: Pass, _tokens: Sequence[int]) -> None:
        log.append((begun.begin, begun.end, tuple(map(str, begun.rows))))

    passes = Passes(lambda plan: float(plan.step.seconds), began)

    async def generation(plan: Plan) -> None:
        await asyncio.sleep(plan.begin - now())
        with passes.generation(plan.foreground):
            for _ in plan.steps:

                def took(_: object) -> None:
                    plan.taken += 1

                await passes.forward(plan, [0] * plan.step.tokens, plan.step.want, plan.foreground, took)
                await passes.pass_end()
                plan.done += 1
        plan.ended = True

    async def one(plan: Plan) -> None:
        task = asyncio.create_task(generation(plan))
        if plan.cancel is not None:
            asyncio.get_running_loop().call_at(plan.cancel, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    await asyncio.gather(*map(one, plans))
    assert not passes.asking, "nothing is left in line"
    return log


@given(st.integers(0, 1 << 32))
def test_each_pass_holds_the_expected_generations(seed: int) -> None:
    expected, made = account(plans(seed)), plans(seed)
    found = run_virtual(played(made))
    assert [rows for _, _, rows in found] == [rows for _, _, rows in expected]
    for (begin, end, _), (at, until, _) in zip(found, expected, strict=True):
        assert abs(begin - at) < 1e-6 and abs(end - until) < 1e-6
    for plan in made:
        assert plan.ended or plan.cancel is not None, "what was not cancelled came to its end"
        assert plan.taken == sum(str(plan) in rows for _, _, rows in found), "each pass was told of once"


@given(st.integers(0, 1 << 32))
def test_a_foreground_generation_waits_for_one_pass_of_others(seed: int) -> None:
    """From its beginning to its end, no pass begins that has a speculation in it."""
    made = plans(seed)
    found = run_virtual(played(made))
    for plan in made:
        if plan.foreground:
            ends = [end for _, end, rows in found if str(plan) in rows]
            until = min(max(ends, default=plan.begin), plan.cancel or float("inf"))
            during = [rows for begin, _, rows in found if plan.begin < begin < until - 1e-9]
            assert all(row.endswith("!") for rows in during for row in rows)
