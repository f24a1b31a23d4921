"""The result of replays: its values.

A run is one session under one policy. Numbers that follow from a run's requests come from `aggregates`.
Units: times of a session in seconds, latencies in milliseconds, sizes in bytes, text in characters (code points).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tabspec.replay.results.edits import DepthResult, EditResult, Effort
from tabspec.replay.results.figures import Latency, ratio
from tabspec.replay.results.shared import Shared
from tabspec.suggestion import Miss, Reason, Source

TEXT_CHARS = 80  # of a suggestion's text in the timeline: a line of code; the session holds the rest

PERFECT = "perfect"
"""Used as a policy name: `chain` with perfect knowledge of which suggestions will be accepted."""

INSTANT = frozenset({Source.EXACT, Source.TYPE_THROUGH, Source.SPECULATED})
SILENCES = frozenset({Reason.EMPTY, Reason.WITHHELD, Reason.REJECTED, Reason.EXCLUDED})
"""Reasons that are an answer: the model or the engine decided that there is nothing to suggest."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request of the session."""

    t: float  # seconds since the session's start
    ms: float  # from the request to its answer, or to its cancellation
    source: str  # a value of `Source`
    reason: str | None = None  # a value of `Reason` where there was no suggestion
    tab: bool = False  # the first request after an accept, at the resulting cursor
    accepted: bool = False  # the user accepted this suggestion (or a part of it)
    shown: bool = False
    chars: int = 0  # length of the suggestion
    text: str = ""  # its first `TEXT_CHARS` characters
    line: int = 0  # of the cursor, from 1
    miss: str | None = None  # a value of `Miss`, for a Tab that had to wait
    cached: bool = False  # answered by the completion cache; the answer may be "nothing to suggest"
    depth: int = 0  # Tabs in a row before it, in runs that measure effort
    edit: str | None = None  # a value of `EditSource`, for a next edit
    jump: bool = False  # that next edit is away from the cursor
    file: str = ""  # the name of the file that the cursor is in, where several are open
    edit_file: str = ""  # the name of the file that the next edit changes, if it is another one
    reward: float = 0.0  # of its suggestion (`tabspec.edits.reward`); 0 if it was neither accepted nor refused

    @property
    def instant(self) -> bool:
        """A suggestion came from the completion cache, with no wait for the model."""
        return self.source in INSTANT

    @property
    def instant_tab(self) -> bool:
        """A request after an accept was answered by the completion cache: a suggestion, or "nothing to suggest".

        Places where a recorded assistant was never asked do not count: there the true answer is unknown.
        """
        return self.tab and (self.instant or self.cached) and self.miss != Miss.UNRECORDED

    @property
    def instant_next(self) -> bool:
        """A request after an accept was answered with a suggestion from the completion cache."""
        return self.tab and self.instant

    @property
    def unanswered_tab(self) -> bool:
        """A request after an accept that got no answer: the user typed on first, the model failed, or the recording
        of an assistant has no answer here."""
        return self.tab and self.source == Source.NONE and (self.reason not in SILENCES or self.miss == Miss.UNRECORDED)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that the model computed. ``decoded_unused``: decoded by speculation, and never returned to a request."""

    prefill: int = 0
    prefill_reused: int = 0
    decoded_foreground: int = 0
    decoded_speculative: int = 0
    decoded_unused: int = 0

    @property
    def decoded(self) -> int:
        return self.decoded_foreground + self.decoded_speculative

    @property
    def decoded_used(self) -> int:
        return max(self.decoded - self.decoded_unused, 0)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """The completion cache at the end of the run."""

    entries: int = 0
    bytes: int = 0
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class KindResult:
    """Speculation for one kind of future (accept; accept and Enter; …): generations started, those that a request used,
    and the tokens of both."""

    asked: int = 0
    used: int = 0
    tokens: int = 0
    used_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CacheSample:
    """Size of the completion cache at ``t`` seconds."""

    t: float
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """One session under one policy; the fields are those of the result file."""

    session: str
    language: str
    policy: str
    model: str
    clock: str
    user: str
    think_ms: float
    seed: int
    git_commit: str
    machine: str
    requests: int
    shown: int
    accepted: int
    rejected: int
    sources: dict[str, int]
    hit_rate: float
    tabs: int
    instant_tabs: int
    instant_tab_rate: float
    latency_ms: Latency
    tab_latency_ms: Latency
    typed_chars: int
    accepted_chars: int
    keystrokes_saved: float
    tokens: Tokens
    cache: CacheStats
    stale_served: int
    misses: dict[str, int] = field(default_factory=dict)
    silent_tabs: int = 0  # Tabs after which no suggestion came
    unanswered_tabs: int = 0  # of these, the ones without an answer (`RequestRecord.unanswered_tab`)
    instant_next: int = 0  # Tabs after which the next suggestion came with no wait
    next_latency_ms: Latency = field(default_factory=Latency)  # of the Tabs after which a suggestion came
    kinds: dict[str, KindResult] = field(default_factory=dict)
    duration_s: float = 0.0
    synthetic: bool = False
    interrupted: bool = False
    command: str = ""
    notes: tuple[str, ...] = ()
    cache_over_time: tuple[CacheSample, ...] = ()
    timeline: tuple[RequestRecord, ...] = ()
    shared: Shared | None = None  # `tabspec replay --users`: many users on one service
    economy: float | None = None  # set if runs of one policy differ in it
    think_jitter: float = 0.0  # standard deviation of the logarithm of the reading time
    burst: int = 1  # Tabs in a row
    latency: str = ""  # name of the latency profile, if the runs differ in it
    edits: EditResult | None = None  # with next edits
    effort: Effort | None = None  # of runs that measure it: `tabspec replay --edits` or `--no-edits`
    by_depth: tuple[DepthResult, ...] = ()  # of the same runs
    reward: float | None = None  # the sum over all requests; None: a result of an older version

    @property
    def nothing_tabs(self) -> int:
        """Tabs after which the answer was that there is nothing to suggest."""
        return self.silent_tabs - self.unanswered_tabs

    @property
    def waited_tabs(self) -> int:
        """Tabs after which the next suggestion came after a wait."""
        return self.tabs - self.silent_tabs - self.instant_next

    @property
    def instant_next_rate(self) -> float:
        """Next suggestions that came with no wait, as a share of the Tabs that had something to suggest."""
        return ratio(self.instant_next, self.tabs - self.nothing_tabs)

    @property
    def name(self) -> str:
        """The policy, and its economy if runs differ in it."""
        return self.policy if self.economy is None else f"{self.policy} {self.economy:g}"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """All runs of one or several replays, in the order in which they were made."""

    runs: tuple[Run, ...]

    def __add__(self, other: ReplayResult) -> ReplayResult:
        return ReplayResult(self.runs + other.runs)
