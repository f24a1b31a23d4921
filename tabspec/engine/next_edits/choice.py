"""Next edits in the engine: which one is offered at a state, and whether it or the completion at the cursor is.

Proposals are a function of the document, the cursor, the other open documents and the lessons in the edit history (what
the user did). They are kept in the completion cache under these. When an edit is shown, those for the state after its
accept are computed ahead by the same function. So what the cache serves is what would be computed now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tabspec.cache.completion_cache import CompletionCache, Entry
from tabspec.context import EditContext
from tabspec.edits.chain import at_once
from tabspec.edits.edit import EditSource, ProposedEdit, digest_of
from tabspec.edits.gate import Experience, Refusals, is_shown
from tabspec.edits.history import History
from tabspec.edits.lessons import digest, lessons
from tabspec.edits.proposals.propose import propose
from tabspec.edits.reward import effort
from tabspec.edits.step import Step
from tabspec.engine.generation import Generation, Link
from tabspec.engine.next_edits.state import agreed
from tabspec.engine.next_edits.written import WrittenEdits
from tabspec.engine.requests import Request
from tabspec.suggestion import Answer, Finish, GeneratedText, Reason, Source, Suggestion
from tabspec.syntax.trees import parse_ahead
from tabspec.text import Document, Edit, difference

# An edit with a probability of more than one half is likelier than any completion. It is shown without asking the model
# for one.
SURE = 0.5
# Seconds without a key after which what was typed is probably finished, so that nothing is learned from half a change.
# On one line the next key follows after 0.1 to 0.3 s, at another place after 2.9 s (medians of the recorded session
# vscode-ts-customized-tests).
TYPING_PAUSE_S = 1.0
# Of the changes that patterns repeat elsewhere, half are right when shown at once, and two thirds when the bundled edit
# model has judged them: a third more right ones in Python, up to a tenth fewer in JavaScript and TypeScript. What
# follows a rename or a change of a type is right more often, and the model knows no such rules
# (docs/decisions/2026-11-29-judged-patterns.md).
LEFT = frozenset({EditSource.SIBLING})
"""The proposals that are not shown at once where the edit model judges them: the first one is in its region."""
AHEAD = "edit"
"""The kind of cache entries that were computed ahead."""

Propose = Callable[[Document, int, Sequence[Step], Sequence[Document]], tuple[ProposedEdit, ...]]
Complete = Callable[[Request], Awaitable[Answer]]
_NOTHING = GeneratedText("", Finish.END)
_OVER = (Reason.SUPERSEDED, Reason.CANCELLED, Reason.EXCLUDED)
"""The request ended otherwise than by an answer: no edit is due."""
_FAILED = (Reason.FAILED, Reason.UNAVAILABLE)


class NextEdits:
    """Offers next edits where a context carries an edit history. They are kept in ``cache``, if there is one.

    ``writer`` has a model write one where no pattern proposes any, and there is no completion.
    """

    def __init__(self, cache: CompletionCache | None, writer: WrittenEdits | None = None) -> None:
        self._cache, self._writer = cache, writer
        self.propose: Propose = propose
        self._refusals, self._experience = Refusals(), Experience()
        self._documents: dict[str, Document] = {}  # as the refusals know them

    async def answer(self, request: Request, enter: Callable[[Request], None], complete: Complete) -> Answer:
        """Answer a request with the edit, or with what ``complete`` answers. ``enter`` makes it the document's request
        where ``complete`` is not called.

        While a step is being typed the completion comes first, and an edit only after a pause.
        """
        context = request.context
        if context.history is None:
            return await complete(request)
        self.changed(context)
        if _is_typing(context):
            answer = await complete(request)
            if answer.suggestion is not None or answer.reason in _OVER:
                return answer
            await self._pause(request)
            if request.superseded:
                return Answer(Source.NONE, reason=Reason.SUPERSEDED)
            edit, entry = self._first(context)
            return await self._written(request, answer) if edit is None else self._served(edit, entry)
        edit, entry = self._first(context)
        if edit is None:
            answer = await complete(request)
            if answer.suggestion is not None or answer.reason in _OVER:
                return answer
            return await self._written(request, answer)
        if edit.probability >= SURE:
            enter(request)
            return self._served(edit, entry)
        answer = await complete(request)
        if answer.reason in _OVER or not _is_better(edit, context, answer.suggestion):
            return answer
        return self._served(edit, entry)

    async def alone(self, request: Request, enter: Callable[[Request], None], pause: bool) -> Answer:
        """Answer a request for an edit with which no completion competes. The model writes one where no pattern
        proposes any. With ``pause``, it is asked about a step that is being typed only after a pause. ``enter`` makes
        the request that of its document."""
        context = request.context
        self.changed(context)
        edit, entry = self._first(context)
        if edit is not None:
            return self._served(edit, entry)
        answer = Answer(Source.NONE, reason=Reason.EMPTY)
        if self._writer is None:
            return answer
        enter(request)
        if pause and _is_typing(context):
            await self._pause(request)
        if request.superseded:
            return Answer(Source.NONE, reason=Reason.SUPERSEDED)
        return await self._written(request, answer)

    async def _written(self, request: Request, answer: Answer) -> Answer:
        """The edit that the model writes; ``answer`` where it writes none. Where it fails, nothing is judged: the edit
        by pattern that was left to it."""
        if self._writer is None:
            return answer
        found = await self._writer.answer(request, answer, self._shown)
        if found is not answer and found.reason in _FAILED:
            edit, entry = self._first(request.context, leave=False)
            return found if edit is None else self._served(edit, entry)
        return found

    async def _pause(self, request: Request) -> None:
        """Wait until nothing was typed for a while, or the request is superseded."""
        over: list[bool] = []

        def end() -> None:
            over.append(True)
            request.wake()

        timer = asyncio.get_running_loop().call_later(TYPING_PAUSE_S, end)
        try:
            while not (over or request.superseded):
                await request.change()
        finally:
            timer.cancel()

    def known(self, context: EditContext, completion: Suggestion | Reason | None) -> Suggestion | Reason | None:
        """What `answer` would be, where ``completion`` is what is known of the completion (None: nothing)."""
        if _is_typing(context):
            return completion
        edit = self.first(context, AHEAD)
        if edit is None and self._writer is not None and isinstance(completion, Reason):
            chain = self._writer.known(context)
            if chain is None:
                return None
            edit = self._shown(context, chain)
            return completion if edit is None else Suggestion.of(edit)
        if edit is None:
            return completion
        if edit.probability >= SURE:
            return Suggestion.of(edit)
        if completion is None:
            return None
        found = completion if isinstance(completion, Suggestion) else None
        return Suggestion.of(edit) if _is_better(edit, context, found) else completion

    def first(self, context: EditContext, kind: str = "") -> ProposedEdit | None:
        """The edit to offer at ``context``, if there is one. ``kind`` is that of the cache entry, if one is made."""
        return self._first(context, kind)[0]

    def _first(self, context: EditContext, kind: str = "", leave: bool = True) -> tuple[ProposedEdit | None, Entry]:
        """The edit to offer, and the entry with the chain that it is of. ``leave``: what the model judges is not
        offered."""
        history = agreed(context)
        if history is None:
            return None, Entry(_NOTHING)
        entry = self._entry(context, lessons(history), kind)
        return self._first_shown(context, entry.edits, history, leave), entry

    def _shown(self, context: EditContext, chain: tuple[ProposedEdit, ...]) -> ProposedEdit | None:
        """The first edit of a chain that may be shown."""
        history = agreed(context)
        return None if history is None else self._first_shown(context, chain, history)

    def _first_shown(
        self, context: EditContext, chain: tuple[ProposedEdit, ...], history: History, leave: bool = True
    ) -> ProposedEdit | None:
        cursor = context.document, context.offset
        documents = {each.uri: each for each in (*context.others, context.document)}
        left = False  # the first repetition is left to the model, and so are those that are further away
        for proposed in at_once(chain):
            repeats = proposed.source in LEFT
            if repeats and left:
                continue
            edit = self._experience.adjusted(proposed)
            if is_shown(edit, documents[edit.uri], cursor, history, self._refusals):
                left = repeats and leave and self._writer is not None and self._writer.judges(context, edit)
                if not left:
                    return edit
        return None

    def fill(self, context: EditContext, suggestion: Suggestion) -> None:
        """A suggestion is on the screen. If it is an edit, compute what is offered after accepting it, so that each
        accept finds the next edit in the completion cache, at any depth."""
        if suggestion.edit is not None and self._cache is not None:
            self.first(context.after_accept(suggestion), AHEAD)

    def ahead(
        self, context: EditContext, lineage: tuple[Link, ...], probability: float, after: Generation | None = None
    ) -> bool:
        """Have the model write the edit of a state that the user may reach; True if it was queued. ``after``: the
        completion ahead that turned out to be nothing there."""
        return self._writer is not None and self._writer.ahead(context, lineage, probability, after)

    def accepted(self, suggestion: Suggestion) -> None:
        """The user took this suggestion."""
        if suggestion.edit is not None:
            self._experience = self._experience.after(suggestion.edit, accepted=True)

    def refused(self, context: EditContext, edit: ProposedEdit) -> None:
        """The user refused this edit: it does not come back in that place."""
        self.changed(context)
        document = next((each for each in context.others if each.uri == edit.uri), context.document)
        self._refusals = self._refusals.refused(edit, document)
        self._experience = self._experience.after(edit, accepted=False)
        self._documents[document.uri] = document
        if self._writer is not None:
            self._writer.refused(context.uri)

    def changed(self, context: EditContext) -> None:
        """The document or its history has changed: refusals move along, and undone edits count as refused."""
        if self._writer is not None:
            self._writer.changed(context)
        if context.history is not None:
            parse_ahead(context.document)
        before = self._documents.get(context.uri)
        if before is not None and before.text != context.document.text:
            self._refusals = self._refusals.changed(context.uri, _changes(before, context))
            self._documents[context.uri] = context.document
        if context.history is not None and context.history.undone:
            self._refusals = self._refusals.undone(context.history)
            self._documents[context.uri] = context.document

    def closed(self, uri: str) -> None:
        """The document is closed."""
        self._refusals = self._refusals.closed(uri)
        self._documents.pop(uri, None)
        if self._writer is not None:
            self._writer.closed(uri)

    def generations(self) -> list[Generation]:
        """The edits that are queued or being written."""
        return [] if self._writer is None else self._writer.generations()

    async def close(self) -> None:
        """Stop asking the model."""
        if self._writer is not None:
            await self._writer.close()

    def _entry(self, context: EditContext, steps: Sequence[Step], kind: str) -> Entry:
        """The entry with the proposals at this state."""
        if not steps:
            return Entry(_NOTHING, kind)
        scope = _scope(context, steps)
        hit = self._cache.lookup(context, scope) if self._cache is not None else None
        if hit is not None:
            return hit.entry
        entry = Entry(_NOTHING, kind, edits=self.propose(context.document, context.offset, steps, context.others))
        if self._cache is not None:
            self._cache.put(context, scope, entry)
        return entry

    def _served(self, edit: ProposedEdit, entry: Entry) -> Answer:
        """The answer with ``edit``. It counts as cached even if it was computed just now: no model is asked, and that
        takes a few milliseconds."""
        source = Source.SPECULATED if entry.speculated and not entry.served else Source.EXACT
        entry.served += 1
        return Answer(source, (Suggestion.of(replace(edit, position=0, parent=0)),), cached=self._cache is not None)


def _scope(context: EditContext, steps: Sequence[Step]) -> tuple[object, ...]:
    """What proposals depend on in addition to the document and the cursor."""
    others = context.others
    around = digest_of(*(part for each in others for part in (each.uri, each.language, each.text))) if others else 0
    return AHEAD, context.document.language, digest(steps), around


def _changes(before: Document, context: EditContext) -> list[Edit]:
    """How a document became that of ``context``. The history knows it. A difference of texts has several descriptions,
    and a refusal might move to another line."""
    moment = context.history.moment if context.history else None
    if moment is not None and moment.after.uri == before.uri and moment.after.text == context.document.text:
        known = moment.since(before.text)
        if known is not None:
            return known
    change = difference(before.text, context.document.text)
    return [change] if change else []


def _is_typing(context: EditContext) -> bool:
    return context.history is not None and context.history.typing_at(context.document, context.offset)


def _is_better(edit: ProposedEdit, context: EditContext, completion: Suggestion | None) -> bool:
    """Whether an edit is expected to save more keys than a completion. Where the model gives no probability, it counts
    as one half."""
    if completion is None:
        return True
    probability = 0.5 if completion.probability is None else completion.probability
    moves = edit.uri != context.uri or edit.change.offset != context.offset
    own = edit.probability * effort(edit.change, moves)
    return own > probability * len(completion.text)
