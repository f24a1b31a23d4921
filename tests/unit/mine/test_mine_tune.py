"""`tabspec train mine`: which model is kept, what is learned, how the model is found, and how it is undone."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tabspec.cli.train import train_command
from tabspec.errors import InputError
from tabspec.lab.converters.session_writer import write_session
from tabspec.models.daemon.place import identity
from tabspec.models.files.mine import MINE, RECORD, data_folder, mine_folder, problem_of_mine, read_record
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.process.worker import WorkerModel
from tabspec.replay.sessions.session import EditEvent, Session
from tabspec.text import Edit
from tabspec.train.examples.parts import Rows
from tabspec.train.mine.examples import typed
from tabspec.train.mine.judge import ReplayOutcome, judged
from tabspec.train.mine.keeping import write_record
from tabspec.train.mine.tune import Tuned, better, tune_mine
from tabspec.train.network import Network, Shape
from tabspec.train.tune.tuning import Tuner, Tuning, TuningProgress
from tabspec.train.weights.export import export_model
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=1, heads=2, kv_heads=1, mlp=64, head=16, context=128)
TUNING = Tuning(rank=2, learning_rate=0.1, tokens=127, epochs=10, check_every=2, patience=9)
torch.set_num_threads(1)  # a tiny model gains nothing by threads


def recorded(texts: Sequence[str], name: str = "a.py") -> Session:
    """A person writes ``texts``, each at the end of a line of its own, a key at a time."""
    begun = "".join(f"# {number}: \n" for number in range(len(texts)))
    edits, end = list[Edit](), -1
    for text in texts:
        end = begun.index("\n", end + 1)
        edits += [Edit(end + at, 0, char) for at, char in enumerate(text)]
        begun, end = begun[:end] + text + begun[end:], end + len(text)
    events = tuple(EditEvent(0.1 * at, (edit,), edit.end) for at, edit in enumerate(edits))
    start = "".join(f"# {number}: \n" for number in range(len(texts)))
    return Session(start, events, language="python", uri=f"file:///{name}", name=name)


SESSIONS = [recorded([f"value_{number} = total({number})" for number in range(20)])]
OUTCOMES = st.builds(
    ReplayOutcome, *[st.integers(0, 500)] * 5, reward=st.floats(-500, 500, allow_nan=False, allow_infinity=False)
)
BEFORE = ReplayOutcome(shown=100, accepted=20, refused=60, accepted_chars=200, typed_chars=800, reward=-40.0)
GOOD = ReplayOutcome(shown=90, accepted=25, refused=40, accepted_chars=260, typed_chars=740, reward=35.0)
SILENT = ReplayOutcome(shown=0, accepted=0, refused=0, accepted_chars=0, typed_chars=1000, reward=0.0)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "tabspec"


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("bundled") / "model", 1)


def model_folder(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    export_model(Network(SHAPE).state_dict(), SHAPE, TOKENIZER, folder, bits=8)
    return folder


Judge = Callable[[str, Sequence[Session], Callable[[float], None]], ReplayOutcome]


def judge(after: ReplayOutcome, before: ReplayOutcome = BEFORE, asked: list[str] | None = None) -> Judge:
    def judge(model: str, sessions: Sequence[Session], progress: Callable[[float], None]) -> ReplayOutcome:
        if asked is not None:
            asked.append(model)
        return before if model in ("bundled", MINE) else after

    return judge


def tuned(
    bundled: Path, after: ReplayOutcome = GOOD, before: ReplayOutcome = BEFORE, asked: list[str] | None = None
) -> Tuned:
    return tune_mine(SESSIONS, TUNING, judge=judge(after, before, asked), bundled=bundled)


# --- what is kept ----------------------------------------------------------------------------------------------------


@given(OUTCOMES, OUTCOMES)
def test_a_tuned_model_is_kept_only_if_it_is_better(before: ReplayOutcome, after: ReplayOutcome) -> None:
    assert not better(before, before)
    assert not (better(before, after) and better(after, before))
    if better(before, after):
        assert after.reward > before.reward
        assert after.accepted_chars >= 0.95 * before.accepted_chars


def test_silence_is_not_better_than_help() -> None:
    assert SILENT.reward > BEFORE.reward and not better(BEFORE, SILENT)


def test_a_better_model_is_kept_for_the_user_alone(bundled: Path, data: Path) -> None:
    found = tuned(bundled)
    assert found.kept and found.before == BEFORE and found.after == GOOD and found.learned > 5
    assert problem_of_mine(bundled) == ""
    record = read_record(mine_folder())
    assert record["after"]["reward"] == 35.0 and record["before"]["accepted"] == 20
    modes = {stat.S_IMODE(path.stat().st_mode) for path in mine_folder().iterdir()}
    assert modes == {0o600} and stat.S_IMODE(mine_folder().stat().st_mode) == 0o700
    assert [path.name for path in data.iterdir() if path.is_dir()] == ["mine"]  # nothing else of the texts stays


@pytest.mark.parametrize("after", [BEFORE, SILENT])
def test_a_tuning_that_is_not_better_changes_nothing(bundled: Path, data: Path, after: ReplayOutcome) -> None:
    tuned(bundled)
    kept = {path.name: path.read_bytes() for path in mine_folder().iterdir()}
    found = tuned(bundled, after)
    assert not found.kept and found.after == after
    assert {path.name: path.read_bytes() for path in mine_folder().iterdir()} == kept
    assert [path.name for path in data.iterdir() if path.is_dir()] == ["mine"]


@pytest.mark.slow
def test_a_second_tuning_is_compared_with_the_model_in_use(bundled: Path) -> None:
    asked: list[str] = []
    tuned(bundled, asked=asked)
    tuned(bundled, asked=asked)
    assert [name for name in asked if name in ("bundled", MINE)] == ["bundled", MINE]


@pytest.mark.slow
def test_the_real_judge_and_its_virtual_clock(bundled: Path) -> None:
    """A random model suggests nothing that a person writes."""
    found = judged(str(bundled), SESSIONS)
    assert found == judged(str(bundled), SESSIONS)
    assert found.typed_chars + found.accepted_chars == len(SESSIONS[0].edits)
    assert found.reward <= 0 or found.accepted


@pytest.mark.slow
def test_an_interrupted_tuning_continues(bundled: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def stop(what: str, part: float, detail: str) -> None:
        if what == "learning":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_mine(SESSIONS, TUNING, stop, judge(GOOD, asked=asked), bundled)
    assert (data / "mine.work" / "state").is_file() and not mine_folder().exists()
    assert stat.S_IMODE((data / "mine.work").stat().st_mode) == 0o700
    steps: list[int] = []
    step = Tuner._step

    def counted(self: Tuner, rows: Rows, factor: float) -> None:
        steps.append(self.at.step)
        step(self, rows, factor)

    monkeypatch.setattr(Tuner, "_step", counted)
    assert tuned(bundled, asked=asked).kept
    assert steps[0] == 2 and asked.count("bundled") == 1


@pytest.mark.slow
def test_tuning_opens_no_connection(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("a connection")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    assert tune_mine(SESSIONS, TUNING, bundled=bundled).before.typed_chars > 0  # with the real judge


# --- what is learned -------------------------------------------------------------------------------------------------


def test_secrets_are_not_learned() -> None:
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    plain, secret = recorded(["x = 1", "y = 2"]), recorded(["x = 1", f"token = '{key}'"], "b.py")
    found = typed([plain, secret])
    assert [each.name for each in found] == ["a.py", "a.py", "b.py"]
    assert not any(key[:12] in each.prefix + each.middle + each.suffix for each in found)


# --- finding and undoing ---------------------------------------------------------------------------------------------


def test_the_name_mine_loads_the_tuned_model_or_falls_back(bundled: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert load_model(MINE).info.name == "bundled"
    assert "train mine --sessions" in caplog.text
    before = identity(MINE)
    write_record(model_folder(mine_folder(), 2), BUNDLED, {})
    assert load_model(MINE).info.name == MINE
    assert identity(MINE) != before and identity(MINE)["model"] == MINE


@pytest.mark.slow
def test_the_worker_process_of_the_editors_loads_it() -> None:
    write_record(model_folder(mine_folder(), 2), BUNDLED, {})

    async def loaded() -> str:
        worker = WorkerModel(MINE)
        try:
            await worker.start()
            return worker.info.fingerprint
        finally:
            await worker.close()

    assert asyncio.run(loaded()) == load_model(MINE).info.fingerprint


def test_a_tuned_model_of_another_version_or_with_a_broken_record_is_not_used(bundled: Path, tmp_path: Path) -> None:
    tuned(bundled)
    assert "another version" in problem_of_mine(model_folder(tmp_path / "newer", 3))
    (mine_folder() / RECORD).write_text(json.dumps({"format": "other"}))
    assert "cannot be read" in problem_of_mine(bundled)


def test_undo_removes_the_model(bundled: Path) -> None:
    tuned(bundled)
    for expected in ("removed", "nothing to undo"):
        result = CliRunner().invoke(train_command, ["mine", "--undo"], catch_exceptions=False)
        assert result.exit_code == 0 and expected in result.output
        assert not mine_folder().exists() and "no model of your own" in problem_of_mine(bundled)


# --- bad input -------------------------------------------------------------------------------------------------------


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    for arguments in ([], ["--undo", "--sessions", str(tmp_path)]):
        assert CliRunner().invoke(train_command, ["mine", *arguments]).exit_code == 2


def test_an_unwritable_data_folder_is_one_line(bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set XDG_DATA_HOME"):
        tuned(bundled)


def test_only_one_tuning_runs_at_a_time(bundled: Path) -> None:
    def again(what: str, part: float, detail: str) -> None:
        with pytest.raises(InputError, match="running already"):
            tuned(bundled)

    assert tune_mine(SESSIONS, TUNING, again, judge(GOOD), bundled).kept


def test_the_command_prints_the_outcome(bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_session(SESSIONS[0], tmp_path / "1.jsonl")
    result = CliRunner().invoke(train_command, ["mine", "--sessions", str(tmp_path)])
    assert isinstance(result.exception, InputError) and "are needed" in str(result.exception)
    outcome = Tuned(BEFORE, GOOD, True, 12, TuningProgress(8, 60.0, 2.0, 1.5, 8))
    monkeypatch.setattr("tabspec.train.mine.tune.tune_mine", lambda *given: outcome)
    lowered: list[bool] = []
    monkeypatch.setattr("tabspec.train.commands.mine.lower_process_priority", lambda: lowered.append(True))
    monkeypatch.setattr("tabspec.train.mine.sessions.read_sessions", lambda folder: SESSIONS)
    result = CliRunner().invoke(train_command, ["mine", "--sessions", str(tmp_path)], catch_exceptions=False)
    assert "before: 100 shown, 20 accepted, 60 refused, 200 characters by Tab, reward -40" in result.output
    assert f"kept in {data_folder() / 'mine'}" in result.output and lowered == [True]
