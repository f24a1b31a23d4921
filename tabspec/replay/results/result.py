"""What a replay found: the result file (`tabspec replay --json`), its reader and writer, and how rates are computed.

A result is `{"format": "tabspec-replay", "version": 1, "runs": [...]}`; a run is one session under one policy. Every
number of a run that can be computed from its requests is computed by `aggregates`, a pure function of the timeline.
Units: times of a session in seconds, latencies in milliseconds, sizes in bytes, text in characters (code points).
"""

from __future__ import annotations

import json
import math
import types
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, Union, get_args, get_origin, get_type_hints

from tabspec.errors import InputError
from tabspec.replay.bounded import MAX_FILE_BYTES, MAX_VALUES, values_in
from tabspec.replay.results.shared import Shared
from tabspec.suggestion import Miss, Reason, Source
from tabspec.system.regular import read_regular

FORMAT = "tabspec-replay"
VERSION = 1
TEXT_CHARS = 80  # of a suggestion's text in the timeline: a line of code; the session holds the rest
MS_DIGITS = 3  # microseconds: what a clock can tell apart
RATE_DIGITS = 6  # one request in a million

PERFECT = "perfect"
"""In place of a policy: a chain that knows which suggestions will be taken (tabspec.replay.users.oracle)."""

INSTANT = frozenset({Source.EXACT, Source.TYPE_THROUGH, Source.SPECULATED})
SILENCES = frozenset({Reason.EMPTY, Reason.WITHHELD, Reason.REJECTED, Reason.EXCLUDED})
"""An answer was there, and it was that nothing is offered here."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request of the session, in the order of asking."""

    t: float  # seconds since the session's start
    ms: float  # from the request to its end
    source: str  # a value of `Source`
    reason: str | None = None  # a value of `Reason` where there was no suggestion
    tab: bool = False  # asked at the cursor that an accept had left
    accepted: bool = False  # the user took this answer (or a part of it)
    shown: bool = False
    chars: int = 0  # length of the suggestion
    text: str = ""  # its first `TEXT_CHARS` characters
    line: int = 0  # of the cursor, from 1
    miss: str | None = None  # a value of `Miss`, for a Tab that had to wait
    cached: bool = False  # the completion cache knew the answer, be it that there is nothing to suggest

    @property
    def instant(self) -> bool:
        """Answered with a suggestion from the completion cache, with no wait for the model."""
        return self.source in INSTANT

    @property
    def instant_tab(self) -> bool:
        """Asked after an accept, and answered from the completion cache with no wait: with a suggestion, or with the
        knowledge that there is none (which a recording that was never asked there does not have)."""
        return self.tab and (self.instant or self.cached) and self.miss != Miss.UNRECORDED

    @property
    def instant_next(self) -> bool:
        """Asked after an accept, and answered with a suggestion from the completion cache."""
        return self.tab and self.instant

    @property
    def unanswered_tab(self) -> bool:
        """Asked after an accept, with no answer: the user typed on first, the model failed, or (of a recorded
        assistant) the recording does not say."""
        return self.tab and self.source == Source.NONE and (self.reason not in SILENCES or self.miss == Miss.UNRECORDED)


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles (nearest rank), mean and maximum in milliseconds; all 0 where there is nothing to measure."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    mean: float = 0.0
    max: float = 0.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the model did. ``decoded_unused`` tokens were decoded ahead, and nobody ever saw them."""

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
    """What asking ahead for one kind of future (accept; accept and Enter; …) cost and brought: generations asked for,
    those used by a request, and the tokens of both."""

    asked: int = 0
    used: int = 0
    tokens: int = 0
    used_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CacheSample:
    """The completion cache at one moment of the session."""

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
    silent_tabs: int = 0  # Tabs that no suggestion followed
    unanswered_tabs: int = 0  # of these, the ones without an answer (`RequestRecord.unanswered_tab`)
    instant_next: int = 0  # Tabs after which the next suggestion (not silence) was there at once
    next_latency_ms: Latency = field(default_factory=Latency)  # of the Tabs that a suggestion followed
    kinds: dict[str, KindResult] = field(default_factory=dict)
    duration_s: float = 0.0
    synthetic: bool = False
    interrupted: bool = False
    command: str = ""
    notes: tuple[str, ...] = ()
    cache_over_time: tuple[CacheSample, ...] = ()
    timeline: tuple[RequestRecord, ...] = ()
    shared: Shared | None = None  # of `tabspec replay --users`: many users on one service
    economy: float | None = None  # where runs of one policy differ in it
    think_jitter: float = 0.0  # how much the reading time varies (`tabspec.replay.users.thinking`)
    burst: int = 1  # Tabs in a row
    latency: str = ""  # how long the model takes, in words, where replays of one model differ in it

    @property
    def nothing_tabs(self) -> int:
        """Tabs after which the answer was that there is nothing to suggest."""
        return self.silent_tabs - self.unanswered_tabs

    @property
    def waited_tabs(self) -> int:
        """Tabs after which the next suggestion came, but not at once."""
        return self.tabs - self.silent_tabs - self.instant_next

    @property
    def instant_next_rate(self) -> float:
        """Next suggestions that were there at once, of all Tabs but those with nothing to suggest."""
        return ratio(self.instant_next, self.tabs - self.nothing_tabs)

    @property
    def name(self) -> str:
        """The policy, with its economy where that tells runs apart."""
        return self.policy if self.economy is None else f"{self.policy} {self.economy:g}"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """All runs of one or several replays, in the order in which they were made."""

    runs: tuple[Run, ...]

    def __add__(self, other: ReplayResult) -> ReplayResult:
        return ReplayResult(self.runs + other.runs)


# --- aggregates ---------------------------------------------------------------------------------------------------


class Aggregates(TypedDict):
    """The fields of a `Run` that follow from its timeline: `Run(..., **aggregates(timeline))`."""

    requests: int
    shown: int
    accepted: int
    sources: dict[str, int]
    hit_rate: float
    tabs: int
    instant_tabs: int
    instant_tab_rate: float
    silent_tabs: int
    unanswered_tabs: int
    instant_next: int
    latency_ms: Latency
    tab_latency_ms: Latency
    next_latency_ms: Latency
    misses: dict[str, int]


def aggregates(timeline: Iterable[RequestRecord]) -> Aggregates:
    """What the requests of a run add up to."""
    records = list(timeline)
    found = Counter(str(record.source) for record in records)
    tabs = [record for record in records if record.tab]
    instant_tabs = sum(record.instant_tab for record in tabs)
    misses = Counter(str(record.miss or Miss.UNKNOWN) for record in tabs if not record.instant_tab)
    return Aggregates(
        requests=len(records),
        shown=sum(record.shown for record in records),
        accepted=sum(record.accepted for record in records),
        sources={source.value: found[source.value] for source in Source},
        hit_rate=ratio(sum(record.instant for record in records), len(records) - found[Source.NONE.value]),
        tabs=len(tabs),
        instant_tabs=instant_tabs,
        instant_tab_rate=ratio(instant_tabs, len(tabs)),
        silent_tabs=sum(record.source == Source.NONE for record in tabs),
        unanswered_tabs=sum(record.unanswered_tab for record in tabs),
        instant_next=sum(record.instant_next for record in tabs),
        latency_ms=latency(record.ms for record in records),
        tab_latency_ms=latency(record.ms for record in tabs),
        next_latency_ms=latency(record.ms for record in tabs if record.source != Source.NONE),
        misses=dict(sorted(misses.items())),
    )


def ratio(part: float, whole: float) -> float:
    """``part / whole``, and 0 where there is nothing to divide by."""
    return part / whole if whole else 0.0


def keystrokes_saved(typed_chars: int, accepted_chars: int) -> float:
    """Fraction of the inserted characters that came by Tab."""
    return ratio(accepted_chars, typed_chars + accepted_chars)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value such that at least ``percent`` % of all values are no greater.

    Always a value that was measured. ``ordered`` is ascending; 0.0 if it is empty.
    """
    if not ordered:
        return 0.0
    # Rounded first: 0.07 * 100 is 7.000000000000001, whose ceiling would be one rank too high.
    return ordered[max(math.ceil(round(len(ordered) * percent / 100, 9)), 1) - 1]


