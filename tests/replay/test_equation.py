"""Correct by equation: what is served is what the model says of the document as it is now, on real sessions.

A second copy of the bundled model, whose KV cache is emptied before each question, is asked for every suggestion that
the engine served. In float32: with rounder numbers two tokens that are equally likely can change places between a
prefill and a decode step.
"""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

import tabspec.replay
from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.postprocess import postprocess
from tabspec.engine.question import Question
from tabspec.models.load import load_model
from tabspec.models.local import LocalModel
from tabspec.models.protocol import StopRule
from tabspec.prompt.window import WindowSize
from tabspec.replay.clock import run_virtual
from tabspec.replay.latency import LatencyProfile, TimedModel
from tabspec.replay.runner import Setting, replay
from tabspec.replay.session_file import read_session
from tabspec.suggestion import Finish, GeneratedText, Suggestion

SESSIONS = Path(tabspec.replay.__file__).parent / "sessions"


@pytest.fixture(scope="module")
def models() -> tuple[LocalModel, LocalModel]:
    """The model that serves, and the one that is asked again."""
    loaded = [load_model(dtype="float32", device="cpu") for _ in range(2)]
    serving, asked = loaded
    assert isinstance(serving, LocalModel) and isinstance(asked, LocalModel)
    return serving, asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "think_ms"),
    [("python-cachetools", 300), ("josephg-rustcode.seg05", 300), ("vscode-ts-customized-tests.test.ts", 120)],
)
def test_every_suggestion_served_is_what_the_model_says_now(
    models: tuple[LocalModel, LocalModel], name: str, think_ms: float
) -> None:
    serving, asked = models
    config = EngineConfig(policy=Policy.TREE)
    checked = wrong = 0

    async def check(context: EditContext, suggestion: Suggestion) -> bool:
        nonlocal checked, wrong
        size = WindowSize(config.prefix_chars, config.suffix_chars, config.prefix_chars // 3)
        await asked.close()  # empties its KV cache
        stop = StopRule(config.max_lines, config.max_tokens, *config.doubt)
        text, finish = "", Finish.END
        async with aclosing(asked.stream(Question.of(context, size, "").request(stop))) as chunks:
            async for chunk in chunks:
                text, finish = text + chunk.text, chunk.finish or finish
        fresh = postprocess(context, GeneratedText(text.replace("\n", "\r\n") if crlf else text, finish))
        checked += 1
        # A suggestion cut by its token budget goes on where it was asked for later: then it is a beginning.
        cut = suggestion.finish is Finish.LENGTH or finish is Finish.LENGTH
        equal = isinstance(fresh, Suggestion) and (
            (fresh.text, fresh.replace_after) == (suggestion.text, suggestion.replace_after)
            or (cut and fresh.text.startswith(suggestion.text))
        )
        wrong += not equal
        return equal

    session = read_session(SESSIONS / f"{name}.jsonl.gz")
    crlf = "\r\n" in session.text
    model = TimedModel(serving, LatencyProfile(5, 0.1, 2))
    run = run_virtual(replay(session, model, Setting(config=config, think_ms=think_ms, limit=150), check=check))
    assert checked > 30, "the session must give something to check"
    assert run.stale_served == wrong == 0
    instant = run.sources["type_through"] + run.sources["speculated"] + run.sources["exact"]
    assert instant > 10, "and some of it must come from the completion cache"
