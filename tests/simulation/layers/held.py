"""How much is kept in memory: entries of containers, and characters, that can be reached from some objects.

Counts are the same in each run of a seed, which bytes are not. A counter that does not know the classes finds what a
list of known containers would miss.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

# Whose instances are looked into. Others (event loops, modules, functions, transports of a test) own themselves.
_OURS = ("tabspec", "cachetools", "asyncio.queues", "asyncio.locks", "asyncio.streams")


@dataclass(frozen=True, slots=True)
class Held:
    """``entries`` of containers and callbacks of futures; ``characters`` of texts (or bytes)."""

    entries: int
    characters: int


def held(*roots: object) -> Held:
    """What can be reached from ``roots``."""
    seen: set[int] = set()
    waiting: list[Any] = list(roots)
    entries = characters = 0
    while waiting:
        thing = waiting.pop()
        if thing is None or isinstance(thing, int | float | type) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, str | bytes | bytearray):
            characters += len(thing)
        elif isinstance(thing, asyncio.Future):
            entries += len(thing._callbacks or ())
        elif isinstance(thing, dict | Mapping) and not _ours(thing):
            entries += len(thing)
            waiting += [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple | deque | Set):
            entries += 0 if isinstance(thing, tuple) else len(thing)
            waiting += thing
        elif _ours(thing):
            waiting += _fields(thing)
    return Held(entries, characters)


def _ours(thing: object) -> bool:
    return type(thing).__module__.startswith(_OURS)


def _fields(thing: object) -> list[Any]:
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*vars(thing).values()] if hasattr(thing, "__dict__") else [getattr(thing, name, None) for name in slots]


def busy(loop: asyncio.AbstractEventLoop) -> list[str]:
    """The tasks that have not ended, but for the one that asks, by their names; and the timers that have not come."""
    me = asyncio.current_task(loop)
    tasks = sorted(_shown(task) for task in asyncio.all_tasks(loop) if task is not me)
    timers = [repr(timer) for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]
    return tasks + timers


def _shown(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", str(task))