def latency(milliseconds: Iterable[float]) -> Latency:
    """Summary of latencies; zeros if there are none."""
    ordered = sorted(milliseconds)
    if not ordered:
        return Latency()
    p50, p90, p99 = (percentile(ordered, percent) for percent in (50, 90, 99))
    # Rounding may put the mean of equal values above their maximum.
    mean = min(math.fsum(ordered) / len(ordered), ordered[-1])
    return Latency(p50, p90, p99, mean, ordered[-1])


def pooled(runs: Sequence[Run]) -> Run | None:
    """Runs of several sessions under one policy as if they were one; None where a timeline is missing.

    Percentiles cannot be computed from percentiles, so every run must carry its requests. The completion cache's
    sizes are the largest of any session (they were not there at the same time).
    """
    if not runs or any(len(run.timeline) != run.requests for run in runs):
        return None
    timeline = tuple(record for run in runs for record in run.timeline)
    typed, taken = sum(run.typed_chars for run in runs), sum(run.accepted_chars for run in runs)
    tokens = Tokens(*(sum(getattr(run.tokens, item.name) for run in runs) for item in fields(Tokens)))
    largest = max((run.cache for run in runs), key=lambda stats: stats.bytes)
    return replace(
        runs[0],
        session=f"{len(runs)} sessions" if len(runs) > 1 else runs[0].session,
        language=", ".join(dict.fromkeys(run.language for run in runs)),
        typed_chars=typed,
        accepted_chars=taken,
        rejected=sum(run.rejected for run in runs),
        keystrokes_saved=keystrokes_saved(typed, taken),
        tokens=tokens,
        kinds=_pooled_kinds(runs),
        interrupted=any(run.interrupted for run in runs),
        cache=CacheStats(largest.entries, largest.bytes, sum(run.cache.evictions for run in runs)),
        stale_served=sum(run.stale_served for run in runs),
        duration_s=math.fsum(run.duration_s for run in runs),
        synthetic=all(run.synthetic for run in runs),
        notes=(),
        cache_over_time=(),
        timeline=timeline,
        **aggregates(timeline),
    )


