"""One generation: a question that a model answers, and the requests that wait for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol

from tabspec.cache.completion_cache import Entry
from tabspec.context import EditContext
from tabspec.models.protocol import Beginning, Chunk, StopRule, Usage
from tabspec.suggestion import Finish, GeneratedText, Suggestion
from tabspec.text import uses_crlf


class State(Enum):
    """A generation ends in exactly one of the last three states."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Link:
    """One step on the way to a speculation's state: the user accepts or types ``suggestion`` at ``context``."""

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
        # The text after the cursor may be replaced already: then typing the rest of the suggestion leads there.
        return self.context.after_accept(self.suggestion).typed_since(current) is not None

    def passes(self, state: EditContext) -> bool:
        """Whether this step leads to ``state``, or past it with more of the same text."""
        after = self.context.after_accept(self.suggestion)
        if self.suggestion.edit is not None:
            return after.same_place(state)
        return after.typed_since(state) is not None and self.context.typed_since(state) is None


class Question(Protocol):
    """What a model is asked at a document state. Answers may be reused between states of the same ``scope``."""

    @property
    def context(self) -> EditContext: ...

    @property
    def scope(self) -> tuple[object, ...]: ...

    def request(self, stop: StopRule, resume: str, foreground: bool, beginnings: int) -> Any:
        """The request to the model. ``resume`` is the text that an interrupted generation has written so far."""
        ...


@dataclass(eq=False)
class Generation:
    """What the scheduler runs.

    ``lineage`` holds the steps that lead from what is on the screen to this state, ``kind`` what the last of them is,
    ``probability`` the probability that the user takes all of them; "" and 1 for a request. ``listeners``, one for each
    waiting request, are called when text arrives and when the state changes. A generation with ``wanted`` above 0 asks
    for that many beginnings instead of text; ``beginnings`` are the result. A ``warm`` one asks for them only to have
    the prompt's keys and values in the KV cache.
    """

    question: Question
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
    busy: float = 0.0  # seconds that it ran on the model
    cost: float = 0.0  # its share of these seconds; generations in the same batch bear the rest
    entry: Entry | None = None  # what the completion cache stores, once it is done
    listeners: list[Callable[[], None]] = field(default_factory=list)
    wanted: int = 0
    beginnings: tuple[Beginning, ...] = ()
    warm: bool = False
    right: float | None = None  # the calibrated probability of an edit, if its model has one

    def __post_init__(self) -> None:
        self._crlf = uses_crlf(self.context.document.text)

    @property
    def context(self) -> EditContext:
        return self.question.context

    @property
    def root(self) -> EditContext:
        """The state from which its lineage leads to its own."""
        return self.lineage[0].context if self.lineage else self.context

    @property
    def waiters(self) -> int:
        """Number of requests that wait for it."""
        return len(self.listeners)

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    def feed(self, chunk: Chunk) -> None:
        """Append what the model has emitted."""
        self.text += self._own(chunk.text)
        self.beginnings += tuple(replace(each, text=self._own(each.text)) for each in chunk.beginnings)
        self.ends.extend([len(self.text)] * len(chunk.tokens))
        self.logprobs.extend(chunk.logprobs)
        self.usage += chunk.usage
        if not self.foreground:
            self.speculative_tokens += chunk.usage.decoded
        self.right = chunk.probability
        self.finish = chunk.finish or self.finish
        self._notify()

    def _own(self, text: str) -> str:
        """A model's text with the line ends of the document."""
        return text.replace("\n", "\r\n") if self._crlf else text

    def become(self, state: State, error: Exception | None = None) -> None:
        """Change state. An end is final."""
        assert not self.ended, f"a generation that is {self.state.value} cannot become {state.value}"
        self.state, self.error = state, error
        self._notify()

    def interrupt(self) -> None:
        """Return to the queue with the text so far. Tokens of an unfinished character are dropped and decoded again."""
        # A finished generation keeps all tokens: only its stream is still being closed.
        while self.finish is None and self.ends and self.ends[-1] == (self.ends[-2] if len(self.ends) > 1 else 0):
            del self.ends[-1], self.logprobs[-1]
        self.become(State.QUEUED)

    def generated(self) -> GeneratedText:
        """The whole text. Only for a generation that is done."""
        assert self.finish is not None
        return GeneratedText(self.text, self.finish, tuple(self.ends), tuple(self.logprobs))

    def agrees(self, typed: str) -> bool:
        """Whether the text so far is compatible with ``typed`` at this state."""
        if self.entry is not None:
            return not typed or self.entry.generated.after_typing(typed) is not None
        return self.text.startswith(typed) or typed.startswith(self.text)

    def reachable(self, current: EditContext) -> bool:
        """Whether the user, at ``current``, may still reach its state by typing or accepting."""
        typed = current.typed_since(self.context)
        if typed is not None and self.agrees(typed):
            return True
        return any(link.on_way(current) for link in self.lineage)

    def _notify(self) -> None:
        for listener in list(self.listeners):
            listener()
