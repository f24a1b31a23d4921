"""`tabspec replay` with several values of --latency: the same session at several paces, each with its own runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabspec.cli.replay import replay_command
from tabspec.replay.models.latency import read_latency

REPOSITORY = Path(__file__).resolve().parents[2]
SESSION = REPOSITORY / "tabspec/replay/sessions/vscode-ts-customized-tests.test.ts.jsonl.gz"


def test_each_pace_is_replayed_with_each_policy(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    recorded = [str(SESSION), "--model", "recorded", "--user", "recorded", "--limit", "120", "--json", str(out)]
    paces = ["--latency", "100", "--latency", "400", "--latency", "100", "--policy", "none", "--policy", "depth1"]
    result = CliRunner().invoke(replay_command, [*recorded, *paces], standalone_mode=False)
    assert result.exception is None, result.output
    runs = json.loads(out.read_text())["runs"]
    assert [(run["latency"], run["policy"]) for run in runs] == [
        ("100 ms a suggestion", "none"),
        ("100 ms a suggestion", "depth1"),
        ("400 ms a suggestion", "none"),
        ("400 ms a suggestion", "depth1"),
    ]
    for run, pace in ((runs[0], 100), (runs[2], 400)):
        assert min(record["ms"] for record in run["timeline"] if record["source"] == "model") == pytest.approx(pace)


def test_a_single_pace_is_not_named(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    given = ["--model", "recorded", "--user", "recorded", "--limit", "30", "--latency", "100", "--json", str(out)]
    result = CliRunner().invoke(replay_command, [str(SESSION), *given], standalone_mode=False)
    assert result.exception is None, result.output
    assert json.loads(out.read_text())["runs"][0]["latency"] == ""


def test_the_demo_is_as_slow_as_the_recorded_assistant() -> None:
    """An answer of one token up to one of 50 takes what people wait for."""
    profile = read_latency(REPOSITORY / "scripts" / "assistant-latency.json")
    shortest, longest = (profile.prefill_fixed_ms + tokens * profile.decode_ms_per_token for tokens in (1, 50))
    assert 150 <= shortest <= longest <= 600
