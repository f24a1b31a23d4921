"""`tabspec bench models`: a row for each model and policy, on a short session. No time of a machine is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.lab.benches import models as bench
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.models.latency import LatencyProfile
from tabspec.replay.sessions.session_file import read_session
from tests.large_package import make_package
from tests.tools import REPOSITORY

SESSION = REPOSITORY / "tabspec" / "replay" / "sessions" / "python-cachetools.jsonl.gz"
SLOW, FAST = LatencyProfile(40.0, 0.5, 2.0, "large"), LatencyProfile(10.0, 0.1, 0.5, "bundled")


@pytest.mark.slow
def test_each_model_has_a_row_for_each_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    async def paces(models: object, session: object) -> dict[str, LatencyProfile]:
        return {"bundled": FAST, "large": SLOW}

    monkeypatch.setattr(bench, "measure_paces", paces)
    out = tmp_path / "out.json"
    run = CliRunner().invoke(bench.models_command, [str(SESSION), "--limit", "40", "--json", str(out)])
    assert run.exit_code == 0, run.output
    found = json.loads(out.read_text())
    rows = found["rows"]
    assert [row["name"] for row in rows] == [
        f"{model}, {how} speculation" for model in ("bundled", "large") for how in ("without", "with")
    ]
    assert [row[0] for row in found["tables"][0]["rows"]] == [row["name"] for row in rows]
    for row in rows:
        assert row["wait_ms"]["p50"] <= row["wait_ms"]["p99"] and row["instant"] <= row["next"]
        assert (row["tokens"]["decoded_speculative"] > 0) == ("with speculation" in row["name"])
    assert rows[0]["shown"] > 0 and rows[0]["wait_ms"]["p99"] >= 10 and rows[2]["wait_ms"]["p50"] >= 40
    assert found["paces"]["large"]["decode_ms_per_token"] == 2.0


async def test_the_pace_is_that_of_the_fastest_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([FAST, SLOW, SLOW, FAST, SLOW, SLOW])

    async def measured(*_: object) -> LatencyProfile:
        return next(turns)

    monkeypatch.setattr(bench, "load_model", lambda name: ScriptedModel({}))
    monkeypatch.setattr(bench, "measured_profile", measured)
    assert await bench.measure_paces(["a", "b"], read_session(SESSION)) == {"a": FAST, "b": FAST}
