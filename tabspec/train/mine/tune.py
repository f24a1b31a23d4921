"""`tabspec train mine`: learns from the earlier part of the sessions, judges by the last, and keeps what is better.

Everything is in the user's data folder (`tabspec.models.files.mine`), and nothing leaves the machine.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tabspec.errors import InputError
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.mine import MINE, data_folder, problem_of_mine
from tabspec.models.load import BUNDLED
from tabspec.replay.sessions.session import Session
from tabspec.train.mine.examples import typed
from tabspec.train.mine.judge import ReplayOutcome, judged
from tabspec.train.mine.keeping import keep_mine, private_folder, write_record
from tabspec.train.mine.sessions import split
from tabspec.train.tune.tuning import Tuner, Tuning, TuningProgress, export_tuned
from tabspec.train.weights.export import CONFIG, TOKENIZER, load_model

# Shares of the edits: what is judged, and what is watched of the rest, to stop before it is fitted too closely.
JUDGED, WATCHED = 0.2, 0.15
# Edits that are judged at most: 10,000 take three minutes on one core with each model.
MOST_JUDGED = 10_000
# How much of the characters that came by Tab before may be lost for a better reward. Without this bound, a model that
# is always silent would be better than one whose refusals outweigh its accepts.
MOST_LOST = 0.05

_WORK = "mine.work"

Show = Callable[[str, float, str], None]
"""Gets what is being done, the part of it that is done (0 to 1), and a detail."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The outcomes before and after, on the last part of the sessions. ``after`` is None if nothing was learned.

    ``kept``: the new model is now the user's own. ``learned``: how many places were learned from."""

    before: ReplayOutcome
    after: ReplayOutcome | None
    kept: bool
    learned: int
    progress: TuningProgress


def better(before: ReplayOutcome, after: ReplayOutcome) -> bool:
    """Whether a model is kept: its reward is higher, and Tab gives nearly as many characters as before, or more."""
    return after.reward > before.reward and after.accepted_chars >= (1 - MOST_LOST) * before.accepted_chars


def tune_mine(
    sessions: Sequence[Session],
    tuning: Tuning,
    show: Show = lambda what, part, detail: None,
    judge: Callable[[str, Sequence[Session], Callable[[float], None]], ReplayOutcome] = judged,
    bundled: Path = BUNDLED,
) -> Tuned:
    """Tune the bundled model on ``sessions`` (in order of time), and keep the result if it is better on the last part
    than the model that is in use.

    After an interruption, a call with the same sessions and settings goes on. Raises `InputError` if the sessions are
    of no use, or if the data folder cannot be written.
    """
    earlier, last = split(sessions, 1 - JUDGED)
    count = sum(len(session.edits) for session in last)
    if count > MOST_JUDGED:
        last = split(last, MOST_JUDGED / count)[0]
    learned, watched = split(earlier, 1 - WATCHED)
    examples = typed(learned)
    with _work() as work:
        weights, shape, tokenizer = load_model(bundled)
        run = {"base": ModelFolder(bundled).fingerprint(), "sessions": [_mark(session) for session in sessions]}
        tuner = Tuner(weights, shape, tokenizer, examples, typed(watched), tuning, work / "state", run)
        used = "bundled" if problem_of_mine(bundled) else MINE
        before = _once(work / "before.json", [used, run], lambda: judge(used, last, _part(show, "judging before")))

        def tuned(part: float, at: TuningProgress) -> None:
            show("learning", part, f"step {at.step}, held out {at.best:.3f} nats a token, before {at.before:.3f}")

        found = tuner.tune(tuned)
        after, kept = None, False
        if found is not None:
            made = work / "model"
            export_tuned(found, shape, bundled / TOKENIZER, made, tuning.seed)
            _complete(made, bundled, tuner.at)
            after = judge(str(made), last, _part(show, "judging after"))
            kept = better(before, after)
            if kept:
                write_record(made, bundled, {"before": asdict(before), "after": asdict(after), "edits": count})
                keep_mine(made)
        shutil.rmtree(work, ignore_errors=True)
    return Tuned(before, after, kept, len(examples), tuner.at)


def _complete(made: Path, bundled: Path, at: TuningProgress) -> None:
    """Add what the bundled model has and the tuned one may keep: it is near the original, and as fast."""
    if (bundled / "latency.json").is_file():
        shutil.copyfile(bundled / "latency.json", made / "latency.json")
    # A model's fingerprint covers a part of its weights only. These numbers distinguish one tuning from another.
    config = json.loads((made / CONFIG).read_text("utf-8"))
    (made / CONFIG).write_text(json.dumps({**config, "tabspec_mine": asdict(at)}, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _work() -> Iterator[Path]:
    """The folder of a tuning in progress, for the user alone, and locked. Raises `InputError`."""
    private_folder(data_folder())
    folder = private_folder(data_folder() / _WORK)
    lock = os.open(data_folder() / f"{_WORK}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError("`tabspec train mine` is running already; wait for it, or end it first") from None
        yield folder
    finally:
        os.close(lock)


def _once(path: Path, key: object, compute: Callable[[], ReplayOutcome]) -> ReplayOutcome:
    """An outcome that is kept in ``path``, so that a resumed run need not compute it again."""
    text = json.dumps(key)
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept["key"] == text:
            return ReplayOutcome(**kept["outcome"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = compute()
    path.write_text(json.dumps({"key": text, "outcome": asdict(found)}), encoding="utf-8")
    return found


def _mark(session: Session) -> tuple[str, int]:
    return session.name, len(session.edits)


def _part(show: Show, what: str) -> Callable[[float], None]:
    return lambda part: show(what, part, "")
