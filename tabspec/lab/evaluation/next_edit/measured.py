"""Measures next edits on git histories: the edit proposed at each stage of a commit, compared with the commit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tabspec.edits.edit import ProposedEdit
from tabspec.edits.proposals.found import Found
from tabspec.edits.proposals.order import as_chain
from tabspec.edits.proposals.probabilities import case_of
from tabspec.edits.proposals.propose import LEAST, found_in
from tabspec.lab.evaluation.next_edit.commits import Stage, stages
from tabspec.lab.evaluation.next_edit.judged import Verdict, verdict

# Probability thresholds for which precision and recall are reported, besides the product's default.
THRESHOLDS = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class StageOutcome:
    """The first proposal at one stage: its kind (None: no proposal), probability and verdict.

    ``seconds``: the time that it took. ``due``: whether hunks of the commit remain, and ``due_here``, whether in the
    document of the stage. ``elsewhere``: the proposal is for another document. ``cases``: the first proposal of each
    case alone (its case and verdict), for the table of probabilities.
    """

    kind: str | None
    probability: float
    judged: Verdict
    seconds: float
    due: bool
    due_here: bool = False
    elsewhere: bool = False
    cases: tuple[tuple[str, Verdict], ...] = ()


_NOTHING = Verdict(False, False, False)


def outcome(stage: Stage) -> StageOutcome:
    """Propose edits at one stage, and judge the first of the chain, which is the one that a user sees."""
    documents = {each.uri: each for each in (*stage.others, stage.document)}
    began = time.perf_counter()
    found = list(found_in(stage.document, stage.steps))
    found += [each for document in stage.others for each in found_in(document, stage.steps, here=False)]
    cursor = stage.document.uri, stage.document.position(stage.cursor).line
    chain = as_chain(found, cursor, THRESHOLDS[0])
    seconds = time.perf_counter() - began

    def judge(edit: ProposedEdit) -> Verdict:
        return verdict(documents[edit.uri], edit, stage.left.get(edit.uri, ()))

    by_case: dict[str, list[Found]] = {}
    for each in found:
        by_case.setdefault(case_of(each.source, each.bucket), []).append(each)
    cases = []
    for case, members in by_case.items():
        for first in as_chain(members, cursor, 0.0)[:1]:
            cases.append((case, judge(first)))
    due = stage.due, bool(stage.left[stage.document.uri])
    if not chain:
        return StageOutcome(None, 0.0, _NOTHING, seconds, *due, cases=tuple(cases))
    first = chain[0]
    elsewhere = first.uri != stage.document.uri
    return StageOutcome(first.source.value, first.probability, judge(first), seconds, *due, elsewhere, tuple(cases))


def measure(
    repositories: Sequence[Path], commits: int, seed: int = 0, show: Callable[[str, int], None] | None = None
) -> list[StageOutcome]:
    """The outcomes at the stages of the newest ``commits`` commits of each repository."""
    found: list[StageOutcome] = []
    for repository in repositories:
        for stage in stages(repository, commits, seed):
            found.append(outcome(stage))
            if show:
                show(repository.name, len(found))
    return found


def as_json(found: Sequence[StageOutcome]) -> dict[str, object]:
    """The results as JSON: shares from 0 to 1, times in milliseconds."""
    times = sorted(each.seconds * 1e3 for each in found)
    kinds = sorted({each.kind for each in found if each.kind})
    return {
        "stages": len(found),
        "due": sum(each.due for each in found),
        "default": LEAST,
        "by_threshold": [{"threshold": least, **shares(found, least)} for least in THRESHOLDS],
        "by_place": {
            "here": shares([_in(each, elsewhere=False) for each in found], LEAST),
            "elsewhere": shares([_in(each, elsewhere=True) for each in found], LEAST),
        },
        "by_kind": {kind: shares([each for each in found if each.kind == kind], LEAST) for kind in kinds},
        "ms": {
            "median": round(statistics.median(times), 3) if times else None,
            "p95": round(times[int(len(times) * 0.95)], 3) if times else None,
            "most": round(times[-1], 3) if times else None,
        },
    }


def _in(found: StageOutcome, elsewhere: bool) -> StageOutcome:
    """The outcome as far as it concerns the document of the stage, or the others. A hunk is due in the others when none
    is left in the document of the stage."""
    due = found.due and not found.due_here if elsewhere else found.due_here
    return replace(found, kind=found.kind if found.elsewhere is elsewhere else None, due=due)


def table(found: Sequence[StageOutcome]) -> dict[str, dict[str, float]]:
    """The table of probabilities from these outcomes: for each case its probability, and the number of proposals.

    A proposal is right if its verdict has ``way``. Three proposals, one of them right, are added to each case, so that
    a case with few proposals gets no extreme probability.
    """
    counts: dict[str, list[int]] = {}
    for each in found:
        for case, judged in each.cases:
            row = counts.setdefault(case, [0, 0])
            row[0] += 1
            row[1] += judged.way
    return {
        case: {"probability": round((right + 1) / (seen + 3), 3), "seen": seen}
        for case, (seen, right) in sorted(counts.items())
    }


def shares(found: Iterable[StageOutcome], least: float) -> dict[str, float | int | None]:
    """Precision (of the proposals shown) and recall (of the stages with hunks that remain) at a threshold.

    ``undone``: the share of the proposals shown on lines that the commit does not change. ``quiet_at_end``: of the
    stages where no hunk remains, the share without a proposal.
    """
    found = list(found)
    shown = [each for each in found if each.kind is not None and each.probability >= least]
    due = sum(each.due for each in found)

    def of(part: int, whole: int) -> float | None:
        return round(part / whole, 4) if whole else None

    return {
        "shown": len(shown),
        "place": of(sum(each.judged.place for each in shown), len(shown)),
        "text": of(sum(each.judged.text for each in shown), len(shown)),
        "way": of(sum(each.judged.way for each in shown), len(shown)),
        "undone": of(sum(not each.judged.place for each in shown), len(shown)),
        "recall": of(sum(each.judged.way for each in shown), due),
        "quiet_at_end": of(
            sum(not each.due and (each.kind is None or each.probability < least) for each in found),
            sum(not each.due for each in found),
        ),
    }
