"""Numbers and names in readable form. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from tabspec.replay.results.figures import ratio
from tabspec.replay.results.result import PERFECT, Run
from tabspec.suggestion import Miss, Source

DASH = "–"

SOURCES = {
    Source.SPECULATED: ("Speculated", "was in the completion cache, computed ahead of the request"),
    Source.EXACT: ("Asked before", "was in the completion cache, from an earlier request for the same state"),
    Source.TYPE_THROUGH: ("Typed through", "the rest of a suggestion that is being typed"),
    Source.JOINED: ("Joined", "waited for a generation that was already running"),
    Source.MODEL: ("Model", "waited for the model from the start"),
    Source.NONE: ("No suggestion", "nothing to offer, or the user typed on before it came"),
}

MISSES = {
    Miss.NOT_SPECULATED: "the policy does not speculate",
    Miss.NO_TIME: "no time, Tab came first",
    Miss.NOT_PREDICTED: "not predicted",
    Miss.MODEL_BUSY: "model busy",
    Miss.CANCELLED: "speculation cancelled",
    Miss.FAILED: "the model failed",
    Miss.EVICTED: "evicted",
    Miss.NO_SUGGESTION: "nothing to suggest",
    Miss.UNRECORDED: "not in the recording",
    Miss.UNKNOWN: "not recorded",
}

POLICIES = {
    "none": "no completion cache, every request goes to the model",
    "cache": "completion cache and type-through, no speculation",
    "depth1": "speculates on one accept",
    "chain": "speculates on several accepts, one after the other",
    "tree": "speculates on several accepts, and on other actions",
    "adaptive": "speculates as deep and as early as it pays",
    "perfect": "knows which suggestions will be accepted, and speculates on these only: the upper bound",
}

KINDS = {
    "accept": "accept it",
    "accept_enter": "accept it, then Enter",
    "accept_line": "accept its first line",
    "enter": "Enter instead",
    "rest": "rest at a place",
}

AHEAD = frozenset(POLICIES) - {"none", "cache", PERFECT}  # policies that speculate

USERS = {
    "type": "A simulated user who only types what was recorded, and never presses Tab.",
    "tab": (
        "A simulated user who reads each suggestion for {think}, presses Tab if it agrees with what the recording "
        "goes on to write there, and types on if it does not."
    ),
    "recorded": "A simulated user who presses Tab where the recorded person did, and types what was recorded.",
}


def count(number: float) -> str:
    """``12345`` as "12 345" (thin spaces): digits in threes, the same in every language."""
    return f"{number:,.0f}".replace(",", "\u2009")


def short_count(number: float) -> str:
    """At most five characters: "950", "12.3k", "4.5M"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999.95 thousand would round to "1000.0k"
        if number >= size * 0.99995:
            return f"{number / size:.1f}{unit}" if number < size * 99.95 else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def percent(rate: float) -> str:
    """Whole percent. "100 %" and "0 %" only for exactly all and none."""
    if 0.995 <= rate < 1:
        return f"{min(rate * 100, 99.9):.1f}\u202f%"
    if 0 < rate <= 0.005:  # half a percent would round to 0
        return f"{max(rate * 100, 0.1):.1f}\u202f%"
    return f"{rate * 100:.0f}\u202f%"


def milliseconds(ms: float) -> str:
    """ "0 ms", "0.4 ms", "38 ms", "1.24 s"."""
    if ms >= 9_995:
        return f"{ms / 1000:.1f}\u202fs"
    if ms >= 999.5:
        return f"{ms / 1000:.2f}\u202fs"
    if ms >= 9.95 or ms == 0:
        return f"{ms:.0f}\u202fms"
    return f"{ms:.1f}\u202fms" if ms >= 0.05 else "<0.1\u202fms"


def signed(number: float | None) -> str:
    """A reward: "+950", "-12.3k", "0"; a dash for None."""
    if number is None:
        return DASH
    size = short_count(abs(number))
    return size if size == "0" else f"{'+' if number > 0 else '-'}{size}"


