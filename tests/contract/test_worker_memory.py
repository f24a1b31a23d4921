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

SOURCES = (path.read_text("utf-8") for path in sorted(Path(tabspec.__file__).parent.rglob("*.py")))
LONG_SOURCES = [text for text in SOURCES if len(text) > 4_000]


# Characters before the cursor in the longest prompts, about a whole window. They need the most memory, so they come
# first.
WHOLE, WHOLE_PROMPTS = 2_300, 16


def requests(count: int, longest: int) -> list[GenerationRequest]:
    """Windows into real code: `WHOLE_PROMPTS` of about `WHOLE` characters, then ``count`` of every length up to
    ``longest``. Each length of a prompt is a shape for torch's kernels."""
    rng = random.Random(1)
    found = []
    for number in range(WHOLE_PROMPTS + count):
        text = rng.choice(LONG_SOURCES)
        size = rng.randrange(WHOLE * 9 // 10, WHOLE) if number < WHOLE_PROMPTS else rng.randrange(10, longest)
        at = rng.randrange(WHOLE, len(text))
        prefix = text[at - size : at]
        cut = canonical_cut(prefix)
        suffix = text[at : at + rng.randrange(size // 4 + 1)]
        found.append(GenerationRequest(prefix[:cut], prefix[cut:], suffix, "a.py", stop=StopRule(1, 1)))
    return found


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


# torch's kernels keep data for each shape of bfloat16 matrices; the compiled decoder has none of its own to keep.
# Most prompts are short: they make as many shapes in less time. They take one and three minutes.
@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much a process has")
@pytest.mark.parametrize(("torch_kernels", "count", "longest"), [(False, 10_000, 24), (True, 400, 200)])
async def test_the_workers_memory_is_flat(
    torch_kernels: bool, count: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch_kernels:
        monkeypatch.setenv("TABSPEC_NATIVE", "off")
    model = WorkerModel(options={"device": "cpu", "dtype": "bfloat16"})
    try:
        await model.start()
        assert model.pid
        settled = 0.0
        for number, request in enumerate(requests(count, longest), 1):
            async for _ in model.stream(request):
                pass
            if number == WHOLE_PROMPTS:
                settled = resident_mib(model.pid)
        # With 1,024 shapes in each cache, the 400 requests on torch's kernels took 137 MiB more; with 8, 5 MiB.
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
