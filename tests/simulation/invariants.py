"""What must hold at every moment, judged from outside: by the clients' requests and the model's work.

Of the engine's own state, only the lineage of a generation is read: the reason why a request may still come for it.
The reason is checked here again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.engine import CompletionEngine
from tabspec.engine.generation import Generation, State
from tabspec.engine.scheduler import most_chunks
from tabspec.fitting.truncation import FitPlace
from tabspec.lab.tree import FUTURES
from tabspec.suggestion import Answer, Reason, Source, Suggestion

from .model import SimulatedModel, Stream
from .oracle import Oracle, typed_between
from .passes import Pass, Passes

# Refused futures of a document that the engine must not offer again: it remembers at least as many.
REMEMBERED = 100
# Seconds within which a request is answered while the model's process is frozen: SILENT_TICKS of the heartbeat, and the
# tick that had begun already.
FROZEN_S = 2.0
# The same where the model works, if slowly. The longest answer takes some 300 steps of 4 s (beside a slow stream); a
# request waits for the one that it has joined, for its own, and for those of three other documents.
LONGEST_S = 10_000.0


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(eq=False)
class Request:
    """A request of a client that has begun and not ended."""

    context: EditContext
    began: float
    failures: int  # how many streams had failed when it began
    moved_on: bool = False  # something has happened that supersedes it
    held_up: float = 0.0  # seconds for which it waited for these streams to stop, without a break
    held_by: frozenset[Stream] = frozenset()


@dataclass
class Watch:
    """Watches one engine. The simulator reports what it does; `quiet` is called each time before the clock moves."""

    engine: CompletionEngine
    model: SimulatedModel
    config: EngineConfig
    oracle: Oracle
    slots: int
    now: Callable[[], float]
    pending: list[Request] = field(default_factory=list)
    current: dict[str, EditContext] = field(default_factory=dict)  # documents' states, as far as the engine was told
    refused: dict[str, list[EditContext]] = field(default_factory=dict)  # the futures that an accept led to
    sources: Counter[Source] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    most_generations: int = 0
    asked: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)  # questions since something was told
    counted: int = 0  # streams that are in ``asked``
    seen: Pass | None = None  # the latest pass on a processor that all share, and what was speculative in it
    speculative: list[Stream] = field(default_factory=list)
    just_told: int = 0  # things told at this moment, some of which may not have been acted upon yet

    def __post_init__(self) -> None:
        # The scheduler tells the engine of each generation that has ended; listen in.
        tell_engine = self.engine._scheduler._ended

        def ended(generation: Generation) -> None:
            self._ended(generation)
            tell_engine(generation)

        self.engine._scheduler._ended = ended

    # --- what the simulator tells -----------------------------------------------------------------------------------

    def begins(self, context: EditContext) -> Request:
        """A request begins."""
        self._moved(context.uri)
        self.current[context.uri] = context
        self.before_notification()
        request = Request(context, self.now(), len(self.model.failed))
        self.pending.append(request)
        return request

    def changed(self, context: EditContext) -> None:
        """A change of the document or the cursor is about to be sent."""
        for request in self.pending:
            if request.context.uri == context.uri and not _same(request.context, context):
                request.moved_on = True
        self.current[context.uri] = context
        self.before_notification()

    def accepted(self, context: EditContext, suggestion: Suggestion) -> None:
        """An accept is about to be told: news only where the engine does not know better already."""
        current = self.current.get(context.uri)
        if current and _same(current, context):
            self.changed(context.after_accept(suggestion))

    def rejected(self, context: EditContext, suggestion: Suggestion) -> None:
        future = context.after_accept(suggestion)
        self.refused.setdefault(context.uri, []).append(future)

    def closed(self, uri: str) -> None:
        self._moved(uri)
        self.current.pop(uri, None)
        self.refused.pop(uri, None)

    def before_notification(self) -> None:
        """A message to the engine is about to be sent: there may be new requests."""
        self.asked.clear()
        self.counted = len(self.model.asked)
        self.just_told += 1

    def _moved(self, uri: str) -> None:
        for request in self.pending:
            if request.context.uri == uri:
                request.moved_on = True

    # --- how requests end -------------------------------------------------------------------------------------------

    def cancelled(self, request: Request) -> None:
        """A request's task was cancelled, and it has ended so."""
        self.pending.remove(request)
        self.sources[Source.NONE] += 1
        self.reasons[Reason.CANCELLED] += 1

    def answered(self, request: Request, answer: Answer) -> None:
        """A request has its answer: is it one, the right one, and for a true reason?"""
        self.pending.remove(request)
        self.sources[answer.source] += 1
        if answer.reason:
            self.reasons[answer.reason] += 1
        _require((answer.suggestion is None) == (answer.source is Source.NONE), "a source without a suggestion")
        _require((answer.suggestion is None) == (answer.reason is not None), "a suggestion and a reason for none")
        waited = self.now() - request.began
        _require(abs(answer.waited - waited) < 1e-6, f"waited {answer.waited}, and says {waited}")
        if answer.suggestion:
            _require(not request.moved_on, "an answer to a request that something newer had superseded")
            self._offered(request.context, answer.suggestion)
            if answer.instant:
                _require(waited == 0 and self.config.policy is not Policy.NONE, "an instant answer that was waited for")
        else:
            self._refused_for(request, answer)

    def _offered(self, context: EditContext, suggestion: Suggestion) -> None:
        if not self.oracle.right(context, suggestion):
            says = self.oracle.offer(context)
            raise Violation(f"STALE: served {suggestion} at {_shown(context)}, where the model says {says}")
        _require(
            not self._is_refused(context, suggestion, REMEMBERED), f"offered again what was rejected: {suggestion}"
        )

    def _refused_for(self, request: Request, answer: Answer) -> None:
        reason, context = answer.reason, request.context
        if reason is Reason.SUPERSEDED:
            _require(request.moved_on, "superseded, and nothing newer had come")
        elif reason in (Reason.EMPTY, Reason.WITHHELD):
            _require(
                self.oracle.right(context, reason),
                f"nothing served at {_shown(context)}, where the model says {self.oracle.offer(context)}",
            )
        elif reason is Reason.REJECTED:
            offers = self.oracle.offers(context)
            refused = any(isinstance(offer, Suggestion) and self._is_refused(context, offer) for offer in offers)
            _require(refused, f"withheld as rejected, and never was: {self.oracle.offer(context)}")
        elif reason in (Reason.FAILED, Reason.UNAVAILABLE):
            self._truly_failed(request, reason)
        elif reason is Reason.EXCLUDED:
            _require(len(context.document.text) > self.config.max_document_chars, "excluded, and not too long")
        else:
            raise Violation(f"an answer with the reason {reason}, for which there was no cause")

    def _truly_failed(self, request: Request, reason: Reason) -> None:
        asked, _ = self.oracle.question(request.context)
        own = [
            stream.failure
            for stream in self.model.failed[request.failures :]
            if (stream.request.prefix, stream.request.suffix) == (asked.prefix, asked.suffix)
        ]
        _require(bool(own), f"{reason.value}, and the model had not failed")

    def _is_refused(self, context: EditContext, suggestion: Suggestion, most: int | None = None) -> bool:
        """Whether it was refused here, among the latest ``most`` refusals."""
        future = context.after_accept(suggestion)
        return any(_same(future, refused) for refused in self.refused.get(context.uri, [])[-(most or 0) :])

    # --- how generations end ----------------------------------------------------------------------------------------

    def _ended(self, generation: Generation) -> None:
        if generation.wanted:  # it has warmed up a prompt, and answers no request
            return
        if generation.state is State.DONE:
            # The model stops where all that follows would be cut off; the oracle's answer is whole.
            fresh = FitPlace(generation.context).truncate(self.oracle.fresh(generation.context))
            written = generation.generated()
            _require(
                written == fresh,
                f"kept {written} for {_shown(generation.context)}, where the model writes {fresh}",
            )
        elif generation.state is State.CANCELLED:
            uri = generation.context.uri
            wanted = self.config.policy is not Policy.NONE and self.wanted(generation)
            _require(
                uri not in self.current or not wanted or self._behind_refused(generation),
                f"cancelled, and could still be reached: {_shown(generation.context)}",
            )

    def _behind_refused(self, generation: Generation) -> bool:
        """Whether a step that was refused, or one that begins with it, leads to this generation."""
        return any(
            typed_between(future, link.context.after_accept(link.suggestion)) is not None
            and typed_between(future, link.context) is None
            for link in generation.lineage
            for future in self.refused.get(generation.context.uri, [])
        )

    # --- each time before the clock moves ---------------------------------------------------------------------------

    def quiet(self, seconds: float) -> None:
        """All that could happen now has happened, and ``seconds`` are about to pass."""
        _require(not self.model.wrongs, "; ".join(self.model.wrongs))
        if len(self.model.open) > self.slots:
            raise Violation(f"in {self.slots} slots: {'; '.join(map(str, self.model.open))}")
        self._asks_once()
        self._in_time(seconds)
        working = 0.0 if self.model.frozen_since is not None else seconds
        for stream in self.model.open:
            if stream.cancelled:
                stream.stopping += working
                most = stream.longest_step + stream.plan.cleanup
                _require(stream.stopping <= most + 1e-6, f"a stream that was to stop goes on: {stream}")
        _require(not any(r.moved_on for r in self.pending), "a superseded request waits on")
        if self.pending:
            self._no_speculation_delays_it(working)
        if self.model.passes:
            self._shares(self.model.passes)
        generations = self.engine._scheduler.generations()
        for generation in generations:
            if not (generation.ended or self.wanted(generation)):
                raise Violation(
                    f"unreachable work goes on: {_shown(generation.context)} {generation.state.value} with "
                    f"{generation.text!r}, from {_shown(self.current.get(generation.context.uri))}"
                )
        self.most_generations = max(self.most_generations, len(generations))
        self._bounded(generations)

    def _in_time(self, seconds: float) -> None:
        """Every request is answered within its deadline."""
        then, frozen = self.now() + seconds, self.model.frozen_since
        for request in self.pending:
            _require(then - request.began <= LONGEST_S, f"no answer in {LONGEST_S:.0f} s at {_shown(request.context)}")
            if frozen is not None:
                waited = then - max(request.began, frozen)
                _require(waited <= FROZEN_S, f"waits {waited:.2f} s for a process that is frozen")

    def _asks_once(self) -> None:
        """While no user does anything, no request to the model is repeated."""
        for request in self.model.asked[self.counted :]:
            question = request.path, request.prefix, request.suffix, request.beginnings
            self.asked[question] += not request.resume
            # Asked, asked as urgent, asked as a speculation once another waits; the same of one that a closing has cut
            # off (seed 61263). What goes round in a circle exceeds any number.
            if self.asked[question] > 6 + self.just_told:
                raise Violation(f"asks again and again: {request.prefix[-40:]!r}|{request.suffix[:40]!r}")
        self.counted, self.just_told = len(self.model.asked), 0

    def wanted(self, generation: Generation) -> bool:
        """Whether a client waits for it, or its user may still come to its state: by typing on, or by accepting."""
        context = generation.context
        if any(_serves(request.context, context, generation.text) for request in self.pending if not request.moved_on):
            return True
        current = self.current.get(context.uri)
        if current is None or self.config.policy is Policy.NONE:
            return False
        if _serves(current, context, generation.text):
            return True
        for i, link in enumerate(generation.lineage):
            if _on_way(current, link.context, link.suggestion):
                futures = [step.context.after_accept(step.suggestion) for step in generation.lineage[i:]]
                states = [step.context for step in generation.lineage[i + 1 :]] + [context]
                return all(_same(a, b) for a, b in zip(futures, states, strict=True))
        return False

    def _no_speculation_delays_it(self, seconds: float) -> None:
        """A request that no stream serves waits for the streams of other requests, or for one that is stopping: and for
        that no longer than for one step. If that one was writing its own answer and was interrupted, it may wait for it
        although other slots are free: the answer goes on behind what is written, once the stream has let go of it.
        """
        running = self.model.open
        useful = [stream for stream in running if any(self._stream_serves(stream, request) for request in self.pending)]
        stopping = [stream for stream in running if stream.cancelled]
        ahead = len(running) - len(useful) - len(stopping)
        stalled = []
        for request in self.pending:
            if not stopping or any(self._stream_serves(stream, request) for stream in useful):
                request.held_up, request.held_by = 0.0, frozenset()
            else:
                # Others than before: in between, its own answer came in no time and went another way (seed 62855).
                request.held_up = seconds + (0.0 if request.held_by.isdisjoint(stopping) else request.held_up)
                request.held_by = frozenset(stopping)
            if not any(self._stream_serves(stream, request) for stream in useful):
                stalled.append(request)
        for request in stalled:
            own = any(self._writes_for(stream, request) for stream in stopping)
            _require(
                own or (len(running) == self.slots and (not ahead or len(stalled) <= len(stopping))),
                f"a request waits at {_shown(request.context)}, in {self.slots} slots: {'; '.join(map(str, running))}",
            )
            most = sum(stream.longest_step for stream in stopping)
            _require(
                request.held_up <= most + 1e-6,
                f"a request waits {request.held_up:.3f} s for speculative work that should stop within {most:.3f} s",
            )

    def _shares(self, passes: Passes) -> None:
        """On a processor that all share: a stream that a request waits for waits for the one pass of speculative work
        that had begun when it opened, and for no other; and whatever may run, does."""
        front, running = self.model.front(), passes.current.rows if passes.current else ()
        _require(passes.asking <= set(self.model.open), "a stream that has ended is in line for a pass")
        for stream in self.model.open:
            waits = stream in passes.asking
            if stream.passes is passes and stream.writing and not stream.cancelled:
                _require(waits or stream in running, f"neither in a pass nor in line for one: {stream}")
            paused = front > 0 and not stream.request.foreground
            _require(not waits or paused or bool(running), f"paused without a foreground stream: {stream}")
            if self._for_somebody(stream):
                stream.left = None
            elif stream.left is None:
                stream.left = self.now()
        for request in self.pending:
            serving = [stream for stream in self.model.open if self._stream_serves(stream, request)]
            # (One of its own may be in line for the slot of a stream that is stopping.)
            urgent = bool(self._stopping()) or any(stream.request.foreground for stream in serving)
            _require(
                urgent or not serving,
                "a request waits for what the model takes for speculation: " + "; ".join(map(str, serving)),
            )
        if passes.current and passes.current is not self.seen:  # as it has just begun
            self.seen = passes.current
            self.speculative = [row for row in passes.current.rows if self._is_speculative(row, passes.current)]
        if not passes.current or not self.speculative:
            return
        for stream in self.model.open:
            others = any(row is not stream for row in self.speculative)
            if others and stream.writing and stream.request.foreground and self._for_somebody(stream):
                stream.beside.add(passes.current)
                _require(
                    len(stream.beside) <= 1,
                    f"{stream} is kept by more than one pass of speculative work: "
                    + "; ".join(map(str, passes.current.rows)),
                )

    def _stopping(self) -> list[Stream]:
        return [stream for stream in self.model.open if stream.cancelled]

    def _is_speculative(self, stream: Stream, begun: Pass) -> bool:
        """Whether no request waits for a stream in a pass. (If one has only just ended, the stream was due.)"""
        just_left = stream.request.foreground and stream.left in (None, begun.begin)
        return not self._for_somebody(stream) and not just_left

    def _for_somebody(self, stream: Stream) -> bool:
        return any(self._stream_serves(stream, request) for request in self.pending)

    def _stream_serves(self, stream: Stream, request: Request) -> bool:
        """Whether what this stream writes may, as far as is known, become the answer to the request."""
        return not stream.cancelled and self._writes_for(stream, request)

    def _writes_for(self, stream: Stream, request: Request) -> bool:
        """Whether this stream was asked for what may become the answer, and has written nothing else so far."""
        asked, _ = self.oracle.question(request.context)
        theirs = stream.request
        if theirs.beginnings or (asked.suffix, asked.path, asked.language) != (
            theirs.suffix,
            theirs.path,
            theirs.language,
        ):
            return False
        if not asked.prefix.startswith(theirs.prefix):
            return False
        typed = asked.prefix[len(theirs.prefix) :]
        return _agree(stream.text, typed)

    def _bounded(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            most = most_chunks(self.config.max_tokens)
            _require(len(generation.ends) <= most, f"a generation keeps {len(generation.ends)} tokens of {most}")
        engine, config, cache = self.engine, self.config, self.engine.completion_cache
        documents = max(len(self.current), 1)
        # The futures of each screen, one request, one place of rest, and those typed past that still agree.
        number = len(generations)
        _require(number <= documents * (FUTURES + config.max_tokens + 2), f"{number} generations at a time")
        entries = len(cache)
        _require(cache.bytes <= config.cache_bytes, f"{cache.bytes} bytes in the completion cache")
        indexed = sum(sum(lengths._counts.values()) for lengths in cache._index.values())
        _require(indexed == entries, f"the index counts {indexed} entries of {entries}")
        _require(len(cache._index) <= entries, "the index keeps places without entries")
        waiting = {id(request.context) for request in self.pending}
        _require(
            all(id(request.context) in waiting for request in engine._requests._latest.values()),
            "the engine keeps a request that has ended",
        )

    # --- at rest ----------------------------------------------------------------------------------------------------

    def books(self) -> None:
        """Every request that began has ended, once, and is counted; tokens add up."""
        stats = self.engine.stats
        _require(not self.pending, f"{len(self.pending)} requests never ended")
        _require(stats.sources == self.sources, f"counted {stats.sources}, seen {self.sources}")
        _require(stats.reasons == self.reasons, f"counted {stats.reasons}, seen {self.reasons}")
        _require(
            0 <= stats.speculative_used <= stats.speculative_tokens <= stats.usage.decoded <= self.model.decoded,
            f"tokens do not add up: {stats}, {self.model.decoded} decoded by the model",
        )


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Violation(message)


def _serves(current: EditContext, asked: EditContext, written: str) -> bool:
    typed = typed_between(asked, current)
    return typed is not None and _agree(written, typed)


def _on_way(current: EditContext, context: EditContext, suggestion: Suggestion) -> bool:
    """Whether a part of the suggestion has been typed, or taken together with what it replaces behind the cursor."""
    after = context.after_accept(suggestion)
    typed = typed_between(context, current)
    replaced = suggestion.replace_after > 0 and current.offset >= context.offset
    return (typed is not None and suggestion.text.startswith(typed)) or (
        replaced and typed_between(current, after) is not None
    )


def _agree(written: str, typed: str) -> bool:
    return written.startswith(typed) or typed.startswith(written)


def _same(a: EditContext, b: EditContext) -> bool:
    return (a.uri, a.document.text, a.offset) == (b.uri, b.document.text, b.offset)


def _shown(context: EditContext | None) -> str:
    if context is None:
        return "nowhere"
    return f"{context.uri} {context.prefix[-40:]!r}|{context.suffix[:40]!r}"
