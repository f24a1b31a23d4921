"""Similarity of two texts."""

from __future__ import annotations


def edit_similarity(first: str, second: str) -> float:
    """1 minus the Levenshtein distance divided by the longer length: 1 for equal texts, 0 if nothing is in common."""
    if first == second:
        return 1.0
    if not first or not second:
        return 0.0
    previous = list(range(len(second) + 1))
    for row, char in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = previous[column - 1] + (char != other)
            current.append(min(cost, previous[column] + 1, current[-1] + 1))
        previous = current
    return 1.0 - previous[-1] / max(len(first), len(second))


def same(first: str, second: str) -> bool:
    """Whether two texts are equal, ignoring white space around the texts and at the ends of their lines."""
    return _bare(first) == _bare(second)


def _bare(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
