"""VS Code (code-server) in headless Chromium: installed by the project's script, driven by vscode_driver.js."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cursor_rests import Rest, rests

from tabspec.lab.baselines.ports import free_port
from tests import tools
from tests.patience import PATIENCE
from tests.tools import REPOSITORY as ROOT

HERE = Path(__file__).resolve().parent
EXTENSION = ROOT / "editor-configs" / "vscode"
ARTIFACTS = ROOT / "build" / "artifacts" / "vscode"

# The language server is the one that the tests run with.
PYTHONPATH = os.environ.get("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'lsp'}")

SECONDS = PATIENCE
INSTALL_SECONDS = 1200.0

# The bolt in the status bar: the server runs, and VS Code knows whom to ask for suggestions.
RUNNING = '.statusbar-item[id^="tabspec.tabspec"] .codicon-zap'

_OF_MACHINE = ("tabspec.server.", "tabspec.model", "tabspec.editModel")
SETTINGS = {
    # nothing that pops up, and nothing that asks a network
    "security.workspace.trust.enabled": False,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    # text as it is typed
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.wordBasedSuggestions": "off",
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.autoIndent": "none",
    "editor.acceptSuggestionOnEnter": "off",
    "files.autoSave": "off",
    "window.title": "${rootName}",
}


class Failed(AssertionError):
    """The editor did not do what it should have done in time."""


@contextmanager
def code_server(folder: Path, also: Sequence[Path] = (), keys: Sequence[dict[str, Any]] = ()) -> Iterator[CodeServer]:
    """A running code-server with the packaged extension; all that it writes lies in ``folder``. ``also`` are other
    extensions (.vsix), ``keys`` the user's key bindings."""
    server = CodeServer(folder, also, keys)
    try:
        yield server
    finally:
        server.stop()


