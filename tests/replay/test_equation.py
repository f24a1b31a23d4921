"""Correct by equation: what is served is what the model says of the document as it is now, on real sessions.

The first 150 edits of three sessions, in float32 (with rounder numbers two tokens that are equally likely could change
places between a prefill and a decode step) and with the compiled decoder, whose numbers are the same to the bit however
tokens are grouped. `python -m tests.replay.equation` checks whole sessions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import tabspec.replay
from tabspec.config import EngineConfig, Policy
from tabspec.models.local import LocalModel
from tabspec.models.native import NativeDecoder
from tabspec.replay.clock import run_virtual
from tabspec.replay.runner import Setting
from tabspec.replay.session_file import read_session
from tests.replay.equation import PROFILE, check, models

SESSIONS = Path(tabspec.replay.__file__).parent / "sessions"


@pytest.fixture(scope="module", params=["float32", "auto"])
def pair(request: pytest.FixtureRequest) -> tuple[LocalModel, LocalModel]:
    """The model that serves, and the one that is asked again."""
    serving, asked = models(request.param)
    if request.param == "auto" and not isinstance(serving.local.decoder, NativeDecoder):
        pytest.skip("the compiled decoder is not installed")
    return serving, asked


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "think_ms"),
    [("python-cachetools", 300), ("josephg-rustcode.seg05", 300), ("vscode-ts-customized-tests.test.ts", 120)],
)
def test_every_suggestion_served_is_what_the_model_says_now(
    pair: tuple[LocalModel, LocalModel], name: str, think_ms: float
) -> None:
    session = read_session(SESSIONS / f"{name}.jsonl.gz")
    setting = Setting(config=EngineConfig(policy=Policy.TREE), think_ms=think_ms, limit=150, slots=PROFILE.together)
    tally = run_virtual(check(session, *pair, setting))
    assert not tally.wrong
    assert tally.checked > 30, "the session must give something to check"
    assert tally.cached > 10, "and some of it must come from the completion cache"
