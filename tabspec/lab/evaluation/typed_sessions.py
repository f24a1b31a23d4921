"""Held-out code typed by a simulated user of `tabspec replay`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePosixPath

from tabspec.config import EngineConfig, Policy
from tabspec.lab.converters.typist import Typist
from tabspec.lab.evaluation.baseline import Baseline
from tabspec.lab.evaluation.stretches import Stretch
from tabspec.lab.evaluation.typing import Typed
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.protocol import Model
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import TimedModel, read_latency
from tabspec.replay.models.memo import MemoModel
from tabspec.replay.runner import Setting, replay
from tabspec.replay.sessions.session import Session
from tabspec.replay.users.user import User

Done = Callable[[int], None]


def session_of(stretch: Stretch, seed: int) -> Session:
    """The stretch as a session: the file without it, and the keystrokes that write it."""
    typist = Typist(stretch.before + stretch.after, seed)
    typist.write(stretch.before + stretch.written + stretch.after)
    return Session(
        stretch.before + stretch.after,
        tuple(typist.events),
        source=f"{stretch.project}:{stretch.path}",
        language=stretch.language,
        uri=f"file:///session/{stretch.path}",
        synthetic=True,
        name=PurePosixPath(stretch.path).name,
    )


def type_with_model(name: str, stretches: Sequence[Stretch], seed: int, done: Done) -> list[Typed]:
    """Type all stretches with one model: a folder, "bundled" or "large"."""

    async def play() -> list[Typed]:
        model = load_model(name)
        try:

            async def same(_: Stretch) -> Model:
                return model

            return await type_stretches(same, stretches, seed, done)
        finally:
            await model.close()

    return run_virtual(play())


def type_with_ngrams(baseline: Baseline, stretches: Sequence[Stretch], seed: int, done: Done) -> list[Typed]:
    """Type all stretches with the nested n-gram cache. It counts the project's other files and the rest of the file."""

    async def of(stretch: Stretch) -> Model:
        around = stretch.before + stretch.after
        return baseline.model(stretch.project, stretch.language, stretch.path, around)

    ordered = sorted(stretches, key=lambda each: (each.project, each.language, each.path))
    return run_virtual(type_stretches(of, ordered, seed, done))


async def type_stretches(
    model_for: Callable[[Stretch], Awaitable[Model]], stretches: Sequence[Stretch], seed: int, done: Done
) -> list[Typed]:
    """Type each stretch as the simulated user `tab`, in virtual time. Every model has the bundled model's latencies.

    The completion cache is on. Speculation is off: it would take computing time, and it does not change suggestions.
    """
    profile, found = read_latency(BUNDLED / "latency.json"), []
    setting = Setting(EngineConfig(policy=Policy.CACHE), user=User.TAB, seed=seed)
    for number, stretch in enumerate(stretches, 1):
        model = TimedModel(MemoModel(await model_for(stretch)), profile)
        run = await replay(session_of(stretch, seed), model, setting)
        found.append(Typed(run.typed_chars, run.accepted_chars, run.accepted, run.shown))
        done(number)
    return found
