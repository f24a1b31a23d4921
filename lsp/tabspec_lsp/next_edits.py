"""Next edits for one client: when they are offered, and the chains of edits that it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import islice

from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.edits.gate import in_word
from tabspec.suggestion import Answer
from tabspec.text import Document, Position
from tabspec_lsp.engine_host import EngineHost
from tabspec_lsp.feedback import Feedback
from tabspec_lsp.options import NextEditMode
from tabspec_lsp.state.documents import Documents
from tabspec_lsp.state.edit_log import EditLog
from tabspec_lsp.state.offers import Offer, Offers

# The client asks again after each accept. This is as far as it may get before the answer comes.
MOST_IN_CHAIN = 8
# As tabspec.engine.next_edits.choice.TYPING_PAUSE_S, which is slow to import.
TYPING_PAUSE_S = 1.0


class OutdatedVersion(Exception):
    """The client asked about another version of a document than the server has."""


class NextEditRequests:
    """``answer`` asks the engine about a document's state; ``mode`` returns the setting `next_edits`, OFF where there
    are no suggestions at all; ``ignored`` returns whether a document (a URI) must not be used."""

    def __init__(
        self,
        documents: Documents,
        offers: Offers,
        host: EngineHost,
        feedback: Feedback,
        log: EditLog,
        answer: Callable[[Document, EditContext], Awaitable[Answer]],
        mode: Callable[[], NextEditMode],
        ignored: Callable[[str], bool],
    ) -> None:
        self._documents, self._offers, self._host = documents, offers, host
        self._feedback, self._log, self._answer = feedback, log, answer
        self._mode, self._ignored = mode, ignored
        self._asked = False  # the client asks for next edits by a method of their own
        self._competes = False  # and it expects that either an edit or a completion is offered

    @property
    def inline(self) -> bool:
        """Whether inline completions may be next edits."""
        return self._mode() is NextEditMode.ON and not self._asked

    def for_completion(self, document: Document, offset: int, inline: bool) -> EditContext:
        """The context of a request for a completion: with the edit history if an edit may be offered instead.
        ``inline``: the method is inline completion."""
        competes = self._competes and self._mode() is not NextEditMode.OFF
        return (
            self._log.context(document, offset)
            if competes or (inline and self.inline)
            else EditContext(document, offset)
        )

    async def compete(self, uri: str, position: Position, version: int | None) -> tuple[Offer, ...]:
        """The chain to show at a cursor; empty if there is none, or if a completion is to be shown there.

        Raises `PositionError` for a position outside of the document, and `OutdatedVersion`.
        """
        self._asked = self._competes = True
        context = self._context(uri, position, version)
        if context is None:
            return ()
        answer = await self._answer(context.document, context)
        return self._chain(context, answer) if self._documents.get(uri) is context.document else ()

    async def alone(
        self, uri: str, position: Position, version: int | None = None, *, pause: bool = False, asked: bool = True
    ) -> tuple[Offer, ...]:
        """The chain to show at a cursor, whatever completion there may be. Raises as `compete`.

        ``pause``: wait until the last change is finished; without it, only a question to a model waits for that.
        ``asked``: the request is by a method for next edits, and not by the user.
        """
        self._asked = self._asked or asked
        context = self._context(uri, position, version)
        if context is None:
            return ()
        if pause and context.history and context.history.typing_at(context.document, context.offset):
            await asyncio.sleep(TYPING_PAUSE_S)
        await self._host.settled()
        if self._documents.get(uri) is not context.document or self._excluded(uri):
            return ()
        # Anew: rules that came in the meantime may ignore what the history and the other documents hold.
        context = self._finished(self._log.context(context.document, context.offset))
        answer = await self._host.edit(context, pause=asked and not pause)
        if self._documents.get(uri) is not context.document:
            return ()
        self._feedback.requested(context, answer)
        return self._chain(context, answer)

    def rested(self, context: EditContext) -> EditContext:
        """``context``, where the cursor rests, with the cursor where `alone` would put it."""
        return self._finished(context) if self._asked else context

    def _context(self, uri: str, position: Position, version: int | None) -> EditContext | None:
        document = self._documents.get(uri)
        if document is None:
            return None
        if version is not None and version != document.version:
            raise OutdatedVersion(f"version {version} of {uri} is not the server's, which is {document.version}")
        offset = document.offset(position, self._documents.encoding)
        return None if self._excluded(uri) else self._log.context(document, offset)

    def _excluded(self, uri: str) -> bool:
        """Whether a document gets no next edits, by the settings or by a rule. Both may change during a wait."""
        return self._mode() is NextEditMode.OFF or self._ignored(uri)

    def _finished(self, context: EditContext) -> EditContext:
        """``context`` with the cursor after the word that it is in. In the normal mode of a modal editor the cursor is
        on a character, and cannot be put where an accept should leave it at the end of a line."""
        document, offset = context.document, context.offset
        if self._offers.landed(document) == offset + 1:
            offset += 1
        while in_word(document, offset):
            offset += 1
        return replace(context, offset=offset)

    def _chain(self, context: EditContext, answer: Answer) -> tuple[Offer, ...]:
        suggestion = answer.suggestion
        if suggestion is None or suggestion.edit is None:
            return ()
        following = islice(self._host.following(context, suggestion), MOST_IN_CHAIN - 1)
        return self._offers.add_chain(answer, [(context, suggestion), *following])


def fits_inline(context: EditContext, edit: ProposedEdit) -> bool:
    """Whether LSP's inline completion can show an edit: it is on the cursor's line, keeps the text before the cursor,
    and keeps the text after it as a subsequence."""
    change = edit.change
    before, after = context.offset - change.offset, change.offset + change.delete - context.offset
    if edit.uri != context.uri or before < 0 or after < 0:
        return False
    replaced = context.document.text[change.offset : change.offset + change.delete]
    if "\n" in replaced or "\r" in replaced or not change.insert.startswith(replaced[:before]):
        return False
    rest = iter(change.insert[before:])
    return all(char in rest for char in replaced[before:])
