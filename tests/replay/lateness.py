"""How much later a request is answered because of speculation: `python -m tests.replay.lateness --help`.

A session is replayed twice, with speculation and without. Requests for the same document state are paired, in the order
in which they came; of those that had to go to the model both times, the difference of the waits is told.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

from tabspec.config import EngineConfig, Policy
from tabspec.lab.tree import speculator_for
from tabspec.models.load import load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import Model, slots_of
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import TimedModel
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session
from tabspec.replay.sessions.session_file import read_session
from tabspec.replay.users.user import User
from tabspec.suggestion import Answer, Source

from .equation import PROFILE, Heard, listening

# Answered by the model, as far as it was waited for at all: with a suggestion, or with nothing to suggest.
_BY_MODEL = (Source.MODEL, Source.JOINED)
Waits = dict[tuple[int, str], list[float | None]]
"""By cursor and text, for each time that it was asked for: seconds; None where the model was not needed."""


def _waits(heard: Heard) -> Waits:
    found: Waits = defaultdict(list)
    for context, answer in heard:
        found[context.offset, context.document.text].append(answer.waited if _by_model(answer) else None)
    return found


def _by_model(answer: Answer) -> bool:
    return not answer.cached and (
        answer.source in _BY_MODEL or (answer.reason is not None and answer.reason.value in ("empty", "withheld"))
    )


async def heard_in(session: Session, model: Model, setting: Setting) -> Waits:
    """The waits of a replay."""
    with listening() as heard:
        await replay(session, model, replace(setting, slots=slots_of(model)))
    return _waits(heard)


def late(without: Waits, speculating: Waits) -> list[float]:
    """Seconds by which each request that went to the model both times was later with speculation (earlier: below 0)."""
    return [
        b - a
        for state, waits in speculating.items()
        for a, b in zip(without.get(state, []), waits, strict=False)
        if a is not None and b is not None
    ]


def told(found: Sequence[float]) -> str:
    """Milliseconds: how many, and their distribution."""
    if len(found) < 2:
        return f"{len(found)} pairs"
    cuts = quantiles(found, n=100, method="inclusive")
    later = sum(each > 1e-6 for each in found)
    return (
        f"{len(found)} pairs, later {later}; difference in ms: p50 {cuts[49] * 1000:.2f}, p90 {cuts[89] * 1000:.2f}, "
        f"p99 {cuts[98] * 1000:.2f}, max {max(found) * 1000:.2f}"
    )


async def virtual(session: Session, setting: Setting, policies: Sequence[Policy], memo: MemoModel) -> dict[str, Waits]:
    """The waits under each policy, on the virtual clock."""
    found = {}
    for policy in policies:
        memo.fresh_kv()
        config = EngineConfig(policy=policy)
        found[policy.value] = await heard_in(
            session, TimedModel(memo, PROFILE), replace(setting, config=config, speculator=speculator_for(policy))
        )
    return found


async def wall(session: Session, setting: Setting, policies: Sequence[Policy]) -> dict[str, Waits]:
    """The same in real time, with the model in its own process; a new one for each policy."""
    found = {}
    for policy in policies:
        worker = WorkerModel()
        await worker.start()
        try:
            setting = replace(
                setting, config=EngineConfig(policy=policy), speculator=speculator_for(policy), clock="wall"
            )
            found[policy.value] = await heard_in(session, worker, setting)
        finally:
            await worker.close()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell by how much requests are later with each policy than without speculation (`cache`)."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.lateness", description=main.__doc__)
    parser.add_argument("sessions", nargs="+", type=Path, metavar="SESSION", help="session files")
    parser.add_argument("--policy", action="append", choices=["adaptive", "chain", "tree", "depth1"])
    parser.add_argument("--user", default="tab", choices=["tab", "type"])
    parser.add_argument("--think-ms", type=float, default=300)
    parser.add_argument("--limit", type=int, default=None, help="the first N edits only")
    parser.add_argument("--clock", default="virtual", choices=["virtual", "wall"])
    options = parser.parse_args(arguments)
    policies = [Policy.CACHE, *map(Policy, options.policy or ("adaptive", "chain", "tree"))]
    memo = MemoModel(load_model(device="cpu")) if options.clock == "virtual" else None
    total: dict[str, list[float]] = defaultdict(list)
    for path in options.sessions:
        session = read_session(path)
        setting = Setting(user=User(options.user), think_ms=options.think_ms, limit=options.limit)
        if memo:
            found = run_virtual(virtual(session, setting, policies, memo))
        else:
            found = asyncio.run(wall(session, setting, policies))
        for policy in policies[1:]:
            differences = late(found["cache"], found[policy.value])
            total[policy.value] += differences
            print(f"{path.name} {policy.value}: {told(differences)}", flush=True)
    for policy_name, differences in total.items():
        print(f"all, {policy_name}: {told(differences)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
