"""Made-up results for tests of the report: a seeded user and a seeded engine, without a model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from tabspec.replay.results.aggregates import aggregates
from tabspec.replay.results.figures import keystrokes_saved
from tabspec.replay.results.result import CacheSample, CacheStats, KindResult, ReplayResult, RequestRecord, Run, Tokens
from tabspec.suggestion import Miss, Reason, Source

LINES = (
    "    return self.items[index]",
    "for name, value in sorted(found.items()):",
    "        raise ValueError(f'unknown {name!r}')",
    "if (node.kind === ts.SyntaxKind.CallExpression) {",
    "let mut chunks = text.chars().peekable();",
    "\t})",
)
# Chance that the next answer was there when Tab was pressed.
READY = {"none": 0.0, "cache": 0.0, "depth1": 0.82, "chain": 0.95, "tree": 0.97, "adaptive": 0.97}
# Tokens decoded ahead, for each suggestion shown.
AHEAD = {"none": 0, "cache": 0, "depth1": 9, "chain": 24, "tree": 31, "adaptive": 14}


def record(rng: random.Random, policy: str, t: float, tab: bool) -> RequestRecord:
    waited = rng.lognormvariate(5.0, 0.5)
    text = rng.choice(LINES)
    rest: dict[str, str | None] = {}
    if tab and rng.random() < READY[policy]:
        source, waited = Source.SPECULATED, rng.uniform(0.05, 0.6)
    elif rng.random() < 0.12:
        source, text = Source.NONE, ""
        rest["reason"] = rng.choice(list(Reason))
    elif policy != "none" and not tab and rng.random() < 0.55:
        source, waited = rng.choices([Source.TYPE_THROUGH, Source.EXACT], [9, 2])[0], rng.uniform(0.03, 0.5)
    elif policy != "none" and rng.random() < 0.3:
        source, waited = Source.JOINED, waited * rng.random()
    else:
        source = Source.MODEL
    if tab and source not in (Source.SPECULATED, Source.EXACT, Source.TYPE_THROUGH):
        rest["miss"] = rng.choice(list(Miss)[1:]) if READY[policy] else Miss.NOT_SPECULATED
    shown = source is not Source.NONE
    return RequestRecord(
        t, waited, source, tab=tab, shown=shown, chars=len(text), text=text, line=rng.randrange(1, 400), **rest
    )


def run(like: str, requests: int = 400, seed: int = 1, session: str = "sample.jsonl", **changes: object) -> Run:
    rng = random.Random(f"{like} {seed}")
    t, tab, timeline, samples, size = 0.0, False, [], [], 0
    for _ in range(requests):
        t += rng.expovariate(3.0) + (rng.uniform(20, 200) if rng.random() < 0.01 else 0.05)
        item = record(rng, like, t, tab)
        tab = item.shown and rng.random() < (0.5 if tab else 0.12)
        timeline.append(
            RequestRecord(
                *(getattr(item, name) for name in item.__slots__[:5]),
                tab,
                *(getattr(item, name) for name in item.__slots__[6:]),
            )
        )
        size += 0 if like == "none" else rng.randrange(0, 700)
        if size > 150_000:
            size = 110_000
        samples.append(CacheSample(t, size // 400, size))
    found = aggregates(timeline)
    taken = sum(item.chars for item in timeline if item.accepted)
    ahead = found["shown"] * AHEAD[like]
    values: dict[str, object] = dict(
        session=session,
        language="typescript",
        policy=like,
        model="tabspec-25m",
        clock="virtual",
        user="tab",
        think_ms=600.0,
        seed=seed,
        git_commit="0123abc",
        machine="2 CPU cores, Python 3.11",
        rejected=3,
        typed_chars=requests,
        accepted_chars=taken,
        keystrokes_saved=keystrokes_saved(requests, taken),
        tokens=Tokens(requests * 60, requests * 900, requests * 8, ahead, ahead * 2 // 3),
        cache=CacheStats(size // 400, size, 12),
        stale_served=0,
        kinds={"accept": KindResult(80, 41, ahead, ahead // 3), "enter": KindResult(9, 1, 100, 20)} if ahead else {},
        duration_s=t,
        cache_over_time=tuple(samples),
        timeline=tuple(timeline),
        command="tabspec replay sample.jsonl --user tab --think-ms 600",
        notes=("whole-second stamps were spread",),
    )
    return Run(**{**values, **found, **changes})  # type: ignore[arg-type]


def result(
    requests: int = 400, sessions: int = 1, policies: tuple[str, ...] = ("none", "cache", "depth1", "chain")
) -> ReplayResult:
    names = [
        "vscode-ts-customized-tests.test.ts.jsonl.gz",
        "josephg-rustcode.seg05.jsonl.gz",
        "git-requests.synthetic.jsonl.gz",
    ]
    languages = ["typescript", "rust", "python"]
    return ReplayResult(
        tuple(
            run(
                policy,
                requests * (3 - i % 3) // 3 + 1,
                i,
                names[i % 3] if i < 3 else f"session-{i}.jsonl",
                language=languages[i % 3],
                synthetic=i % 3 == 2,
            )
            for i in range(sessions)
            for policy in policies
        )
    )


def run_of(timeline: Sequence[RequestRecord], **changes: object) -> Run:
    """A run with these requests."""
    return replace(run("chain", 0), timeline=tuple(timeline), **{**aggregates(timeline), **changes})  # type: ignore[arg-type]
