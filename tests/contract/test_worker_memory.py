"""The worker's memory stays flat, however many different prompts it has seen."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

import tabspec
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut

SOURCES = [path.read_text("utf-8") for path in sorted(Path(tabspec.__file__).parent.rglob("*.py"))]


def requests(count: int, longest: int) -> list[GenerationRequest]:
    """Windows into real code, of every length up to ``longest`` characters, and one of 400 up to a whole one: each
    length of a prompt is a shape for torch's kernels."""
    rng = random.Random(1)
    found = []
    for _ in range(count):
        text = rng.choice(SOURCES)
        at = rng.randrange(len(text) + 1)
        size = rng.randrange(10, 2300 if rng.random() < 1 / 400 else longest)
        prefix = text[max(at - size, 0) : at]
        cut = canonical_cut(prefix)
        stop = StopRule(1, 1)
        suffix = text[at : at + rng.randrange(size // 4 + 1)]
        found.append(GenerationRequest(prefix[:cut], prefix[cut:], suffix, "a.py", stop=stop))
    return found


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


# "float32" runs on torch's kernels, whose caches of shapes grew; "auto" on the compiled decoder, where it is installed.
# Most prompts are short: they make as many shapes in less time. Both take two to three minutes.
@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much a process has")
@pytest.mark.parametrize(
    ("dtype", "settles", "count", "longest"), [("auto", 5_000, 20_000, 24), ("float32", 75, 1_500, 200)]
)
async def test_the_workers_memory_is_flat(dtype: str, settles: int, count: int, longest: int) -> None:
    model = WorkerModel(options={"device": "cpu", "dtype": dtype})
    try:
        await model.start()
        assert model.pid
        settled = 0.0
        for number, request in enumerate(requests(count, longest), 1):
            async for _ in model.stream(request):
                pass
            if number == settles:
                settled = resident_mib(model.pid)
        # The cause found grew by 260 MiB in the first 6,000 requests, and by 6 KiB with each of the next 54,000, which
        # would be 90 MiB here; a heap that is torn breathes by some 20.
        assert resident_mib(model.pid) < settled + 40
    finally:
        await model.close()


async def test_the_shape_caches_are_capped_before_torch_loads() -> None:
    """Without a look at the whole process's growth: what the kernels read is set in the worker's environment."""
    command = (
        sys.executable,
        "-c",
        "import os, sys\n"
        "import tabspec.models.process.worker_main as w\n"
        "from tabspec.errors import ModelNotUsable\n"
        "def load(*_, **__):\n"
        "    seen = [os.environ.get(name) for name in ('LRU_CACHE_CAPACITY', 'ONEDNN_PRIMITIVE_CACHE_CAPACITY')]\n"
        "    raise ModelNotUsable(f\"{seen} {'torch' in sys.modules}\")\n"
        "w.load_model = load\n"
        "w.main()\n",
    )
    from tabspec.errors import ModelNotUsable

    model = WorkerModel(command=command)
    try:
        with pytest.raises(ModelNotUsable, match=r"\['8', '8'\] False"):
            await model.start()
    finally:
        await model.close()
