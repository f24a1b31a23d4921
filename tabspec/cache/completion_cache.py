"""The completion cache: what a model wrote, by the exact document state it was asked for.

A look-up finds what was asked for at this very state (*exact*), or at an earlier one from which the user has since
typed a part of the answer (*type-through*). Nothing is ever matched by resemblance.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cachetools import TTLCache

from tabspec.cache.digests import digest, prefix_digests
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.suggestion import GeneratedText


class CacheScope(NamedTuple):
    """Where states are comparable: equal scope, document and text behind the cursor.

    ``scope`` holds what the document does not show but answers depend on: the model's fingerprint and the window.
    """

    scope: Hashable
    uri: str
    suffix: int


class Key(NamedTuple):
    """One state: a place, and the length and digest of everything before the cursor."""

    place: CacheScope
    length: int
    prefix: int


@dataclass(slots=True)
class Entry:
    """What the model wrote at a state.

    ``kind`` tells as what future it was asked ahead ("" for a request's own), ``tokens`` how many tokens were decoded
    before anybody waited for it, ``served`` how many requests it has answered. A ``settled`` text ends where the rest
    would be cut off at that state, and may be no more than a beginning at another. An entry of next edits holds a chain
    of ``edits`` in place of a text.
    """

    generated: GeneratedText
    kind: str = ""
    tokens: int = 0
    served: int = 0
    settled: bool = False
    edits: tuple[ProposedEdit, ...] = ()

    @property
    def speculated(self) -> bool:
        return bool(self.kind)

    @property
    def bytes(self) -> int:
        """Memory that it takes: what its text and token lists hold, and for the rest about 900 bytes (tracemalloc,
        CPython 3.11: key, place, links of the LRU list, index)."""
        text = self.generated
        edits = sum(500 + sys.getsizeof(edit.change.insert) for edit in self.edits)  # 500: two objects and their fields
        return 900 + sys.getsizeof(text.text) + 40 * (len(text.ends) + len(text.logprobs)) + edits


class Hit(NamedTuple):
    """A look-up's answer: what is left of the entry's text at the state asked for."""

    entry: Entry
    generated: GeneratedText
    exact: bool


class CompletionCache(MutableMapping[Key, Entry]):
    """A `cachetools.TTLCache` (least recently used goes first) bounded in entries, bytes and seconds, with an index
    from places to the lengths that are known there.

    A look-up costs one digest of the text and of the suffix, and one step for each entry of this place that is at
    most as far back as the longest text kept there; the number of all entries does not matter.
    """

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: int = 16 << 20,
        ttl: float = 3600.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_entries = max_entries
        self.evictions = 0
        self._index: dict[CacheScope, _Lengths] = {}
        self._entries = _Store(max_bytes, ttl, timer, self._forget)

    @staticmethod
    def key(context: EditContext, scope: Hashable) -> Key:
        """The key of a document state."""
        ((_, prefix),) = prefix_digests(context.document.text, [context.offset])
        return Key(_place(context, scope), context.offset, prefix)

    def lookup(self, context: EditContext, scope: Hashable) -> Hit | None:
        """What is known for this state: exact, or the rest of what is being typed; the nearest earlier state wins.

        An exact entry whose text is empty is a hit, too: the model has nothing to say here.
        """
        place = _place(context, scope)
        known = self._index.get(place)
        if known is None:
            return None
        text, offset = context.document.text, context.offset
        lengths = known.within(offset - known.longest, offset)
        for length, prefix in reversed(prefix_digests(text, lengths)):
            entry = self._entries.get(Key(place, length, prefix))
            if entry is None:
                continue
            if length == offset:
                return Hit(entry, entry.generated, exact=True)
            rest = entry.generated.after_typing(text[length:offset])
            if rest is not None:
                return Hit(entry, rest, exact=False)
        return None

    def put(self, context: EditContext, scope: Hashable, entry: Entry) -> None:
        """Keep what the model wrote for this state. What does not fit at all is not kept."""
        self[self.key(context, scope)] = entry

    @property
    def bytes(self) -> int:
        """Bytes that the entries take, by their own estimate."""
        return int(self._entries.currsize)

    def __getitem__(self, key: Key) -> Entry:
        return self._entries[key]

    def __setitem__(self, key: Key, entry: Entry) -> None:
        if entry.bytes > self._entries.maxsize:
            return
        with self._entries.timer:  # time stands still: what is there does not expire in between
            if key in self._entries:
                del self[key]  # so that the index counts each key once
            while len(self._entries) >= self.max_entries:
                self._entries.popitem()
            self._entries[key] = entry
            self._index.setdefault(key.place, _Lengths()).add(key.length, len(entry.generated.text))

    def __delitem__(self, key: Key) -> None:
        del self._entries[key]
        self.evictions -= 1  # taken out on purpose

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, key: Key) -> None:
        self.evictions += 1
        lengths = self._index[key.place]
        lengths.remove(key.length)
        if not lengths:
            del self._index[key.place]


def _place(context: EditContext, scope: Hashable) -> CacheScope:
    return CacheScope(scope, context.uri, digest(context.document.text, context.offset))


class _Lengths:
    """The prefix lengths known at a place, each with the number of entries that have it."""

    __slots__ = ("_counts", "longest")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.longest = 0  # of the texts ever kept here: how far back a look-up has to go

    def add(self, length: int, text_length: int) -> None:
        self._counts[length] = self._counts.get(length, 0) + 1
        self.longest = max(self.longest, text_length)

    def remove(self, length: int) -> None:
        self._counts[length] -= 1
        if not self._counts[length]:
            del self._counts[length]

    def within(self, low: int, high: int) -> list[int]:
        """The known lengths from ``low`` to ``high``, rising; over the smaller of the range and the known."""
        if high - low < len(self._counts):
            return [length for length in range(max(low, 0), high + 1) if length in self._counts]
        return sorted(length for length in self._counts if low <= length <= high)

    def __bool__(self) -> bool:
        return bool(self._counts)


class _Store(TTLCache[Key, Entry]):
    """A TTLCache that tells when an entry goes, whatever the reason."""

    def __init__(self, max_bytes: int, ttl: float, timer: Callable[[], float], gone: Callable[[Key], None]) -> None:
        super().__init__(max_bytes, ttl, timer, getsizeof=lambda entry: entry.bytes)
        self._gone = gone

    def get(self, key: Key, default: Any = None) -> Any:
        with self.timer:  # Cache.get asks whether it is there, and then for it
            return super().get(key, default)

    def __delitem__(self, key: Key) -> None:
        with self.timer:  # time stands still: TTLCache removes an entry that has just expired, and then raises
            self.expire()
            super().__delitem__(key)
        self._gone(key)

    def expire(self, time: float | None = None) -> list[tuple[Key, Entry]]:
        expired = list(super().expire(time) or ())
        for key, _ in expired:
            self._gone(key)
        return expired
