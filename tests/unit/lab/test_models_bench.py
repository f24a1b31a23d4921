"""`tabspec bench models`: the figures of a model with and without speculation, on a short session."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.lab.benches.models import models_command
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
