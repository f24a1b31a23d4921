"""`tabspec bench models`: the figures of a model with and without speculation, on a short session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.lab.benches.models import models_command
from tabspec.models.load import BUNDLED
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay import jobs
from tabspec.replay.jobs import Job
from tabspec.replay.models.latency import parse_latency, read_latency
from tabspec.replay.models.timed_edits import TimedEdits
from tabspec.replay.results.result import Run
from tabspec.replay.runner import Setting
from tabspec.replay.sessions.session_file import read_session
from tests.tools import REPOSITORY

SESSION = REPOSITORY / "tabspec" / "replay" / "sessions" / "python-cachetools.jsonl.gz"


@pytest.mark.slow
def test_one_model_has_a_row_for_each_kind_of_speculation(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = [str(SESSION), "--model", "bundled", "--limit", "40", "--no-edits", "--json", str(out)]
    run = CliRunner().invoke(models_command, arguments, catch_exceptions=False)
    assert run.exit_code == 0 and "bundled" in run.output
    found = json.loads(out.read_text())
    assert found["format"] == "tabspec-bench-models"
    assert [(row["model"], row["speculation"]) for row in found["rows"]] == [
        ("bundled", "without"),
        ("bundled", "with"),
    ]
    pace = found["paces"]["bundled"]
    assert pace["format"] == "tabspec-latency" and pace["decode_ms_per_token"] > 0
    for row in found["rows"]:
        assert row["wait_ms"]["p50"] <= row["wait_ms"]["p99"] and row["shown"] > 0
        assert 0 <= row["characters"] <= 1 and row["next"] <= row["tabs"]
    assert found["rows"][0]["tokens"]["decoded_speculative"] == 0


@pytest.mark.parametrize(
    ("model", "edit_model", "own"), [("at", "at", True), ("at", "bundled", False), ("bundled", "bundled", False)]
)
async def test_a_model_that_writes_edits_itself_does_so_at_its_own_pace(
    model: str, edit_model: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[Job] = []

    def scripted(name: str) -> ScriptedModel:
        return ScriptedModel(lambda request: "")

    async def play(given: Sequence[Job], model_for: object) -> list[Run]:
        played.extend(given)
        return []

    for name, instead in (("load_model", scripted), ("load_edits_alone", scripted), ("_play", play)):
        monkeypatch.setattr(jobs, name, instead)
    session = read_session(SESSION)
    await jobs.play_timed([Job(session, Setting(), pace) for pace in ("150", "150", None)], model, edit_model)
    writers = [job.setting.writer for job in played]
    profiles = [writer._profile for writer in writers if isinstance(writer, TimedEdits)]
    bundled = read_latency(BUNDLED / "latency.json")
    assert profiles == [*[parse_latency("150") if own else bundled] * 2, bundled]
    assert writers[0] is writers[1], "an answer takes as long in all policies as the first time"
