"""Round robin: items that wait, taken from one client after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class RoundRobin(Generic[Item]):
    """Items that wait, first in, first out for each client. `pop` takes clients in turn, so that a client with many
    items delays only itself."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[Item]] = {}  # in the order of turns

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def push(self, client: Hashable, item: Item) -> None:
        """Add an item after the others of this client."""
        self._queues.setdefault(client, deque()).append(item)

    def pop(self) -> Item:
        """Remove and return the first item of the client whose turn it is. Raises `IndexError` if no item waits."""
        if not self._queues:
            raise IndexError("no item waits")
        client = next(iter(self._queues))
        queue = self._queues.pop(client)
        item = queue.popleft()
        if queue:
            self._queues[client] = queue
        return item

    def discard(self, unwanted: Callable[[Item], bool]) -> None:
        """Remove all items for which ``unwanted`` returns true."""
        self._queues = {
            client: left
            for client, queue in self._queues.items()
            if (left := deque(item for item in queue if not unwanted(item)))
        }

    def others(self, client: Hashable) -> bool:
        """Whether an item of any other client waits."""
        return any(other != client for other in self._queues)
