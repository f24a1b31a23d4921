"""What a model is worth to a person: the last part of their sessions, replayed with the product's own engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tabspec.config import EngineConfig, Policy
from tabspec.models.load import BUNDLED, load_model
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import TimedModel, read_latency
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """Suggestions that were shown, accepted and refused; characters that came by Tab and that were typed; the reward
    (`tabspec.edits.reward`)."""

    shown: int
    accepted: int
    refused: int
    accepted_chars: int
    typed_chars: int
    reward: float

    @classmethod
    def of(cls, runs: Iterable[Run]) -> ReplayOutcome:
        runs = list(runs)
        return cls(
            sum(run.shown for run in runs),
            sum(run.accepted for run in runs),
            sum(run.rejected for run in runs),
            sum(run.accepted_chars for run in runs),
            sum(run.typed_chars for run in runs),
            round(math.fsum(run.reward or 0.0 for run in runs), 2),
        )


def judged(
    model: str, sessions: Sequence[Session], progress: Callable[[float], None] = lambda part: None
) -> ReplayOutcome:
    """Replay ``sessions`` with the model of this name, by the user who presses Tab where a suggestion is right.

    On the virtual clock, with the bundled model's latency: the machine's load changes nothing. Without speculation,
    which changes no answer.
    """
    return run_virtual(_judged(model, sessions, progress))


async def _judged(name: str, sessions: Sequence[Session], progress: Callable[[float], None]) -> ReplayOutcome:
    model = load_model(name)
    runs: list[Run] = []
    try:
        for number, session in enumerate(sessions):
            timed = TimedModel(model, read_latency(BUNDLED / "latency.json"))

            def show(part: float, done: int = number) -> None:
                progress((done + part) / len(sessions))

            runs.append(await replay(session, timed, Setting(EngineConfig(policy=Policy.CACHE)), show))
            if runs[-1].interrupted:
                raise KeyboardInterrupt  # a part of the sessions cannot be compared
    finally:
        await model.close()
    return ReplayOutcome.of(runs)
