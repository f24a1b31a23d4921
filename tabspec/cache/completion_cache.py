"""The completion cache: what a model wrote, by the exact document state it was asked for.

A look-up finds the text of exactly this state (*exact*), or the rest of the text of an earlier state if the user has
since typed its beginning (*type-through*). Similar states never match.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

from cachetools import LRUCache

from tabspec.cache.digests import digest, prefix_digests
from tabspec.context import EditContext
from tabspec.edits.edit import ProposedEdit
from tabspec.suggestion import GeneratedText, Reason, Suggestion


class CacheScope(NamedTuple):
    """What two states must share to be comparable: scope, document and text after the cursor.

    ``scope`` holds what else answers depend on: the model's fingerprint and the window. ``suffix`` is a digest.
    """

    scope: Hashable
    uri: str
    suffix: int


class Key(NamedTuple):
    """One state: its scope, and the length and digest of the text before the cursor."""

    place: CacheScope
    length: int
    prefix: int


@dataclass(slots=True)
class Entry:
    """What the model wrote at a state.

    ``kind`` is the kind of its speculation ("" for a request's own generation), ``tokens`` how many tokens were decoded
    before a request waited for it, ``served`` how many requests it has answered. A text ``at_cut_point`` ends where the
    rest would be cut off at that state; at another state it may be incomplete. ``fitted`` is what post-processing makes
    of it at its own state, once that was computed. An entry of next edits holds a chain of ``edits`` in place of a
    text.
    """

    generated: GeneratedText
    kind: str = ""
    tokens: int = 0
    served: int = 0
    at_cut_point: bool = False
    fitted: Suggestion | Reason | None = None
    edits: tuple[ProposedEdit, ...] = ()

    @property
    def speculated(self) -> bool:
        return bool(self.kind)

    @property
    def bytes(self) -> int:
        """Memory that it takes, in bytes: its text twice (the suggestion has one, too), its token lists, and about
        1,100 bytes for key, scope, links of the LRU list, index and suggestion (measured by tracemalloc, CPython 3.11).
        """
        text = self.generated
        edits = sum(500 + sys.getsizeof(edit.change.insert) for edit in self.edits)  # 500: two objects and their fields
        return 1100 + 2 * sys.getsizeof(text.text) + 40 * (len(text.ends) + len(text.logprobs)) + edits


class Hit(NamedTuple):
    """The result of a look-up: an entry, and what is left of its text at the requested state."""

    entry: Entry
    generated: GeneratedText
    exact: bool


class CompletionCache(LRUCache[Key, Entry]):
    """A cache that evicts the least recently used entry first, bounded in bytes, with an index from scopes to the
    prefix lengths of their entries. Entries do not age: one is as right as on the day it was made.

    A look-up costs one digest of the prefix and of the suffix, and one step for each entry of this scope that is at
    most as far back as the longest text kept there. It does not depend on the number of all entries.
    """

    def __init__(self, max_bytes: int = 16 << 20) -> None:
        super().__init__(max_bytes, getsizeof=lambda entry: entry.bytes)
        self.evictions = 0
        self._index: dict[CacheScope, _Lengths] = {}

    @staticmethod
    def key(context: EditContext, scope: Hashable) -> Key:
        """The key of a document state."""
        ((_, prefix),) = prefix_digests(context.document.text, [context.offset])
        return Key(_place(context, scope), context.offset, prefix)

    def lookup(self, context: EditContext, scope: Hashable) -> Hit | None:
        """The entry of this state, or the rest of an earlier one that is being typed; the nearest earlier state wins.

        An exact entry with an empty text is a hit, too: the model suggests nothing here.
        """
        place = _place(context, scope)
        known = self._index.get(place)
        if known is None:
            return None
        text, offset = context.document.text, context.offset
        lengths = known.within(offset - known.longest, offset)
        for length, prefix in reversed(prefix_digests(text, lengths)):
            entry = self.get(Key(place, length, prefix))
            if entry is None:
                continue
            if length == offset:
                return Hit(entry, entry.generated, exact=True)
            rest = entry.generated.after_typing(text[length:offset])
            if rest is not None:
                return Hit(entry, rest, exact=False)
        return None

    def put(self, context: EditContext, scope: Hashable, entry: Entry) -> None:
        """Store what the model wrote for this state. An entry larger than the whole cache is not stored."""
        if entry.bytes > self.maxsize:
            return
        key = self.key(context, scope)
        self.pop(key, None)  # so that the index counts each key once
        self[key] = entry
        self._index.setdefault(key.place, _Lengths()).add(key.length, len(entry.generated.text))

    @property
    def bytes(self) -> int:
        """Bytes that the entries take, by `Entry.bytes`."""
        return int(self.currsize)

    def popitem(self) -> tuple[Key, Entry]:
        """Evict the entry that was not used for the longest time."""
        evicted = super().popitem()
        self.evictions += 1
        return evicted

    def clear(self) -> None:
        """Forget all entries. They do not count as evicted."""
        super().clear()
        self._index.clear()

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        lengths = self._index[key.place]
        lengths.remove(key.length)
        if not lengths:
            del self._index[key.place]


def _place(context: EditContext, scope: Hashable) -> CacheScope:
    return CacheScope(scope, context.uri, digest(context.document.text, context.offset))


class _Lengths:
    """The prefix lengths of the entries of a scope, each with the number of entries that have it."""

    __slots__ = ("_counts", "longest")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.longest = 0  # of all texts ever kept in this scope: how far back a look-up must search

    def add(self, length: int, text_length: int) -> None:
        self._counts[length] = self._counts.get(length, 0) + 1
        self.longest = max(self.longest, text_length)

    def remove(self, length: int) -> None:
        self._counts[length] -= 1
        if not self._counts[length]:
            del self._counts[length]

    def within(self, low: int, high: int) -> list[int]:
        """The known lengths from ``low`` to ``high``, rising. Costs the smaller of the range and their number."""
        if high - low < len(self._counts):
            return [length for length in range(max(low, 0), high + 1) if length in self._counts]
        return sorted(length for length in self._counts if low <= length <= high)

    def __bool__(self) -> bool:
        return bool(self._counts)
