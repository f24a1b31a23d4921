"""Whose turn it is: one queue for several clients, served round robin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """Items in line, each behind those of its own client. `pop` goes round the clients that have something in line, so
    that a client with much in line waits for itself and not the others for it."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, deque[Item]] = {}  # the first client is the next one

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def push(self, client: Hashable, item: Item) -> None:
        """Put ``item`` behind what this client has in line."""
        self._lines.setdefault(client, deque()).append(item)

    def pop(self) -> Item:
        """The first item of the client whose turn it is; the client goes to the end of the round. Raises IndexError if
        nothing is in line."""
        if not self._lines:
            raise IndexError("nothing is in line")
        client = next(iter(self._lines))
        line = self._lines.pop(client)
        item = line.popleft()
        if line:
            self._lines[client] = line
        return item

    def discard(self, wanted: Callable[[Item], bool]) -> None:
        """Take all items out for which ``wanted`` holds."""
        self._lines = {
            client: left for client, line in self._lines.items() if (left := deque(i for i in line if not wanted(i)))
        }

    def others(self, client: Hashable) -> bool:
        """Whether somebody else than ``client`` has something in line."""
        return any(other != client for other in self._lines)
