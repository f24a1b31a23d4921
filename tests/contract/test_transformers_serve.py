"""`HttpModel` against a real `transformers serve`: the same weights as in this process, in float32.

This server knows no grammar: it continues the tokens of the text that it is given. So its answers equal the model's own
where no line is in progress; within a word they may differ, as docs/guide/servers.md says of `exact=off`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tabspec.lab.baselines.ports import free_port
from tabspec.models.http import HttpModel
from tabspec.models.load import BUNDLED, load_model
from tabspec.models.local.model import LocalModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.prompt.window import canonical_cut
from tests.patience import PATIENCE
from tests.tiny import CODE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_hurry")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model, as transformers reads it."""
    out = tmp_path_factory.mktemp("bundled") / "model"
    command = [sys.executable, "-m", "tabspec", "train", "export", str(BUNDLED), "-o", str(out), "--bits", "16"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    port = free_port()
    program = Path(sys.executable).with_name("transformers")
    options = ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    log = (folder.parent / "log").open("wb")
    process = subprocess.Popen(
        [program, "serve", folder, *options], stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}?format=tabspec#{folder}"
    finally:
        process.kill()
        process.wait(10)
        log.close()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "transformers serve ended"
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=2)
        except httpx.HTTPError:
            time.sleep(0.2)  # for another process there is nothing else to wait on
        else:
            return
    raise AssertionError("transformers serve did not come up")


def question(at: int, max_tokens: int = 12) -> GenerationRequest:
    cut = canonical_cut(CODE[:at])
    return GenerationRequest(CODE[:cut], "", CODE[at:][:100], "a.py", stop=StopRule(1, max_tokens))


async def text(model: Any, asked: GenerationRequest) -> str:
    async with aclosing(model.stream(asked)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def test_greedy_answers_equal_those_of_the_model_in_this_process(url: str, folder: Path) -> None:
    local = load_model(str(folder), device="cpu", dtype="float32")
    assert isinstance(local, LocalModel)
    local.local.ngram_caches = None  # what the rest of the file says is mixed in in this process only
    model = HttpModel(url)
    told = 0
    for at in range(60, 600, 30):
        async with aclosing(local.stream(question(at))) as chunks:
            said = [chunk async for chunk in chunks]
        here, there = "".join(chunk.text for chunk in said), await text(model, question(at))
        # Behind a line end the model in this process takes the tokenizer's own tokens (rule 5): for line ends with
        # indentation those are what was written.
        assert there == here, at
        told += bool(here.strip())
    assert told >= 3, "the comparison is about something"
    await model.close()


async def test_the_usage_that_it_reports_is_in_the_answer(url: str) -> None:
    model = HttpModel(url)
    async with aclosing(model.stream(question(240, 6))) as chunks:
        got = [chunk async for chunk in chunks]
    assert got[-1].finish is not None
    assert sum(chunk.usage.decoded for chunk in got) >= 1
    await model.close()


async def test_a_closed_stream_lets_the_next_request_through(url: str) -> None:
    model = HttpModel(url)
    stream = model.stream(GenerationRequest(CODE[:200], "", "", stop=StopRule(64, 300)))
    await anext(stream)
    await stream.aclose()
    assert isinstance(await text(model, question(240)), str)
    await model.close()
