"""On real sessions, every served suggestion equals the model's answer for the document as it is now.

The first edits of three sessions with the compiled decoder, whose numbers are the same to the bit however tokens are
grouped, and of one of them in float32 (in shorter numbers, two tokens that are equally likely could change places
between a prefill and a decode step). Each night more edits of all three with both, and whole sessions;
`python -m tests.replay.equation` checks any.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import tabspec.replay
from tabspec.config import EngineConfig, Policy
from tabspec.lab.tree import TreeSpeculator
from tabspec.models.decoders.native import NativeDecoder
from tabspec.models.local.model import LocalModel
from tabspec.replay.clock import run_virtual
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session_file import read_session
from tests.replay.equation import PROFILE, Tally, check, models

SESSIONS = Path(tabspec.replay.__file__).parent / "sessions"


Pair = tuple[LocalModel, LocalModel]

THREE = [("python-cachetools", 300), ("josephg-rustcode.seg05", 300), ("vscode-ts-customized-tests.test.ts", 120)]
WHOLE = ["vscode-nes-ctor-nesWorkspaceEditTracker.ts", "josephg-sveltecomponent.seg05"]


@pytest.fixture(scope="module")
def compiled() -> Pair:
    """The model that serves, and the one that is asked again, both with the compiled decoder."""
    serving, asked = models("auto")
    if not isinstance(serving.local.decoder, NativeDecoder):
        pytest.skip(
            "the compiled decoder is not in use: install a C++ compiler, run `make native`, unset TABSPEC_NATIVE"
        )
    return serving, asked


@pytest.fixture(scope="module")
def float32() -> Pair:
    return models("float32")


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(request.param)
    return found


EITHER = pytest.mark.parametrize("pair", ["float32", "compiled"], indirect=True)


def replayed(pair: Pair, name: str, think_ms: float, limit: int | None) -> Tally:
    session = read_session(SESSIONS / f"{name}.jsonl.gz")
    setting = Setting(
        config=EngineConfig(policy=Policy.TREE),
        speculator=TreeSpeculator,
        think_ms=think_ms,
        limit=limit,
        slots=PROFILE.together,
    )
    tally = run_virtual(check(session, *pair, setting))
    assert not tally.wrong
    return tally


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pair", "name", "think_ms"),
    [("float32", *THREE[0]), *(("compiled", *each) for each in THREE)],  # float32 takes several times as long
    indirect=["pair"],
)
def test_every_served_suggestion_equals_a_fresh_answer(pair: Pair, name: str, think_ms: float) -> None:
    tally = replayed(pair, name, think_ms, 24)
    assert tally.checked > 12, "the session must give something to check"
    assert tally.cached > 0, "and some of it must come from the completion cache"


@pytest.mark.slow
@pytest.mark.nightly
@EITHER
@pytest.mark.parametrize(("name", "think_ms"), THREE)
def test_every_served_suggestion_of_a_longer_part_equals_a_fresh_answer(pair: Pair, name: str, think_ms: float) -> None:
    tally = replayed(pair, name, think_ms, 150)
    assert tally.checked > 30 and tally.cached > 10


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.timeout(3600)  # 725 edits, each answer computed once more
@pytest.mark.parametrize("name", WHOLE)
def test_every_served_suggestion_of_a_whole_session_equals_a_fresh_answer(compiled: Pair, name: str) -> None:
    tally = replayed(compiled, name, 300, None)
    # How many come from the completion cache depends on the model: in the first session some five.
    assert tally.checked > 30 and tally.cached > 2
