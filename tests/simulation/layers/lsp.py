"""The language server above it all: a real `TabspecServer` and `HttpModel`, an editor in memory, and a model server
that fails (`web.py`), while settings and ignore rules change.

What must hold: no text of a file that ignore rules name leaves, nothing leaves while suggestions are off, no secret
leaves; every request is answered in time; and when all documents are closed nothing is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from tabspec_lsp.options import Options
from tabspec_lsp.server import TabspecServer
from tabspec_lsp.state import imports, workspace

from tabspec.config import DaemonMode
from tabspec.models.http.model import HttpModel
from tabspec.models.protocol import Model

from .editor import Editor
from .held import held
from .http import ADDRESS
from .layer import Layer
from .web import KINDS, Manner, Reached, WebServer

NAMES = ("a.py", "b.py", "c.py", "d.py")
# A request waits for the server's first byte (10 s) or the next one (5 s), after asking what it is (3 s); and for a
# stream that ends before it.
ANSWER_S = 25.0
# What was sent is read, and rules are in force, in the next turns of the loop.
SOON_S = 0.05
# Without answers of two minutes: `http.py` has them.
MANNERS = [manner for manner in Manner if manner not in (Manner.EMPTY, Manner.ENDLESS)]
SETTINGS: tuple[dict[str, Any], ...] = (
    {"policy": "none"},
    {"policy": "tree", "depth": 2},
    {"policy": "adaptive"},
    {"relatedChars": 0},
    {"relatedChars": 2000},
    {"maxLines": 2},
    {"maxLines": "many"},
    {"prefixChars": 100},
    {"unknown": 1},
)


async def _at_once(function: Callable[..., Any], *arguments: object) -> Any:
    """In place of a thread, which would come back at another turn of the loop in each run."""
    await asyncio.sleep(0)
    return function(*arguments)


class LspLayer(Layer):
    """One editor, four files, and a language server."""

    name = "lsp"

    def __init__(self, seed: int, note: Callable[[str], None] | None = None) -> None:
        super().__init__(seed, note)
        for module, name in ((asyncio, "to_thread"), (imports, "in_thread"), (workspace, "in_thread")):
            self.around.enter_context(patch.object(module, name, _at_once, create=True))
        self.folder = Path(self.around.enter_context(TemporaryDirectory()))
        weights = {manner: self.random.choice((0.0, 1.0)) for manner in MANNERS} | {Manner.WELL: 30.0}
        server = Random(f"server {seed}")
        self.web = WebServer(server, self.random.choice(KINDS), 0.01, weights, self._reached)
        self.texts = {name: f"# request {i}: {self._word()} of {name}\nx = 1\n" for i, name in enumerate(NAMES)}
        self.marks = {name: text.split()[3].encode() for name, text in self.texts.items()}
        self.secret: bytes | None = None
        self.open: dict[str, int] = {}  # versions
        self.pending: dict[int, float] = {}  # requests, and for how long they wait
        self.ignored: dict[str, float] = {}  # since when, at the latest
        self.off_since: float | None = None
        self.settings: dict[str, Any] = {}

    def _word(self) -> str:
        return "mark" + "".join(self.random.choices("abcdefghijklmnopqrst", k=12))

    async def begin(self) -> None:
        logging.getLogger("tabspec_lsp").setLevel(logging.CRITICAL)  # problems that are sought here
        self.lsp = TabspecServer(Options().updated({"model": ADDRESS, "relatedChars": 2000})[0], None, self._open_model)
        self.editor = Editor(self.lsp, self._answered)
        capabilities = {"textDocument": {"inlineCompletion": {}}}
        root = self.folder.as_uri()
        folders = [{"uri": root, "name": "project"}]
        self.editor.request("initialize", {"capabilities": capabilities, "rootUri": root, "workspaceFolders": folders})
        self.editor.notify("initialized", {})
        await self.wait(1)
        self._open("a.py")
        self._ask("a.py")
        await self.wait(ANSWER_S)
        self._close("a.py")
        await self.wait(ANSWER_S)
        self.empty = self._kept()

    async def _open_model(self, spec: str, report: object, daemon: DaemonMode = DaemonMode.AUTO) -> Model:
        return HttpModel(ADDRESS, key="", transport=self.web)

    # --- events -----------------------------------------------------------------------------------------------------

    def pause(self) -> float:
        return self.random.choice((0.0, 0.05, 0.3, 2.0))

    def act(self) -> None:
        dice, name = self.random.random(), self.random.choice(NAMES)
        if name not in self.open:
            self._open(name)
        if dice < 0.6:
            self._type(name)
            self._ask(name)
        elif dice < 0.7:
            self._rules()
        elif dice < 0.8:
            self._configure()
        elif dice < 0.87:
            self._close(name)
        elif dice < 0.94:
            self._hostile()
        else:
            self.web.down = not self.web.down
            self.say("down" if self.web.down else "up")

    def _uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def _open(self, name: str) -> None:
        self.say("open", name)
        self.open[name] = 1
        document = {"uri": self._uri(name), "languageId": "python", "version": 1, "text": self.texts[name]}
        self.editor.notify("textDocument/didOpen", {"textDocument": document})

    def _close(self, name: str) -> None:
        self.say("close", name)
        if self.open.pop(name, None):
            self.editor.notify("textDocument/didClose", {"textDocument": {"uri": self._uri(name)}})

    def _type(self, name: str) -> None:
        head, _, rest = self.texts[name].partition("\n")
        self.texts[name] = f"{head}\n{(rest + self.random.choice(('a', ' = ', '0;', 'def f():')))[-200:]}"
        self.open[name] += 1
        changed = {"uri": self._uri(name), "version": self.open[name]}
        self.editor.notify(
            "textDocument/didChange", {"textDocument": changed, "contentChanges": [{"text": self.texts[name]}]}
        )

    def _ask(self, name: str) -> None:
        lines = self.texts[name].split("\n")
        self.requests += 1
        self.say("ask", name)
        number = self.editor.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri(name)},
                "position": {"line": len(lines) - 1, "character": len(lines[-1])},
                "context": {"triggerKind": self.random.choice((1, 2))},
            },
        )
        self.pending[number] = 0.0
        if self.random.random() < 0.1:
            self.editor.notify("$/cancelRequest", {"id": number})

    def _rules(self) -> None:
        """The ignore rules name other files from now on."""
        named = [name for name in NAMES[1:] if self.random.random() < 0.4]
        self.say("ignored", named)
        self.counts["rules"] += 1
        (self.folder / ".tabspecignore").write_text("\n".join(named))
        uri = (self.folder / ".tabspecignore").as_uri()
        self.editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 2}]})
        now = self.loop.time()
        self.ignored = {name: self.ignored.get(name, now + SOON_S) for name in named}

    def _configure(self) -> None:
        if self.random.random() < 0.4:
            self.settings |= self.random.choice(SETTINGS)
        self.settings |= {"enabled": self.random.random() < 0.7}
        self.say("settings", self.settings)
        self.counts["settings"] += 1
        self.editor.notify("workspace/didChangeConfiguration", {"settings": {"tabspec": self.settings}})
        off = not self.settings["enabled"]
        self.off_since = (self.off_since or self.loop.time() + SOON_S) if off else None

    def _hostile(self) -> None:
        """Messages that mean no good."""
        method, params = self.random.choice(
            (
                ("$/cancelRequest", {"id": []}),
                ("$/cancelRequest", {"id": 1 << 80}),
                (
                    "textDocument/didChange",
                    {"textDocument": {"uri": self._uri("z.py"), "version": 3}, "contentChanges": []},
                ),
                ("textDocument/didClose", {"textDocument": {"uri": self._uri("z.py")}}),
                ("tabspec/cursorRested", {"uri": 1, "position": []}),
                ("textDocument/didShowCompletion", {"item": {"command": {"arguments": [{}]}}}),
            )
        )
        self.say("hostile", method)
        self.counts[method] += 1
        self.editor.notify(method, params)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _answered(self, number: int, answer: dict[str, Any]) -> None:
        if self.pending.pop(number, None) is not None:
            items = (answer.get("result") or {}).get("items")
            self.counts["offered" if items else "cancelled" if "error" in answer else "nothing"] += 1
            self.say("answer", number, items and [item["insertText"] for item in items])

    def _reached(self, reached: Reached) -> None:
        try:
            self._may_leave(reached)
        except AssertionError as violation:
            self.fail(violation)

    def _may_leave(self, reached: Reached) -> None:
        self.say(reached.method, reached.number)
        self.require(reached.url.startswith(ADDRESS), f"a request goes to {reached.url}")
        for name, since in self.ignored.items():
            named = self.marks[name] in reached.content or name.encode() in reached.content
            self.require(not (named and reached.at >= since), f"text of {name} leaves, which rules name")
        off = self.off_since is not None and reached.at >= self.off_since and reached.number >= 0
        self.require(not off, "text leaves while suggestions are off")

    def watch(self, seconds: float) -> None:
        for number in self.pending:
            self.pending[number] += seconds
            waited = self.pending[number]
            self.require(waited <= ANSWER_S + seconds, f"request {number} has had no answer for {waited:.1f} s")
        self.require(not self.editor.serving.done(), "the language server has ended")

    async def recover(self) -> None:
        self.web.down, self.web.weights = False, {Manner.WELL: 1.0}
        self.settings = {"enabled": True, "policy": "adaptive", "maxLines": None, "prefixChars": None}
        self.off_since = None
        self.editor.notify("workspace/didChangeConfiguration", {"settings": {"tabspec": self.settings}})
        await self.until(lambda: not self.pending, 2 * ANSWER_S, "not every request was answered")
        await self.wait(61)
        before = self.counts["offered"]
        if "a.py" not in self.open:
            self._open("a.py")
        for _ in range(5):  # what is there already is not offered again
            self._type("a.py")
            self._ask("a.py")
            await self.until(lambda: not self.pending, ANSWER_S, "a request was not answered")
        self.require(self.counts["offered"] > before, f"service has not returned: {self.lsp.service.status()}")
        for name in list(self.open):
            self._close(name)
        await self.wait(2 * ANSWER_S)
        self.require(not self.web.open, "streams go on for documents that are closed")
        kept = self._kept()
        self.require(kept <= self.empty + 3, f"{kept} entries are kept, {self.empty} at the beginning")
        self.editor.request("shutdown", None)
        self.editor.notify("exit", None)
        await self.editor.serving

    def _kept(self) -> int:
        """Entries that the service keeps, without counters, the last offers, which clients may still report on, and
        the engine's, which has a simulation of its own. ``feedback`` and ``next_edits`` hold only these."""
        others = ("offers", "stats", "host", "engine", "_listener", "feedback", "next_edits")
        fields = vars(self.lsp.service) | vars(self.lsp.service.host)
        parts = [part for name, part in fields.items() if name not in others]
        return held(*parts).entries
