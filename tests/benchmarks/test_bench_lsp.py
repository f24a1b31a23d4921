"""`tabspec bench lsp` runs and reports all of its figures. No speed is asserted."""

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
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"any": True, "prefill_s": 0.01, "token_s": 0.002}))
    model = f"scripted:{script}"
    assert run(["bench", "lsp", "--rounds", "12", "--starts", "1", "--model", model, "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["format"] == "tabspec-bench-lsp"
    assert result["initialize"]["bare"] > 0
    assert result["bare_reply"]["after_a_pause"]["count"] == 12
    asked, not_asked = (result["models"]["scripted"][name] for name in ("speculation", "no_speculation"))
    assert result["models"]["scripted"]["speculation_at_once"]["instant_tab_rate"] > 0
    # Without speculation no Tab is answered at once, and only foreground requests are decoded.
    assert asked["tab"]["count"] > 3 and not_asked["tab"]["count"] > 3
    assert not_asked["instant_tab_rate"] == 0 and not_asked["hit_while_decoding"]["count"] == 0
    assert asked["instant_tab_rate"] > 0
    assert not_asked["sources"]["speculated"] == 0
    assert not_asked["sources"]["type_through"] > 0
    assert asked["memory"] > 20
    assert asked["first_cold"] > asked["first_warm"] > 10
    assert "bare pygls server" in capsys.readouterr().out