def wait(ms: float | None) -> str:
    """A percentile of waits; "never" for None."""
    return "never" if ms is None else milliseconds(ms)


def size(number: float) -> str:
    """Bytes in binary units: "0 B", "12 KiB", "1.4 MiB"."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1023.5:
            return f"{number:.0f}\u202f{unit}" if unit == "B" or number >= 9.95 else f"{number:.1f}\u202f{unit}"
        number /= 1024
    return f"{number:.1f}\u202fGiB"


def moment(seconds: float) -> str:
    """A time of the session: "0:07", "12:30", "1:02:03"."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def span(seconds: float) -> str:
    """A length of time in words: "40 seconds", "12 minutes", "2.5 hours"."""
    if seconds < 90:
        return plural(round(seconds), "second")
    if seconds < 90 * 60:
        return plural(round(seconds / 60), "minute")
    return f"{seconds / 3600:.1f} hours"


def plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def session_name(name: str) -> str:
    """The file's name without the endings of session files."""
    return PurePath(name).name.removesuffix(".gz").removesuffix(".jsonl") or name


def miss(reason: str) -> str:
    return MISSES[Miss(reason)] if reason in set(Miss) else reason.replace("_", " ")


def kind(name: str) -> str:
    """The user's action in a kind of future."""
    return KINDS.get(name, name.replace("_", " "))


def source(name: str) -> str:
    return SOURCES[Source(name)][0]


def best(runs: Sequence[Run]) -> Run:
    """The best run: the highest share of instant next suggestions, then the fewest unused tokens.

    Policies without speculation count only if there are no others.
    """
    return max(
        [run for run in runs if run.policy in AHEAD] or runs,
        key=lambda run: (run.instant_next_rate, -run.tokens.decoded_unused),
    )


def baseline(runs: Sequence[Run]) -> Run | None:
    """The run to compare with: the policy `cache`, otherwise `none`, otherwise None."""
    return next((run for name in ("cache", "none") for run in runs if run.policy == name), None)


def headline(runs: Sequence[Run]) -> str:
    """The effect of speculation in one or two sentences. ``runs``: the policies of a group."""
    if not runs:
        return "There is nothing to report: no run was made."
    top, base = best(runs), baseline(runs)
    if top.tabs == 0:
        answered = top.requests - top.sources[Source.NONE]
        return (
            f"No Tab was pressed. {percent(top.hit_rate)} of {plural(answered, 'answer')} came without a wait."
            if answered
            else "No Tab was pressed, and no request was answered with a suggestion."
        )
    first = f"After {_of_tabs(top)} the next suggestion was there at once"
    if base is None or base is top:
        return f"{first}." if top.policy in AHEAD else f"{first}, without speculation."
    return f"{first}. Without speculation: after {count(base.instant_next)} of {count(base.tabs)}."


def other_tabs(runs: Sequence[Run]) -> str:
    """What followed the Tabs that are not in the headline, or an empty string."""
    if not runs:
        return ""
    top = best(runs)
    found = (
        (top.nothing_tabs, "there was nothing to suggest"),
        (top.waited_tabs, "the next suggestion had to be waited for"),
        (top.unanswered_tabs, "no answer came before the user typed on"),
    )
    parts = [f"after {count(number)} ({percent(ratio(number, top.tabs))}) {what}" for number, what in found if number]
    return f"Of its other Tabs, {', '.join(parts)}." if parts else ""


def stale(runs: Sequence[Run]) -> str:
    """A warning if stale suggestions were served, otherwise an empty string."""
    served = sum(run.stale_served for run in runs)
    verb = "was" if served == 1 else "were"
    return f"{plural(served, 'stale suggestion')} {verb} served: this is a bug, please report it." if served else ""


def _of_tabs(run: Run) -> str:
    share = percent(ratio(run.instant_next, run.tabs))
    return f"{count(run.instant_next)} of {plural(run.tabs, 'Tab')} ({share})"


def user(run: Run) -> str:
    """A description of the simulated user."""
    text = USERS.get(run.user, f"A simulated user of the kind “{run.user}”.")
    return text.replace("{think}", milliseconds(run.think_ms))
