"""An editor with one document in front of an engine with next edits, for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.edits.history import EMPTY
from tabspec.engine.engine import CompletionEngine
from tabspec.models.protocol import GenerationRequest
from tabspec.models.scripted.model import ScriptedModel
from tabspec.replay.clock import run_virtual
from tabspec.suggestion import Answer, Suggestion
from tabspec.text import Document, Edit

URI = "file:///a.py"
GAP = "\n".join(f"    step_{line}()" for line in range(6)) + "\n"
TEXT = f"def f(count):\n{GAP}    a = count\n{GAP}    b(count)\n{GAP}    return count\n"


def silent(request: GenerationRequest) -> str:
    return ""


class Editor:
    """One document in front of an engine with next edits."""

    def __init__(self, script: Callable[[GenerationRequest], str] = silent, **changed: object) -> None:
        self.model = ScriptedModel(script, prefill_s=0.1, token_s=0.01)
        self.engine = CompletionEngine(self.model, EngineConfig().updated(changed))
        self.context = EditContext(Document(URI, TEXT, "python"), 0, EMPTY)
        self.time = 0.0

    def edit(self, offset: int, delete: int, insert: str, after: float = 9.0) -> None:
        self.send([Edit(offset, delete, insert)], after)

    def send(self, edits: list[Edit], after: float = 9.0) -> None:
        """Several changes in one message."""
        self.time += after
        document = new = self.context.document
        history = self.context.history
        assert history is not None
        for edit in edits:
            new = new.edited(edit)
        history = history.changed(document, edits, new, self.time)
        self.context = EditContext(new, edits[-1].end, history, self.context.others)

    async def ask(self) -> Answer:
        return await self.engine.complete(self.context)

    def take(self, suggestion: Suggestion) -> None:
        self.engine.accepted(self.context, suggestion)
        self.context = self.context.after_accept(suggestion)


def on_engine(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test on the virtual clock."""

    def run() -> None:
        run_virtual(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def renamed(editor: Editor) -> None:
    """The parameter is renamed, and the cursor has left the word."""
    editor.edit(6, 5, "total")
    editor.context = replace(editor.context, offset=12)
