"""Identifiers as lists of subwords, and the case convention in which they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A run of capitals before a capitalised word, a capitalised or lower word, a run of capitals, digits.
_SUBWORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
CONVENTIONS = ("snake", "upper", "kebab", "camel", "pascal")


def subwords(identifier: str) -> tuple[str, ...]:
    """Its subwords in lower case: ``groupBy``, ``group_by`` and ``GROUP_BY`` all give ``("group", "by")``."""
    return tuple(part.lower() for part in _SUBWORD.findall(identifier))


def written(parts: Sequence[str], convention: str) -> str:
    """Subwords in one of `CONVENTIONS`."""
    if convention == "snake":
        return "_".join(parts)
    if convention == "upper":
        return "_".join(parts).upper()
    if convention == "kebab":
        return "-".join(parts)
    capital = "".join(part.capitalize() for part in parts)
    return capital[:1].lower() + capital[1:] if convention == "camel" else capital


def renamed_in_all(old: str, new: str) -> dict[str, str]:
    """For each other convention: the old name in it, and the new one. Only for names of two subwords or more: a single
    word in another case names another thing as a rule (``Point`` and ``point``)."""
    before, after = subwords(old), subwords(new)
    if len(before) < 2 or not after:
        return {}
    pairs = {written(before, each): written(after, each) for each in CONVENTIONS if each != "kebab"}
    return {a: b for a, b in pairs.items() if a not in (old, new) and a != b}


def subword_change(old: str, new: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The subwords that a rename changed: ``(("group",), ("grouped",))``; None where it changed nothing or all."""
    before, after = subwords(old), subwords(new)
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    changed = before[head : len(before) - tail], after[head : len(after) - tail]
    return changed if (head or tail) and changed[0] else None


def with_subwords(identifier: str, old: Sequence[str], new: Sequence[str]) -> str | None:
    """The identifier with one run of subwords replaced, each part in the case of what it replaces; None if the run is
    not in it exactly once."""
    matches = list(_SUBWORD.finditer(identifier))
    parts = [match.group().lower() for match in matches]
    size = len(old)
    places = [at for at in range(len(parts) - size + 1) if parts[at : at + size] == list(old)]
    if len(places) != 1 or not size:
        return None
    first, last = matches[places[0]], matches[places[0] + size - 1]
    run = identifier[first.start() : last.end()]
    return identifier[: first.start()] + _like(run, first.start() > 0, identifier, new) + identifier[last.end() :]


def _like(run: str, inside: bool, identifier: str, new: Sequence[str]) -> str:
    """New subwords, written as ``run`` is in its identifier."""
    if identifier.upper() == identifier:
        return "_".join(new).upper()
    if "_" in identifier or ("_" in run):
        return "_".join(new)
    capital = run[:1].isupper()
    if not inside and not capital:
        return written(new, "camel")
    return written(new, "pascal") if capital else "".join(new)
