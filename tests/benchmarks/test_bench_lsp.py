"""The measurement runs and measures what it says; how fast things are is for people to read, not for a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabspec.cli.main import run


@pytest.mark.slow
def test_bench_lsp(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{root / 'lsp'}")
    out = tmp_path / "lsp.json"
    assert run(["bench", "lsp", "--rounds", "12", "--starts", "1", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["format"] == "tabspec-bench-lsp"
    assert result["initialize"]["bare"] > 0
    asked, not_asked = result["speculation"], result["no_speculation"]
    # The same session, so that only asking ahead differs: without it no Tab is answered at once.
    assert asked["tab"]["count"] == not_asked["tab"]["count"] > 3
    assert not_asked["instant_tab_rate"] == 0
    assert asked["instant_tab_rate"] > 0
    assert not_asked["sources"]["speculated"] == 0
    assert not_asked["sources"]["type_through"] > 0
    assert "bare pygls server" in capsys.readouterr().out
