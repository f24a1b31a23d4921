"""One generation: a question that a model is answering, and who cares about the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from tabspec.cache.completion_cache import Entry
from tabspec.context import EditContext
from tabspec.engine.prompt_state import PromptState
from tabspec.models.protocol import Beginning, Chunk, Usage
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import uses_crlf


class State(Enum):
    """Where a generation is. It ends in exactly one of the last three."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Link:
    """One step that the user has to take before a speculation's state is reached: to accept (or type) this."""

    context: EditContext
    suggestion: Suggestion

    def on_way(self, current: EditContext) -> bool:
        """Whether the user, at ``current``, may still take this step: nothing else was typed."""
        if self.suggestion.edit is not None:  # it is elsewhere: the cursor may be anywhere
            return current.document.text == self.context.document.text
        typed = current.typed_since(self.context)
        if typed is not None:
            return self.suggestion.text.startswith(typed)
        if not self.suggestion.replace_after or current.offset < self.context.offset:
            return False
        # What stood behind the cursor may be replaced already: then the rest of the text leads there.
        return self.context.after_accept(self.suggestion).typed_since(current) is not None

    def passes(self, state: EditContext) -> bool:
        """Whether this step leads to ``state``, or beyond it by more of the same text."""
        after = self.context.after_accept(self.suggestion)
        if self.suggestion.edit is not None:
            return after.same_place(state)
        return after.typed_since(state) is not None and self.context.typed_since(state) is None


@dataclass(eq=False)
class Generation:
    """A question in the scheduler's hands.

    ``lineage`` holds the steps that lead from what is on the screen to the question's state, ``kind`` what the last of
    them is, ``probability`` that the user goes all of them: "" and 1 for a request of the user's. ``listeners``, one
    for each request that waits for it, are called whenever text comes or the state changes. With ``wanted``, it asks
    for so many ways to begin in place of text; ``beginnings`` are those that came. A ``warm`` one asks for
    them only so that the prompt's keys and values are there when its place is asked for.
    """

    question: PromptState
    lineage: tuple[Link, ...] = ()
    kind: str = ""
    probability: float = 1.0
    foreground: bool = False
    state: State = State.QUEUED
    text: str = ""
    ends: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Finish | None = None
    error: Exception | None = None
    usage: Usage = Usage()
    speculative_tokens: int = 0
    busy: float = 0.0  # seconds for which it was with the model
    cost: float = 0.0  # its share of these: the model spent the others' shares on what ran beside it
    entry: Entry | None = None  # what the completion cache keeps of it, once it is done
    listeners: list[Callable[[], None]] = field(default_factory=list)
    wanted: int = 0
    beginnings: tuple[Beginning, ...] = ()
    warm: bool = False

    def __post_init__(self) -> None:
        self._crlf = uses_crlf(self.context.document.text)

    @property
    def context(self) -> EditContext:
        return self.question.context

    @property
    def waiters(self) -> int:
        """How many requests wait for it."""
        return len(self.listeners)

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    def feed(self, chunk: Chunk) -> None:
        """Take in what the model has written."""
        self.text += self._own(chunk.text)
        self.beginnings += tuple(replace(each, text=self._own(each.text)) for each in chunk.beginnings)
        self.ends.extend([len(self.text)] * len(chunk.tokens))
        self.logprobs.extend(chunk.logprobs)
        self.usage += chunk.usage
        if not self.foreground:
            self.speculative_tokens += chunk.usage.decoded
        self.finish = chunk.finish or self.finish
        self._tell()

    def _own(self, text: str) -> str:
        """A model's text with the document's line ends."""
        return text.replace("\n", "\r\n") if self._crlf else text

    def become(self, state: State, error: Exception | None = None) -> None:
        """Change state. An end is final."""
        assert not self.ended, f"a generation that is {self.state.value} cannot become {state.value}"
        self.state, self.error = state, error
        self._tell()

    def interrupt(self) -> None:
        """Back into the queue with what is written; the first bytes of an unfinished character are written anew."""
        # (Not of one that is whole: it is only cleaning up.)
        while self.finish is None and self.ends and self.ends[-1] == (self.ends[-2] if len(self.ends) > 1 else 0):
            del self.ends[-1], self.logprobs[-1]
        self.become(State.QUEUED)

    def generated(self) -> GeneratedText:
        """All that was written. Only of a generation that is done."""
        assert self.finish is not None
        return GeneratedText(self.text, self.finish, tuple(self.ends), tuple(self.logprobs))

    def agrees(self, typed: str) -> bool:
        """Whether what was written so far goes together with ``typed`` at the question's place."""
        if self.entry is not None:
            return not typed or self.entry.generated.after_typing(typed) is not None
        return self.text.startswith(typed) or typed.startswith(self.text)

    def reachable(self, current: EditContext) -> bool:
        """Whether the user is at its state, or may come to it from ``current`` by typing on or by accepting."""
        typed = current.typed_since(self.context)
        if typed is not None and self.agrees(typed):
            return True
        return any(link.on_way(current) for link in self.lineage)

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()
