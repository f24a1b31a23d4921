"""Statistics of real use, from the events that the language server records in addition to the edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from statistics import quantiles

from tabspec.replay.results.result import INSTANT
from tabspec.replay.sessions.session import EditEvent, MarkEvent, Session
from tabspec.suggestion import Source


@dataclass(slots=True)
class UsageStats:
    """Counts of one session, or of several (`total`).

    ``sources`` counts the suggestions shown by `Source`. ``waits`` and ``tab_waits`` are milliseconds from request to
    answer: of all suggestions shown, and of those after an accept. ``tabs`` counts accepts followed by a request, or by
    the next edit of a chain; ``silent_tabs`` are those after which nothing was shown. ``parts`` are accepts of a word
    or a line only.
    ``inserted`` and ``accepted_chars`` count characters: all that were inserted, and those inserted by an accept.
    ``edits`` counts next edits by what became of them: show, jump, accept, reject. They count among the others, too.
    """

    name: str
    seconds: float = 0.0
    requests: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    accepted: int = 0
    parts: int = 0
    rejected: int = 0
    tabs: int = 0
    instant_tabs: int = 0
    silent_tabs: int = 0
    tab_waits: list[float] = field(default_factory=list)
    inserted: int = 0
    accepted_chars: int = 0
    edits: Counter[str] = field(default_factory=Counter)

    @property
    def shown(self) -> int:
        return self.sources.total()

    @property
    def instant(self) -> int:
        """Suggestions shown that did not wait for the model."""
        return sum(count for source, count in self.sources.items() if source in INSTANT)


def usage_of(session: Session) -> UsageStats:
    """Statistics of one session, of all its documents. Suggestions that came too late count as not shown."""
    events = sorted((event for part in session.parts for event in part.events), key=lambda event: event.t)
    found = UsageStats(session.name or "session", events[-1].t - events[0].t if events else 0.0)
    after_accept = False  # there was no request since the last accept
    tab = False  # the last request followed an accept, and nothing was shown for it yet
    for event in events:
        if isinstance(event, EditEvent):
            found.inserted += sum(len(edit.insert) for edit in event.edits)
            continue
        if event.kind == "jump" or "edit" in event.data:
            found.edits[event.kind] += 1
        match event.kind:
            case "request":
                found.requests += 1
                found.silent_tabs += tab
                tab, after_accept = after_accept, False
                found.tabs += tab
            case "show":
                found.tabs += after_accept
                _shown(found, event, tab, follows=after_accept)
                tab = after_accept = False
            case "accept" | "partial_accept":
                found.accepted += 1
                found.parts += event.kind == "partial_accept"
                found.accepted_chars += len(str(event.data.get("text", "")))
                after_accept = True
            case "reject":
                found.rejected += 1
    found.silent_tabs += tab
    return found


def _shown(found: UsageStats, event: MarkEvent, tab: bool, follows: bool) -> None:
    """``follows``: it is the next edit of a chain, which is shown after an accept without a request."""
    source, waited = str(event.data.get("source", "")), event.data.get("waited_ms")
    if follows:  # these are of the request for the chain
        source, waited = Source.EXACT.value, 0.0
    found.sources[source] += 1
    waits = [float(waited)] if isinstance(waited, int | float) else []
    found.waits += waits
    if tab or follows:
        found.instant_tabs += source in INSTANT
        found.tab_waits += waits


def total(sessions: Iterable[UsageStats]) -> UsageStats:
    """The sum of several sessions."""
    whole = UsageStats("all")
    for each in sessions:
        for name in (item.name for item in fields(UsageStats) if item.name != "name"):
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
    return whole


def figures(found: UsageStats) -> list[tuple[str, str]]:
    """Rows of (name, value) for a table."""
    parts = f", {found.parts} of them words or lines" if found.parts else ""
    edits = found.edits
    next_edits = f"{edits['show']} shown, {edits['accept']} accepted, {edits['reject']} refused, {edits['jump']} jumps"
    silent = f"; after {found.silent_tabs} nothing followed" if found.silent_tabs else ""
    return [
        ("minutes", f"{found.seconds / 60:.1f}"),
        ("requests", f"{found.requests}"),
        ("suggestions shown", f"{found.shown}"),
        ("of these at once", f"{found.instant} ({_share(found.instant, found.shown)})"),
        ("accepted", f"{found.accepted}{parts}"),
        ("refused", f"{found.rejected}"),
        *([("next edits among these", next_edits)] if edits else []),
        ("accepts followed by the next at once", f"{found.instant_tabs} of {found.tabs}{silent}"),
        ("wait after an accept, p50 and p99, ms", _waits(found.tab_waits)),
        ("characters that came by Tab", _share(found.accepted_chars, found.inserted)),
    ]


COLUMNS = ("session", "shown", "at once", "accepted", "instant Tabs")


def row(found: UsageStats) -> tuple[str, ...]:
    """The row of one session, under `COLUMNS`."""
    at_once = _share(found.instant, found.shown)
    return found.name, f"{found.shown}", at_once, f"{found.accepted}", f"{found.instant_tabs} of {found.tabs}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _waits(times: list[float]) -> str:
    if len(times) < 2:
        return f"{times[0]:.2f}" if times else ""
    cuts = quantiles(times, n=100, method="inclusive")
    return f"{cuts[49]:.2f}, {cuts[98]:.2f}"
