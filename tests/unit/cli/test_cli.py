"""The command line: bad input gets one clear line and status 2, never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabspec.cli.main import run
from tests.patience import PATIENCE

HEADER = {"format": "tabspec-session", "version": 1, "text": "abc", "language": "python", "uri": "file:///a.py"}
EDIT = {"t": 0.5, "edits": [{"offset": 3, "delete": 0, "insert": "d"}]}


def session(folder: Path, *objects: object, name: str = "s.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    return path


def fails(capsys: pytest.CaptureFixture[str], arguments: list[object], says: str, status: int = 2) -> None:
    """The command ends with this status and one line on stderr that says so."""
    assert run([str(argument) for argument in arguments]) == status
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 1, told.err
    assert told.err.startswith("tabspec: ") and says in told.err
    assert "Traceback" not in told.out + told.err


def test_files_that_are_not_sessions_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, text = tmp_path / "missing.jsonl", tmp_path / "text.jsonl"
    text.write_text("once upon a time\n")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\0\1" * 100)
    fails(capsys, ["replay", missing], "no such file")
    fails(capsys, ["replay", text], "not JSON")
    fails(capsys, ["replay", binary], "not text")
    fails(capsys, ["replay", session(tmp_path, HEADER | {"version": 99})], "version")
    out_of_bounds = {"t": 0, "edits": [{"offset": 9, "delete": 0, "insert": "x"}]}
    fails(capsys, ["replay", session(tmp_path, HEADER, out_of_bounds)], "out of bounds")
    fails(capsys, ["replay", session(tmp_path, HEADER | {"text": "x" * 50_000_000}, EDIT)], "too l")
    fails(capsys, ["replay", tmp_path], "")


@pytest.mark.slow
def test_a_session_that_is_cut_off_is_replayed_up_to_the_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = "".join(json.dumps(each) + "\n" for each in (HEADER, EDIT, EDIT, EDIT)).encode()
    for name, data in (("cut.jsonl", whole[:-20]), ("cut.jsonl.gz", gzip.compress(whole)[:-12])):
        path = tmp_path / name
        path.write_bytes(data)
        out = tmp_path / "out.json"
        assert run(["replay", str(path), "--user", "type", "--policy", "cache", "--json", str(out)]) == 0
        assert "cut off" in capsys.readouterr().out
        assert any("cut off" in note for note in json.loads(out.read_text())["runs"][0]["notes"])


def test_invalid_latencies_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = session(tmp_path, HEADER, EDIT)
    file = tmp_path / "latency.json"
    profile = {"format": "tabspec-latency", "version": 1, "prefill_fixed_ms": 1, "prefill_ms_per_token": 0}
    file.write_text(json.dumps(profile | {"decode_ms_per_token": -2}))
    fails(capsys, ["replay", good, "--latency", file], "decode_ms_per_token")
    fails(capsys, ["replay", good, "--latency=-5"], "from 0")
    fails(capsys, ["replay", good, "--latency", tmp_path / "none.json"], "none.json")
    fails(capsys, ["replay", good, "--latency", "5", "--clock", "wall"], "virtual")


def test_models_that_cannot_be_used_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = tmp_path / "a.py"
    code.write_text("import os\n")
    place = ["--line", 1, "--column", 1]
    fails(capsys, ["complete", code, *place, "--model", tmp_path / "no-such-folder"], "no-such-folder")
    fails(capsys, ["complete", code, *place, "--model", tmp_path], "config.json")
    good = session(tmp_path, HEADER, EDIT)
    fails(capsys, ["replay", good, "--model", "recorded"], "no assistant was recorded")
    fails(capsys, ["replay", good, "--model", tmp_path / "no-such-folder"], "no-such-folder")


@pytest.mark.parametrize("name", ["[/x]", "[red]", "[bold]s"])
def test_doctor_prints_a_path_with_brackets_as_it_is(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert run(["doctor", "--model", str(tmp_path / name)]) == 1
    assert f"{tmp_path / name}: no such model folder" in capsys.readouterr().out


def test_invalid_files_and_positions_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, binary, large = tmp_path / "a.py", tmp_path / "b.py", tmp_path / "c.py"
    code.write_text("import os\n")
    binary.write_bytes(b"\0\1\2" * 10)
    with large.open("wb") as file:
        file.truncate(50_000_000)
    fails(capsys, ["complete", tmp_path / "none.py", "--line", 1, "--column", 1], "none.py")
    fails(capsys, ["complete", tmp_path, "--line", 1, "--column", 1], "folder")
    fails(capsys, ["complete", binary, "--line", 1, "--column", 1], "binary")
    fails(capsys, ["complete", large, "--line", 1, "--column", 1], "too many")
    fails(capsys, ["complete", code, "--line", 7, "--column", 1], "the last line is 2")
    fails(capsys, ["complete", code, "--line", 1, "--column", 99], "9 characters")
    code.write_bytes(b"caf\xe9")
    fails(capsys, ["complete", code, "--line", 1, "--column", 1], "UTF-8")


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["replay", session(tmp_path, HEADER, EDIT), "--policy", "cache", option]
    fails(capsys, [*command, tmp_path / "missing" / "out"], "there is no such folder")
    fails(capsys, [*command, tmp_path], "is a directory")
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    fails(capsys, [*command, tmp_path / "out"], "may not be written to")
    assert not (tmp_path / "out").exists()


def test_a_misspelt_command_is_no_error_while_a_shell_completes() -> None:
    shell = {**os.environ, "_TABSPEC_COMPLETE": "bash_complete", "COMP_WORDS": "tabspec repaly x", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "tabspec.cli.main"]
    shown = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (shown.returncode, shown.stdout.strip(), shown.stderr) == (0, "", "")


def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, ["fly"], "No such command")
    fails(capsys, ["complete", "--line", "x"], "")
    fails(capsys, ["replay"], "Missing argument")
    fails(capsys, ["repaly", "x"], "No such command 'repaly'. Did you mean 'replay'?")
    fails(capsys, ["sing"], "No such command 'sing'. `tabspec --help` lists them.")
    fails(capsys, ["--sing"], "No such option")
    fails(capsys, ["replay", "x", "--policy", "wild"], "wild")
    fails(capsys, ["replay", "x", "--policy", "perfect", "--users", "2"], "one user")
    assert run(["--help"]) == 0
    assert "replay" in capsys.readouterr().out


def test_importing_tabspec_imports_no_torch() -> None:
    """Nor does what a hit in the completion cache needs, nor the command line's help."""
    code = (
        "import sys, tabspec, tabspec_lsp, tabspec.engine.engine, tabspec.models.process.worker, tabspec.cli.main\n"
        "assert not {'torch', 'transformers'} & set(sys.modules), 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
