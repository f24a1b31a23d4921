"""What happened in real use: read off the marks that the language server writes into a recorded session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import quantiles

from tabspec.replay.sessions.session import EditEvent, MarkEvent, Session
from tabspec.suggestion import Source

_INSTANT = frozenset({Source.EXACT, Source.TYPE_THROUGH, Source.SPECULATED})


@dataclass(slots=True)
class UsageStats:
    """Counts of one session, or of several (`total`).

    ``sources`` tells how the suggestions shown had come; ``waits`` are milliseconds from request to answer,
    ``tab_waits`` those after an accept. ``tabs`` counts accepts that were followed by a request; after ``silent_tabs``
    of them nothing was shown. ``inserted`` counts the characters that came into the document, ``accepted_chars`` those
    by an accept.
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

    @property
    def shown(self) -> int:
        return self.sources.total()

    @property
    def instant(self) -> int:
        """Suggestions shown that did not wait for the model."""
        return sum(count for source, count in self.sources.items() if source in _INSTANT)


def lived(session: Session) -> UsageStats:
    """Read one session. What an editor did not tell is not in it: a suggestion that came too late is not shown."""
    found = UsageStats(session.name or "session", session.seconds)
    after_accept = False  # an accept, and no request since
    tab = False  # the last request came after an accept, and nothing was shown for it yet
    for event in session.events:
        if isinstance(event, EditEvent):
            found.inserted += sum(len(edit.insert) for edit in event.edits)
            continue
        match event.kind:
            case "request":
                found.requests += 1
                found.silent_tabs += tab
                tab, after_accept = after_accept, False
                found.tabs += tab
            case "show":
                _shown(found, event, tab)
                tab = False
            case "accept" | "partial_accept":
                found.accepted += 1
                found.parts += event.kind == "partial_accept"
                found.accepted_chars += len(str(event.data.get("text", "")))
                after_accept = True
            case "reject":
                found.rejected += 1
    found.silent_tabs += tab
    return found


def _shown(found: UsageStats, event: MarkEvent, tab: bool) -> None:
    source, waited = str(event.data.get("source", "")), event.data.get("waited_ms")
    found.sources[source] += 1
    waits = [float(waited)] if isinstance(waited, int | float) else []
    found.waits += waits
    if tab:
        found.instant_tabs += source in _INSTANT
        found.tab_waits += waits


def total(sessions: Iterable[UsageStats]) -> UsageStats:
    """All of them together."""
    whole = UsageStats("all")
    for each in sessions:
        for name in ("seconds", "requests", "accepted", "parts", "rejected", "tabs", "instant_tabs", "silent_tabs"):
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
        whole.inserted, whole.accepted_chars = (
            whole.inserted + each.inserted,
            whole.accepted_chars + each.accepted_chars,
        )
        whole.sources.update(each.sources)
        whole.waits += each.waits
        whole.tab_waits += each.tab_waits
    return whole


def figures(found: UsageStats) -> list[tuple[str, str]]:
    """What happened, a line each, for people."""
    parts = f", {found.parts} of them words or lines" if found.parts else ""
    silent = f", and {found.silent_tabs} by nothing" if found.silent_tabs else ""
    return [
        ("minutes", f"{found.seconds / 60:.1f}"),
        ("requests", f"{found.requests}"),
        ("suggestions shown", f"{found.shown}"),
        ("of these at once", f"{found.instant} ({_share(found.instant, found.shown)})"),
        ("accepted", f"{found.accepted}{parts}"),
        ("refused", f"{found.rejected}"),
        ("accepts followed by the next at once", f"{found.instant_tabs} of {found.tabs}{silent}"),
        ("wait after an accept, p50 and p99, ms", _waits(found.tab_waits)),
        ("characters that came by Tab", _share(found.accepted_chars, found.inserted)),
    ]


COLUMNS = ("session", "shown", "at once", "accepted", "instant Tabs")


def row(found: UsageStats) -> tuple[str, ...]:
    """One session of several, under `COLUMNS`."""
    at_once = _share(found.instant, found.shown)
    return found.name, f"{found.shown}", at_once, f"{found.accepted}", f"{found.instant_tabs} of {found.tabs}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _waits(times: list[float]) -> str:
    if len(times) < 2:
        return f"{times[0]:.2f}" if times else ""
    cuts = quantiles(times, n=100, method="inclusive")
    return f"{cuts[49]:.2f}, {cuts[98]:.2f}"
