"""How often proposals of each case are right: the share measured on the histories of public projects.

``probabilities.json`` is written by `tabspec evaluate --next-edit-history ... --calibration FILE`; docs/design/edits.md
names the projects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from tabspec.edits.edit import EditSource

# Estimates for cases that the table has seen fewer than ten times. The language itself requires these edits: a call of
# what has become `async` is wrong without `await`, a pattern that lacks a variant's fields does not compile, and a use
# of a name whose definition was renamed refers to nothing.
RULED: Mapping[str, float] = {
    "rename/defined": 0.7,
    "rename/local": 0.7,
    "rename/attribute": 0.7,
    "rename/reached": 0.7,
    "rename/typed": 0.7,
    "rename/mate": 0.7,
    "rename/imported": 0.7,
    "rename/method": 0.7,
    # Measured (docs/decisions/2026-11-30-doubtful-renames.md): too little to be shown without a model.
    "rename/doubtful": 0.6,
    "counterpart/await": 0.7,
    "counterpart/async": 0.7,
    "counterpart/variant": 0.7,
    "counterpart/declaration": 0.7,
    "counterpart/call": 0.7,
    "counterpart/member": 0.7,
    "counterpart/container": 0.7,
    "counterpart/element": 0.7,
    "counterpart/list": 0.7,
}
# A case that was seen less often is not known: the share of fewer than ten is uncertain by more than 15 points.
LEAST_SEEN = 10


def case_of(source: EditSource, bucket: str) -> str:
    """The name of a case in the table."""
    return f"{source.value}/{bucket}"


def probability(source: EditSource, bucket: str) -> float:
    """The chance that a user goes on to make the edit; 0 for what was measured too seldom."""
    case = case_of(source, bucket)
    return _table().get(case, RULED.get(case, 0.0))


@cache
def _table() -> Mapping[str, float]:
    data = json.loads(files("tabspec.edits.proposals").joinpath("probabilities.json").read_text(encoding="utf-8"))
    return {case: row["probability"] for case, row in data["cases"].items() if row["seen"] >= LEAST_SEEN}
