"""Speculation is computed on a thread of low priority; foreground requests are not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from tabspec.models.decoders.llama import LlamaConfig
from tabspec.models.local.batching import DecodeBatcher
from tabspec.models.local.logits import Logits
from tabspec.models.machine.low_priority import NICE, LowPriorityThread, can_use_low_priority
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tests import tiny
from tests.patience import PATIENCE
from tests.unit.decoders.test_native import FOUND, LEVELS, make

pytestmark = pytest.mark.skipif(
    not can_use_low_priority(), reason="run it on Linux: threads have no priority of their own here"
)


def nice_of(pid: int | str = "self") -> list[int]:
    """How nice each thread of a process is: the first is the main one."""
    stats = sorted(Path(f"/proc/{pid}/task").glob("*/stat"), key=lambda path: int(path.parent.name))
    return [int(path.read_text().rpartition(")")[2].split()[16]) for path in stats]


def test_work_runs_in_another_thread_of_lower_priority() -> None:
    aside, here = LowPriorityThread(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def there() -> tuple[int, int]:
        return threading.get_ident(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    thread, nice = aside.run(there)
    assert thread != threading.get_ident() and aside.run(there)[0] == thread
    assert nice == min(here + NICE, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == here


def test_errors_reach_the_caller() -> None:
    def fails() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        LowPriorityThread().run(fails)


def test_the_thread_uses_the_callers_number_of_torch_threads() -> None:
    aside, before = LowPriorityThread(), torch.get_num_threads()
    try:
        for count in (1, 2, 1):
            torch.set_num_threads(count)
            assert aside.run(torch.get_num_threads) == count
    finally:
        torch.set_num_threads(before)


class Decoder:
    """Logits are zeros."""

    context = 100

    def forward(self, kv: object, tokens: Sequence[int], want: int) -> Logits:
        return np.zeros((want, 4), np.float32)


@pytest.mark.parametrize("foreground", [False, True])
async def test_only_speculation_runs_at_low_priority(foreground: bool) -> None:
    calls = []

    def aside(function: Callable[[], Any]) -> Any:
        calls.append(function)
        return function()

    together = DecodeBatcher(Decoder())  # type: ignore[arg-type]
    together.run_low_priority = aside
    rows = await asyncio.wait_for(together.forward(None, [1, 2], 1, foreground), PATIENCE)
    assert rows.shape == (1, 4)
    assert len(calls) == (not foreground)


@pytest.mark.slow
async def test_a_worker_computes_speculation_at_low_priority_with_the_same_answers(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path, tiny.byte_level(tiny.OURS), "llama")
    worker = WorkerModel(str(folder))
    await worker.start()
    pid = worker.pid
    assert pid is not None
    here = nice_of(pid)[0]

    async def ask(foreground: bool, head: str) -> str:
        request = GenerationRequest(head, "", "", stop=StopRule(3, 20), foreground=foreground)
        async with aclosing(worker.stream(request)) as chunks:
            return "".join([chunk.text async for chunk in chunks])

    try:
        waited_for = await ask(True, "def f(x):\n    ")
        assert set(nice_of(pid)) == {here}
        assert await ask(False, "def f(x):\n    ") == waited_for
        ahead = await ask(False, "def g(y):\n    return ")
        assert {here, min(here + NICE, 19)} == set(nice_of(pid)) and nice_of(pid)[0] == here
        assert await ask(True, "def g(y):\n    return ") == ahead
    finally:
        await worker.close()


@pytest.mark.skipif(FOUND is None, reason="needs a C++ compiler: install g++ (Debian: apt-get install g++)")
def test_threads_of_the_compiled_decoder_have_low_priority_too(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path, tiny.byte_level(tiny.OURS), "llama")
    shape = LlamaConfig.of(AutoConfig.from_pretrained(folder).to_dict())
    assert shape
    decoder = make(LEVELS[0], shape, load_file(folder / "model.safetensors"))
    before, tokens, nicer = torch.get_num_threads(), list(range(1, 60)), min(nice_of()[0] + NICE, 19)
    torch.set_num_threads(2)
    try:
        already = nice_of().count(nicer)  # of other tests
        here = decoder.forward(decoder.new_kv(), tokens, 1)
        assert nice_of().count(nicer) == already
        there = LowPriorityThread().run(lambda: decoder.forward(decoder.new_kv(), tokens, 1))
        assert nice_of().count(nicer) == already + 2
        assert np.array_equal(here, there)
    finally:
        torch.set_num_threads(before)
