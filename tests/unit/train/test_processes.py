"""Training in several processes gives what one process gives, and a teacher's probabilities are learned."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console

from tabspec.cli.train import train_command
from tabspec.errors import InputError
from tabspec.train.checkpoint import NAME, RunPosition, checkpoint_weights, save_checkpoint
from tabspec.train.examples.parts import Rows, tokens_of
from tabspec.train.examples.tokenizer import load_tokenizer
from tabspec.train.journal import read_journal
from tabspec.train.network import Network, Shape
from tabspec.train.processes import TrainingProcesses
from tabspec.train.runs import RunPlan, carry_out
from tabspec.train.schedule import Budget
from tabspec.train.trainer import LOG_NAME, RunConfig, Trainer
from tabspec.train.weights.export import export_model
from tabspec.train.weights.teacher import Teacher, divergence
from tests.tools import REPOSITORY

TOKENIZER = REPOSITORY / "tabspec" / "models" / "bundled" / "tokenizer.json"
SHAPE = Shape(hidden=32, layers=2, heads=2, kv_heads=1, mlp=64, head=16, context=64)
QUIET = Console(quiet=True)
ROWS = 4


@dataclass(frozen=True, slots=True)
class RandomRows:
    """A source of random tokens, with `ROWS` rows in each chunk. Rows are filled to different lengths."""

    tokenizer: Path = TOKENIZER
    seed: int = 1
    chunks_per_epoch: int = 1_000

    def maker(self) -> RandomRows:
        return self

    def chunk(self, number: int) -> Rows:
        rng = np.random.default_rng(number)
        rows = rng.integers(300, 400, (ROWS, SHAPE.context + 1)).astype(np.uint32)
        for row in rows:
            row[rng.integers(20, SHAPE.context) :] = 0
        return rows


def config(rows: int, steps: int = 4) -> RunConfig:
    return RunConfig(SHAPE, Budget(steps=steps), rows=rows, micro_rows=ROWS, warmup=2, log_every=2, validate_every=0)


def train_a_share(out: Path) -> None:
    """What a process of the test below does."""
    atexit.register(fail_with_threads_left)  # called after what is registered later
    torch.set_num_threads(1)
    processes, _ = TrainingProcesses.join("cpu")
    Trainer(config(ROWS), RandomRows(), out, processes=processes).train(None, QUIET)


def fail_with_threads_left() -> None:
    """Fail if gloo's threads outlive the processes' group: they may abort the process."""
    left = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    if any("gloo" in name for name in left):
        print(f"threads are left: {left}", file=sys.stderr, flush=True)
        os._exit(1)


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    program = "from tests.unit.train.test_processes import train_a_share as train\nfrom pathlib import Path\n"
    (tmp_path / "share.py").write_text(f"{program}train(Path({str(tmp_path / 'two')!r}))\n")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        tmp_path / "share.py",
    ]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    Trainer(config(2 * ROWS), RandomRows(), tmp_path / "one").train(None, QUIET)

    one, two = (checkpoint_weights(tmp_path / name / NAME)[0] for name in ("one", "two"))
    start = Network(SHAPE).state_dict()
    for name, weight in one.items():
        assert torch.allclose(weight, two[name], atol=2e-4), name
        assert not torch.allclose(weight, start[name], atol=2e-3), name
    logs = [read_journal(tmp_path / name / LOG_NAME) for name in ("one", "two")]
    assert [record.tokens for record in logs[0]] == [record.tokens for record in logs[1]]
    assert [record.loss for record in logs[0]] == pytest.approx([record.loss for record in logs[1]], rel=1e-3)


def test_a_run_of_two_processes_is_not_resumed_by_one(tmp_path: Path) -> None:
    two = Trainer(config(ROWS), RandomRows(), tmp_path, processes=TrainingProcesses(0, 2))
    two.save()
    for count in (1, 3):
        with pytest.raises(InputError, match=f"processes = 2, this run has {count}"):
            Trainer(config(ROWS), RandomRows(), tmp_path, processes=TrainingProcesses(0, count))


def test_a_checkpoint_of_one_process_need_not_say_so(tmp_path: Path) -> None:
    run = config(ROWS).must_agree(RandomRows())
    save_checkpoint(tmp_path / NAME, Network(SHAPE).state_dict(), {}, RunPosition(step=3), run)
    assert Trainer(config(ROWS), RandomRows(), tmp_path).at.step == 3
    with pytest.raises(InputError, match="processes = 1, this run has 2"):
        Trainer(config(ROWS), RandomRows(), tmp_path, processes=TrainingProcesses(0, 2))


def test_several_processes_need_what_they_cannot_make_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ended = CliRunner().invoke(train_command, ["run", "--code", str(tmp_path), "--steps", "1", "--out", str(tmp_path)])
    assert ended.exit_code == 2
    assert "several processes need --corpus" in ended.output


def test_rows_are_shared_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingProcesses, "join", lambda device: (TrainingProcesses(0, 3), device))
    with pytest.raises(InputError, match="multiple of the 3 processes"):
        carry_out(RunPlan(tmp_path, tmp_path, Budget(steps=1), tokenizer=TOKENIZER, device="cpu", rows=4), QUIET)


def sure_network(seed: int, hidden: int = SHAPE.hidden) -> Network:
    """A network whose probabilities differ from token to token."""
    torch.manual_seed(seed)
    network = Network(replace(SHAPE, hidden=hidden))
    with torch.no_grad():
        network.model.embed_tokens.weight.mul_(20)
    return network


def teacher(folder: Path) -> Path:
    network = sure_network(5, hidden=48)
    export_model(network.state_dict(), network.shape, TOKENIZER, folder)
    return folder


def test_the_loss_is_the_texts_and_the_teachers_in_their_shares(tmp_path: Path) -> None:
    large = Teacher(teacher(tmp_path / "teacher"), TOKENIZER, "cpu", compile=False)
    network = sure_network(6)
    rows = RandomRows().chunk(0)
    ids, targets = (
        torch.from_numpy(part.astype(np.int64)) for part in (tokens_of(rows)[:, :-1], tokens_of(rows)[:, 1:])
    )
    counted = targets.flatten() != 0
    with torch.no_grad():
        logits, taught = (each(ids).flatten(0, 1)[counted] for each in (network, large.network))
        text = torch.nn.functional.cross_entropy(logits, targets.flatten()[counted])
        expected = [float(text), float(divergence(logits, taught).mean())]
    assert abs(expected[0] - expected[1]) > 0.1
    for share in (0.0, 0.25, 1.0):
        trainer = Trainer(
            replace(config(ROWS), teacher_share=share), RandomRows(), tmp_path, network.state_dict(), large
        )
        found, _ = trainer._step(rows, 0.0)
        assert float(found) == pytest.approx((1 - share) * expected[0] + share * expected[1], rel=2e-3)  # bfloat16


def test_one_that_states_what_the_teacher_states_learns_nothing() -> None:
    logits = torch.randn(4, 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(divergence(logits, logits.detach()).sum(), logits)
    assert torch.allclose(gradient, torch.zeros_like(gradient), atol=1e-6)


def test_divergence_is_the_cross_entropy_where_a_token_is_excluded() -> None:
    torch.manual_seed(0)
    logits, taught = torch.randn(5, 7, requires_grad=True), torch.randn(5, 7)
    excluded = torch.zeros(5, 7, dtype=torch.bool)
    excluded[:, 3] = True
    found = divergence(logits.masked_fill(excluded, -torch.inf), taught.masked_fill(excluded, -torch.inf))
    rest = [0, 1, 2, 4, 5, 6]
    expected = torch.nn.functional.cross_entropy(logits[:, rest], taught[:, rest].softmax(1), reduction="none")
    assert torch.allclose(found, expected, atol=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient.isfinite().all()


def test_a_teacher_of_a_shorter_context_is_refused(tmp_path: Path) -> None:
    large = Teacher(teacher(tmp_path / "teacher"), TOKENIZER, "cpu", compile=False)
    longer = replace(config(ROWS), shape=replace(SHAPE, context=128))
    with pytest.raises(InputError, match="--context 64 or less"):
        Trainer(longer, RandomRows(), tmp_path, None, large)


def test_a_teacher_of_other_tokens_is_refused(tmp_path: Path) -> None:
    folder = teacher(tmp_path / "teacher")
    tokenizer = load_tokenizer(TOKENIZER)
    tokenizer.add_tokens(["another"])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(InputError, match="other tokens"):
        Teacher(folder, TOKENIZER, "cpu", compile=False)