def _pooled_kinds(runs: Sequence[Run]) -> dict[str, KindResult]:
    names = sorted({name for run in runs for name in run.kinds})
    return {
        name: KindResult(
            *(
                sum(getattr(run.kinds[name], item.name) for run in runs if name in run.kinds)
                for item in fields(KindResult)
            )
        )
        for name in names
    }


# --- writing ------------------------------------------------------------------------------------------------------


def dumps(result: ReplayResult) -> str:
    """The result file's text. Equal results give equal bytes: fixed order, rounded numbers, no time of writing."""
    runs = ",\n".join(_run_text(run) for run in result.runs)
    return f'{{"format": "{FORMAT}", "version": {VERSION}, "runs": [\n{runs}\n]}}\n'


def save(result: ReplayResult, path: Path) -> None:
    """Write the result file. Raises `InputError` if that is impossible."""
    try:
        path.write_text(dumps(result), encoding="utf-8", errors="replace")  # half a surrogate pair: "?"
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _run_text(run: Run) -> str:
    """A field a line, and lists with an item a line: two results can be compared with diff."""
    lines = []
    for item in fields(run):
        value = _plain(getattr(run, item.name), _digits(item.name))
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join("  " + _compact(entry) for entry in value) + "\n ]"
        else:
            text = _compact(value)
        lines.append(f' "{item.name}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digits(name: str) -> int:
    return RATE_DIGITS if name.endswith("_rate") or name == "keystrokes_saved" else MS_DIGITS


def _plain(value: Any, digits: int) -> Any:
    """``value`` as JSON has it. A request's fields are left out where they have their default: most of them have."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, tuple | list):
        return [_plain(entry, digits) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, digits) for key, entry in value.items()}
    if is_dataclass(value):
        sparse = isinstance(value, RequestRecord)
        return {
            item.name: _plain(getattr(value, item.name), digits)
            for item in fields(value)
            if not sparse or item.default is MISSING or getattr(value, item.name) != item.default
        }
    return value


# --- reading ------------------------------------------------------------------------------------------------------


def load(path: Path) -> ReplayResult:
    """Read a result file. Raises `InputError` (one line that names the file and the field)."""
    try:
        data = read_regular(path, MAX_FILE_BYTES)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a replay result (not UTF-8 text)") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if values_in(data) > MAX_VALUES:
        raise InputError(f"{path}: is not a replay result (more than {MAX_VALUES:,} lists and objects)")
    del data
    try:
        return loads(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def loads(text: str) -> ReplayResult:
    """Read a result file's text; fields that this version does not know are ignored. Raises `InputError`."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON (line {error.lineno}: {error.msg})") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise InputError("is not a replay result (nested too deeply, or a number too long)") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f'is not a replay result: "format" is not "{FORMAT}"; make one with `tabspec replay --json`')
    version = data.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError('is not a replay result: "version" is not a number')
    if version > VERSION:
        raise InputError(f"has version {version}, and this tabspec reads up to {VERSION}; use a newer tabspec")
    raw = data.get("runs", MISSING)
    runs: tuple[Run, ...] = _read(raw, tuple[Run, ...], "runs")
    runs = tuple(run if "instant_next" in item else _recounted(run) for run, item in zip(runs, raw, strict=True))
    for number, run in enumerate(runs):
        _check(run, f"runs[{number}]")
    return ReplayResult(runs)


def _recounted(run: Run) -> Run:
    """A run written before `instant_next` was counted. Without its requests, the count is a lower bound."""
    if len(run.timeline) != run.requests:
        return replace(run, instant_next=max(run.instant_tabs - run.silent_tabs, 0))
    found = aggregates(run.timeline)
    return replace(
        run,
        instant_next=found["instant_next"],
        unanswered_tabs=found["unanswered_tabs"],
        next_latency_ms=found["next_latency_ms"],
    )


def _no_constant(name: str) -> Any:
    raise InputError(f"holds {name}, which is not a JSON number")


def _check(run: Run, where: str) -> None:
    """Raises `InputError` where a run contradicts itself: a picture of it would mislead."""
    for name in sorted(run.sources.keys() ^ {source.value for source in Source}):
        raise InputError(f"{where}.sources.{name} " + ("is no source" if name in run.sources else "is missing"))
    if (total := sum(run.sources.values())) != run.requests:
        raise InputError(f"{where}.sources add up to {total}, but there are {run.requests} requests")
    if run.instant_tabs > run.tabs:
        raise InputError(f"{where}.instant_tabs is {run.instant_tabs}, but there are {run.tabs} tabs")
    if run.unanswered_tabs > run.silent_tabs:
        raise InputError(
            f"{where}.unanswered_tabs is {run.unanswered_tabs}, but there are {run.silent_tabs} silent_tabs"
        )
    if run.instant_next + run.silent_tabs > run.tabs:
        raise InputError(f"{where}.instant_next is {run.instant_next}, too many for {run.tabs} tabs")
    for number, record in enumerate(run.timeline):
        if record.source not in run.sources:
            raise InputError(f"{where}.timeline[{number}].source: {record.source!r} is no source")


_KINDS = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_SIGNED = frozenset({"seed"})
_LARGEST = 2**63  # far more of anything than a replay counts; keeps sums and pictures finite


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(value: Any, kind: Any, where: str) -> Any:
    """``value`` as ``kind``: a dataclass, tuple, dict, optional or plain type. Raises `InputError`."""
    if value is MISSING:
        raise InputError(f"{where} is missing")
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_record(value, kind, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):  # X | None
        return None if value is None else _read(value, get_args(kind)[0], where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected a list")
        return tuple(_read(entry, get_args(kind)[0], f"{where}[{i}]") for i, entry in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected an object")
        return {key: _read(entry, get_args(kind)[1], f"{where}.{key}") for key, entry in value.items()}
    return _read_plain(value, kind, where)


def _read_record(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object")
    hints, found = _hints(kind), {}
    for item in fields(kind):
        optional = item.default is not MISSING or item.default_factory is not MISSING
        if item.name in value or not optional:
            found[item.name] = _read(value.get(item.name, MISSING), hints[item.name], f"{where}.{item.name}")
    return kind(**found)


def _read_plain(value: Any, kind: Any, where: str) -> Any:
    if isinstance(value, int | float) and abs(value) > _LARGEST:
        raise InputError(f"{where}: is too large a number")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: expected {_KINDS[kind]}")
    if kind in (int, float) and value < 0 and where.rpartition(".")[2] not in _SIGNED:
        raise InputError(f"{where}: is negative")
    return value
