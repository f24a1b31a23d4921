"""The memory of a process with the bundled model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tabspec.models.machine.memory import trim_heap
from tests.patience import PATIENCE

ASK = """
import asyncio
from pathlib import Path
from tabspec.models.load import load_model
from tabspec.models.protocol import GenerationRequest

async def main():
    model = load_model("bundled")
    for line in range(5):
        request = GenerationRequest("x = 1\\n" * (300 + line), "\\ndef f", "\\n" + "y = 2\\n" * 90)
        async for chunk in model.stream(request):
            pass

asyncio.run(main())
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def test_trimming_the_heap_raises_nothing() -> None:
    trim_heap()


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="run it on Linux, which reports how much memory a process has"
)
def test_the_bundled_model_takes_less_than_500_mb() -> None:
    """The project's limit, in a separate process, with a full window in each of the KV cache's slots."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500 * 1024
