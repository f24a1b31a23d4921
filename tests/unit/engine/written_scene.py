"""An editor with one document before an engine with an edit model, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tabspec.config import EngineConfig
from tabspec.context import EditContext
from tabspec.edits.history import EMPTY
from tabspec.engine.engine import CompletionEngine
from tabspec.models.edit_protocol import EditRequest
from tabspec.models.scripted.model import ScriptedModel
from tabspec.suggestion import Answer, Suggestion
from tabspec.text import Document, Edit
from tests.scripted_edit_model import ScriptedEditModel

URI = "file:///shop/a.py"
TEXT = "".join(f"line {number}\n" for number in range(40))


def changing(old: str, new: str) -> Callable[[EditRequest], str]:
    return lambda request: request.region.replace(old, new)


class Editor:
    """One document before an engine with an edit model. Nothing is proposed by pattern: no line looks like another."""

    def __init__(
        self,
        script: Callable[[EditRequest], str],
        completion: str = "",
        text: str = TEXT,
        seconds: float = 0.2,
        **changed: object,
    ) -> None:
        self.edits = ScriptedEditModel(script, seconds=seconds)
        self.model = ScriptedModel(lambda _: completion, prefill_s=0.05, token_s=0.01)
        self.engine = CompletionEngine(self.model, EngineConfig().updated(changed), edits=self.edits)
        self.context = EditContext(Document(URI, text, "python"), 0, EMPTY)
        self.time = 0.0

    def edit(self, offset: int, delete: int, insert: str, cursor: int | None = None) -> None:
        self.time += 9
        document, edit = self.context.document, Edit(offset, delete, insert)
        history, new = self.context.history, document.edited(edit)
        assert history is not None
        history = history.changed(document, [edit], new, self.time)
        self.context = EditContext(new, edit.end if cursor is None else cursor, history, self.context.others)

    def put(self, offset: int) -> None:
        self.context = replace(self.context, offset=offset)

    async def ask(self) -> Answer:
        return await self.engine.complete(self.context)

    def take(self, suggestion: Suggestion) -> None:
        self.engine.accepted(self.context, suggestion)
        self.context = self.context.after_accept(suggestion)


def at(number: int) -> int:
    return TEXT.index(f"line {number}\n")
