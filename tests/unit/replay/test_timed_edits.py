"""An edit model in a replay: its time, and that it answers the same request once."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from tabspec.cli.main import tabspec
from tabspec.replay.clock import run_virtual
from tabspec.replay.models.latency import LatencyProfile
from tabspec.replay.models.timed_edits import TimedEdits
from tests.edit_requests import NEW, REQUEST
from tests.scripted_edit_model import ScriptedEditModel


def test_an_answer_takes_the_time_of_its_tokens_and_is_computed_once() -> None:
    async def scenario() -> None:
        model = ScriptedEditModel(lambda request: NEW)  # one prompt token, and one that is decoded
        timed = TimedEdits(model, LatencyProfile(10.0, 2.0, 30.0))
        now = asyncio.get_running_loop().time
        for turn in (1, 2):
            answer = await timed.edit(REQUEST)
            assert answer.change is not None and answer.change.apply(REQUEST.region) == NEW
            assert now() == pytest.approx(turn * 0.042)
        assert len(model.requests) == 1 and timed.region == model.region and timed.info == model.info

    run_virtual(scenario())


def test_where_it_cannot_be_used_there_is_one_line() -> None:
    session = "tabspec/replay/sessions/python-cachetools.jsonl.gz"
    for more in ([], ["--edits", "--model", "recorded"], ["--edits", "--clock", "wall"]):
        ran = CliRunner().invoke(tabspec, ["replay", session, "--edit-model", "bundled", *more])
        assert "--edit-model needs --edits" in str(ran.exception)
