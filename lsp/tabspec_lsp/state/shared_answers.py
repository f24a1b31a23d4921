"""One answer of the engine for several requests of the client about the same state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tabspec.context import EditContext
from tabspec.edits.history import EMPTY
from tabspec.suggestion import Answer


@dataclass(eq=False)
class _SharedRequest:
    """A state, the task that answers it, and the kinds of requests that were made about it."""

    context: EditContext
    task: asyncio.Task[Answer]
    kinds: set[str] = field(default_factory=set)
    waiting: int = 0

    def is_for(self, context: EditContext) -> bool:
        own = self.context
        if not own.same_place(context) or (own.history or EMPTY) != (context.history or EMPTY):
            return False
        return [(each.uri, each.text) for each in own.others] == [(each.uri, each.text) for each in context.others]

    def is_before(self, context: EditContext) -> bool:
        """Whether this is about the same state, and was asked when the client's first request for a next edit had not
        come: it is answered without one."""
        own = self.context
        return own.history is None and context.history is not None and own.same_place(context)


class SharedAnswers:
    """Clients ask for a completion and for a next edit at the same state. Both requests get the same answer, so that
    only one of them offers something, and the model runs once. After that, a further request of the same kind is
    answered anew.
    """

    def __init__(self) -> None:
        self._last: dict[str, _SharedRequest] = {}  # by document

    async def get(
        self, context: EditContext, kind: str, ask: Callable[[EditContext], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        """The answer at ``context`` to a request of this ``kind``. The work is cancelled with the last request."""
        shared = self._last.get(context.uri)
        if shared and not shared.task.done() and shared.is_before(context):
            await asyncio.wait([shared.task])
            shared = self._last.get(context.uri)
        # Without next edits there is nothing to share: a further request takes the place of the one before it.
        over = shared is None or shared.task.done() or context.history is None
        answered = shared is not None and over and kind in shared.kinds
        if shared is None or answered or not shared.is_for(context):
            shared = self._last[context.uri] = _SharedRequest(context, asyncio.create_task(ask(context)))
        shared.kinds.add(kind)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                shared.task.cancel()
                if self._last.get(context.uri) is shared:
                    del self._last[context.uri]

    def forget(self, uri: str | None = None) -> None:
        """The next request for this document (None: for any) is answered anew."""
        if uri is None:
            self._last.clear()
        else:
            self._last.pop(uri, None)
