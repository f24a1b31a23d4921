"""A folder that is opened runs none of its code, whatever lies in it and whatever PYTHONPATH says: workers, daemon,
command line, Ray's workers, and what libraries start by themselves."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tabspec.config import DaemonMode
from tabspec.lab.baselines.ports import free_port
from tabspec.models.daemon.client import ask
from tabspec.models.daemon.place import find
from tabspec.models.daemon.shared import SharedModel
from tabspec.models.files.hub import absolute
from tabspec.models.process.worker import WorkerModel
from tabspec.models.protocol import GenerationRequest, StopRule
from tabspec.system import processes
from tests import tiny
from tests.patience import PATIENCE
from tests.planted import CODE, plant, ran
from tests.ray_cluster import SETTINGS

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent

ASKED = GenerationRequest(tiny.CODE[:40], "", tiny.CODE[40:], "a.py", stop=StopRule(3, 8))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def marker(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace is the working directory; nothing of it has run in the end."""
    marker = plant(workspace)
    monkeypatch.chdir(workspace)
    yield marker
    assert ran(marker) == []


def directory_of(pid: int | None) -> str:
    return str(Path(f"/proc/{pid}/cwd").readlink())


def test_planted_modules_are_run_by_an_unguarded_process(workspace: Path) -> None:
    """Else the tests below would show nothing."""
    marker = plant(workspace)
    code = "import queue, torch"
    subprocess.run([sys.executable, "-c", code], cwd=workspace, check=False, timeout=PATIENCE)
    assert "torch" in ran(marker) and "queue" in ran(marker)


def python_paths(workspace: Path) -> list[str]:
    return ["", ".", os.pathsep + str(ROOT), str(workspace), os.pathsep.join([str(workspace), str(ROOT)])]


@pytest.mark.parametrize("number", range(5))
def test_children_get_no_path_of_the_workspace(number: int, workspace: Path) -> None:
    given = python_paths(workspace)[number]
    kept = processes.environment({"PYTHONPATH": given}).get("PYTHONPATH")
    assert kept == (str(ROOT) if str(ROOT) in given else None)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 4])
async def test_the_worker_runs_no_planted_code(
    number: int, workspace: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", python_paths(workspace)[number])
    monkeypatch.setenv("PYTHONSTARTUP", str(workspace / "queue.py"))
    model = tiny.save_model(workspace / "models" / "mine", tiny.byte_level(tiny.OURS))
    worker = WorkerModel("models/mine", threads=1)  # as a user writes it: seen from the workspace
    try:
        assert (await worker.start()).context_tokens
        assert [chunk async for chunk in worker.stream(ASKED)]
        assert directory_of(worker.pid) == processes.FOLDER
    finally:
        await worker.close()
    assert absolute("models/mine") == str(model)


@pytest.mark.slow
async def test_the_daemon_runs_no_planted_code(workspace: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(workspace))
    tiny.save_model(workspace / "mine", tiny.byte_level(tiny.OURS))
    with tempfile.TemporaryDirectory(prefix="ts-") as base:
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        model = SharedModel("mine", mode=DaemonMode.START, threads=1)
        try:
            await model.start()
            assert model.shared
            assert [chunk async for chunk in model.stream(ASKED)]
            told = await ask(find(), "status")
            assert told and directory_of(told["pid"]) == processes.FOLDER
        finally:
            await model.close()
            await ask(find(), "stop")


@pytest.mark.slow
@pytest.mark.parametrize("command", [[str(SCRIPTS / "tabspec")], processes.python("tabspec")])
def test_the_command_line_runs_no_planted_code(
    command: list[str], marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(marker.parent))
    place = ["complete", "area.py", "--line", "2", "--column", str(len(CODE.splitlines()[1]) + 1)]
    done = subprocess.run([*command, *place], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "height")


def test_processes_started_by_libraries_run_no_planted_code(workspace: Path, marker: Path) -> None:
    """As training reads a corpus: multiprocessing starts Python with the working directory on its path."""
    entry = workspace.parent / "entry" / "program.py"
    entry.parent.mkdir()
    entry.write_text(
        "from tabspec.system import processes\n"
        "if __name__ == '__main__':\n"
        "    processes.guard()\n"
        "    import multiprocessing\n"
        "    child = multiprocessing.get_context('spawn').Process(target=print, args=('started',))\n"
        "    child.start()\n"
        "    child.join()\n"
    )
    done = subprocess.run([sys.executable, str(entry)], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == "started\n"


@pytest.mark.slow
def test_the_cluster_runs_no_planted_code(workspace: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "script.json").write_text(json.dumps({"any": True}))
    port = free_port()
    command = [str(SCRIPTS / "tabspec"), "cluster", "serve", "--model", "scripted:script.json", "--port", str(port)]
    environment = os.environ | SETTINGS | {"PYTHONPATH": ""}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout and "serving" in process.stdout.readline()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/completions",
            json={"prompt": "def f(", "suffix": "", "max_tokens": 8},
            timeout=PATIENCE,
        )
        assert answer.status_code == 200 and answer.json()["choices"][0]["text"]
        logs = [log for log in Path("/tmp/ray").glob(f"session_*_{process.pid}/logs/**/*") if log.is_file()]
        assert logs and not any(log.stat().st_mode & 0o077 for log in logs), "others can read them"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


# --- one function for all ---------------------------------------------------------------------------------------------

STARTS = {"Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell"}
STARTS |= {"system", "popen", "fork", "execv", "execve", "execvp", "execvpe", "execl", "spawnv", "posix_spawn"}
# Git has an environment of its own, which its own tests are about.
ELSEWHERE = {"tabspec/system/processes.py", "tabspec/lab/converters/git_command.py"}


def test_every_process_is_started_in_one_module() -> None:
    found = []
    for path in sorted([*ROOT.glob("tabspec/**/*.py"), *ROOT.glob("lsp/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Attribute) or called.attr not in STARTS:
                continue
            of = ast.unparse(called.value)
            if of in ("subprocess", "os") or (of == "asyncio" and called.attr != "run"):
                found.append(path.relative_to(ROOT).as_posix())
    assert set(found) - ELSEWHERE == set()
    assert "tabspec/system/processes.py" in found


@pytest.mark.parametrize("kept", [False, True])
def test_children_get_a_safe_environment(kept: bool) -> None:
    given = {"PATH": "/bin", "PYTHONHOME": "/w", "PYTHONSTARTUP": "/w/x.py", "PYTHONUTF8": "1", "PYTHONPATH": "/w:."}
    given["PYTHONPATH"] += f"{os.pathsep}{ROOT}" if kept else ""
    expected = {"PATH": "/bin", "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1"}
    assert processes.environment(given) == expected | ({"PYTHONPATH": str(ROOT)} if kept else {})


def test_model_names_are_made_absolute_for_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "here").mkdir(parents=True)
    for name in (None, "", "bundled", "mine", "owner/elsewhere", "http://h:1/v1?api=infill#m", "/a/b"):
        assert absolute(name) == name
    assert absolute("owner/here") == f"{tmp_path}/owner/here"
    assert absolute("other") == absolute("./other") == f"{tmp_path}/other"
    assert absolute("./mine") == f"{tmp_path}/mine"
    assert absolute("scripted:a/b.json") == f"scripted:{tmp_path}/a/b.json"
    assert absolute("http://h:1?tokenizer=a%20b&slots=1#m") == f"http://h:1?tokenizer={tmp_path}/a%20b&slots=1#m"


def test_a_program_that_cannot_be_started_is_an_oserror() -> None:
    with pytest.raises(OSError):
        asyncio.run(processes.open_process(["/nowhere/program"]))
