"""Seeded mutations of messages, as a broken or hostile client would send them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1 << 31, 1 << 64, -(1 << 200), 0.5, 1e308, float("nan"), float("inf"), "", "\0",
    "\ud800",
    "x" * 5000, [], [[]], {}, {"": {}}, [None] * 50, {"id": []}, "file:///a.py", "http://[broken", -0.0,
)  # fmt: skip


def messages(examples: list[Any], seed: int, count: int, ids: list[Any] | None = None) -> Iterator[bytes]:
    """``count`` bodies: an example with some of its values changed, or its bytes. Ids are odd, or taken from ``ids``:
    not those of the test's own requests, so that its answers can be distinguished."""
    rng = random.Random(seed)
    for _ in range(count):
        value = copy.deepcopy(rng.choice(examples))
        if isinstance(value, dict) and "id" in value and ids:
            value["id"] = rng.choice(ids)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 5))):
            value = _changed(value, rng)
        data = json.dumps(value).encode("utf-8", "surrogatepass")
        yield _torn(data, rng) if rng.random() < 0.15 else data


def _changed(value: Any, rng: random.Random) -> Any:
    """``value`` with one place in it changed: another value there, none, two of them, or one from elsewhere."""
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        for key in inner if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                walk(inner[key])

    if isinstance(value, dict | list):
        walk(value)
    if not places or rng.random() < 0.02:
        return copy.deepcopy(rng.choice(ODD))
    inner, key = rng.choice(places)
    match rng.randrange(5):
        case 0:
            del inner[key]
        case 1 if isinstance(inner, dict):
            inner[str(key) + rng.choice(("x", "", "\u0130"))] = copy.deepcopy(inner[key])
        case 2:
            other, at = rng.choice(places)
            inner[key] = copy.deepcopy(other[at])
        case 3 if isinstance(inner[key], str):
            inner[key] = inner[key][: rng.randrange(len(inner[key]) + 1)] + rng.choice(("\n", "é", "\ud83d", "{" * 40))
        case _:
            inner[key] = copy.deepcopy(rng.choice(ODD))
    return value


def _torn(data: bytes, rng: random.Random) -> bytes:
    """Bytes cut off, flipped, doubled, or nested too deep."""
    at = rng.randrange(len(data) + 1)
    return rng.choice((data[:at], data[at:], data[:at] + rng.randbytes(3) + data[at:], data + data, b"[" * 3000 + data))