class CodeServer:
    """code-server on a free port of the loopback interface, the .vsix installed in it as a user would."""

    def __init__(self, folder: Path, also: Sequence[Path], keys: Sequence[dict[str, Any]]) -> None:
        self.folder = folder
        modules = tools.installed("code-server/installed").parent / "app" / "node_modules"
        self.node = tools.installed("node/bin/npm").with_name("node")
        tools.make("vsix")
        self.environment = os.environ | {
            "PATH": f"{self.node.parent}:{os.environ['PATH']}",
            "NODE_PATH": str(modules),
            "HOME": str(folder / "home"),  # the user's is not ours
        }
        (folder / "home").mkdir()
        (folder / "data" / "User").mkdir(parents=True)
        (folder / "data" / "User" / "settings.json").write_text(json.dumps(SETTINGS))
        (folder / "data" / "User" / "keybindings.json").write_text(json.dumps(keys))
        entry = str(modules / "code-server" / "out" / "node" / "entry.js")
        program = [str(self.node), entry, "--config", str(folder / "config.yaml")]
        program += ["--user-data-dir", str(folder / "data"), "--extensions-dir", str(folder / "extensions")]
        for extension in (EXTENSION / "dist" / "tabspec.vsix", *also):
            _run([*program, "--install-extension", str(extension)], self.environment)
        self.port = free_port()
        options = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}", "--disable-workspace-trust"]
        options += ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
        with (folder / "code-server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*program, *options], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.browser = self._drive()
        until(self._listens, "code-server does not listen; see code-server.log")

    def _drive(self) -> subprocess.Popen[str]:
        """A browser and what drives it."""
        return subprocess.Popen(
            [str(self.node), str(HERE / "vscode_driver.js"), _chromium()],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def open(self, url: str) -> None:
        """Load a page, in another browser if the one before has died: that test has failed, and no other is to."""
        if self.browser.poll() is not None:
            self.browser = self._drive()
        self.ask("open", url=url)

    def make(self, target: str) -> None:
        """A target of the extension's Makefile. Raises `Failed` with its output."""
        _run(["make", "--silent", "-C", str(EXTENSION), target], self.environment)

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            raise Failed(f"code-server ended:\n{(self.folder / 'code-server.log').read_text()[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End code-server and the browser, and what they have started."""
        for process in (self.browser, self.process):
            if process.stdin:
                process.stdin.close()  # the driver closes its browser, then
            else:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have the browser do something (see vscode_driver.js). Raises `Failed` with its output."""
        assert self.browser.stdin and self.browser.stdout
        self.browser.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.browser.stdin.flush()
        line = self.browser.stdout.readline()
        if not line:
            raise Failed("the browser's driver has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]


class Editor:
    """A window with one file open, and a language server that answers from a script."""

    def __init__(
        self, server: CodeServer, folder: Path, script: dict[str, Any], text: str = "", **settings: Any
    ) -> None:
        self.server, self.folder = server, folder
        self.asked = 0
        self.file, self.log = folder / "example.py", folder / "messages.jsonl"
        self.file.write_bytes(text.encode())
        self.log.touch()
        (folder / "script.json").write_text(json.dumps(script))
        lsp = [sys.executable, "-m", "tabspec_lsp.main", "--stdio", "--model", f"scripted:{folder / 'script.json'}"]
        settings.setdefault("tabspec.server.command", [sys.executable, str(HERE / "server_tee.py"), str(folder), *lsp])
        settings.setdefault("tabspec.server.environment", {"PYTHONPATH": PYTHONPATH})
        # Which program and which model are settings of the machine's: VS Code takes them from no folder.
        of_machine = {name: value for name, value in settings.items() if name.startswith(_OF_MACHINE)}
        (server.folder / "data" / "Machine").mkdir(exist_ok=True)
        (server.folder / "data" / "Machine" / "settings.json").write_text(json.dumps(of_machine))
        (folder / ".vscode").mkdir()
        (folder / ".vscode" / "settings.json").write_text(
            json.dumps({name: settings[name] for name in settings.keys() - of_machine.keys()})
        )
        payload = json.dumps([["openFile", f"vscode-remote://127.0.0.1:{server.port}{self.file}"]])
        server.open(f"http://127.0.0.1:{server.port}/?folder={quote(str(folder))}&payload={quote(payload)}")
        self.until("has", True, ".editor-instance .monaco-editor .view-lines")
        server.ask("click", selector=".editor-instance .view-lines")

    def ready(self) -> Editor:
        """Wait until the language server has the document and its model, and VS Code the server."""
        self.until_said(lambda m: m.get("method") == "textDocument/didOpen", "the document was not opened")
        self.until_status(lambda status: bool(status["model"]["state"] == "ready"))
        self.until("has", True, RUNNING)
        return self

    def type(self, text: str) -> None:
        self.server.ask("type", text=text, delay=30)  # ms: a fast typist

    def press(self, *keys: str) -> None:
        for key in keys:
            self.server.ask("press", key=key)

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self.server.ask("command", title=title)

    def open(self, name: str) -> None:
        """Open another file of the folder, as by Ctrl+P."""
        self.server.ask("file", name=name)

    def look(self, name: str, argument: Any = None) -> Any:
        return self.server.ask("look", name=name, argument=argument)

    def until(self, name: str, value: Any, argument: Any = None, seconds: float = SECONDS) -> None:
        """Wait until a look is ``value``."""
        try:
            self.server.ask("until", name=name, argument=argument, **{"is": value}, timeout=seconds * 1000)
        except Failed as error:
            self.screenshot("failed-" + self.folder.name)
            raise Failed(
                f"{name} is not {value!r} but {self.look(name, argument)!r} after {seconds:g} s ({error})"
            ) from None

    def ghost(self, text: str, seconds: float = SECONDS) -> None:
        """Wait until this, and nothing else, is shown as ghost text."""
        self.until("ghost", text, seconds=seconds)

    def document(self) -> str:
        """The text, saved and read from the disk, line ends as they are."""
        self.press("Control+s")
        self.until("has", False, ".tab.active.dirty")
        return self.file.read_bytes().decode()

    def said(self) -> list[dict[str, Any]]:
        """The messages so far between editor and server, each with ``t`` and ``from``."""
        lines = self.log.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def until_said(self, wanted: Callable[[dict[str, Any]], bool], problem: str, after: int = 0) -> dict[str, Any]:
        """Wait for a message later than the first ``after`` of them."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.extend(entry["message"] for entry in self.said()[after:] if wanted(entry["message"]))
            return bool(found)

        until(look, problem)
        return found[0]

    def until_rested(self, name: str, line: int, character: int) -> list[Rest]:
        """Wait until the last reported cursor is at this place, and return all that were reported."""
        told: list[Rest] = []

        def look() -> bool:
            told[:] = rests(self.log)
            return bool(told) and told[-1].place == (name, line, character)

        until(look, f"it was not told that the cursor rests in {name} at {line}, {character}")
        return told

    def status(self) -> dict[str, Any]:
        """The language server's status now, requested without the editor."""
        self.asked += 1
        request = {"jsonrpc": "2.0", "id": f"test {self.asked}", "method": "tabspec/status", "params": {}}
        (self.folder / "questions").write_text(json.dumps(request) + "\n")
        said = self.until_said(lambda m: m.get("id") == request["id"] and "result" in m, "no status")
        result: dict[str, Any] = said["result"]
        return result

    def server_process(self) -> int:
        """The language server's process id."""
        return int((self.folder / "pid").read_text())

    def until_cached(self, suggestions: int) -> None:
        """Wait until the completion cache holds so many, and nothing more is computed: what follows the one that is
        shown was asked ahead. (The cache holds next edits, too, so that their number alone does not say it.)"""

        def cached() -> bool:
            status = self.status()
            return status["cache"]["entries"] >= suggestions and not any(status["in_flight"].values())

        until(cached, f"no {suggestions} suggestions were asked for")

    def until_idle(self) -> None:
        """Wait until the model is asked for nothing: what was to be asked ahead is there."""
        until(lambda: not any(self.status()["in_flight"].values()), "the model is asked and asked")

    def offered(self) -> list[dict[str, Any]]:
        """The items of the last answer that had some."""
        results = [m["message"].get("result") for m in self.said() if m["from"] == "server"]
        items: list[dict[str, Any]] = [r["items"] for r in results if isinstance(r, dict) and r.get("items")][-1]
        return items

    def until_status(self, true: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the server reports the wanted status by itself."""
        self.until_said(
            lambda m: m.get("method") == "tabspec/statusChanged" and true(m["params"]),
            "the status did not become as expected",
        )

    def until_frame_says(self, selector: str, true: Callable[[list[str]], bool]) -> None:
        """Wait for the texts of elements in any frame of the page."""
        until(lambda: true(self.server.ask("frames", selector=selector)), f"no frame has such {selector}")

    def until_answered(self, after: int) -> list[str]:
        """Wait for the answer to a request for suggestions made after the first ``after`` messages: the texts offered.

        The last request made counts, as those before it may have been cancelled.
        """
        answers: list[list[str]] = []

        def look() -> bool:
            entries = [entry["message"] for entry in self.said()[after:]]
            asked = [m["id"] for m in entries if m.get("method") == "textDocument/inlineCompletion"]
            got = {m.get("id"): m["result"] for m in entries if "result" in m}
            if asked and asked[-1] in got:
                result = got[asked[-1]] or {"items": []}
                answers.append([item["insertText"] for item in result["items"]])
            return bool(answers)

        until(look, "a request for suggestions was not answered")
        return answers[0]

    def screenshot(self, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.server.ask("screenshot", path=str(ARTIFACTS / f"{name}.png"))


def until(true: Callable[[], bool], problem: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise Failed(f"{problem} (waited {seconds:g} s)")
        time.sleep(0.01)


def _run(command: list[str], environment: Any) -> None:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def _chromium() -> str:
    return os.environ.get("CHROMIUM", "/usr/bin/chromium")
