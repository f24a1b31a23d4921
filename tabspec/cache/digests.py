"""Digests of document text: the completion cache's keys hold them in place of the text.

They are 128-bit XXH3 digests (xxhash.com): ten thousand states of a megabyte each would be ten gigabytes. For n
states the chance that any two collide is about n**2 / 2**129. XXH3 is no cryptographic hash; that is enough here,
because a user's keys are made of the user's own text.
"""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

# Characters hashed at a time. Copies of this size stay in the processor's cache and in malloc's pools; copies of a
# whole megabyte are mapped, faulted in and unmapped each time, which is five times slower.
_PIECE = 1 << 15


def digest(text: str, start: int = 0) -> int:
    """128-bit digest of ``text[start:]``."""
    state = xxhash.xxh3_128()
    _update(state, text, start, len(text))
    return state.intdigest()


def prefix_digests(text: str, lengths: Iterable[int]) -> list[tuple[int, int]]:
    """(length, digest of ``text[:length]``) for ``lengths`` in rising order, in one pass over the text."""
    state, done, result = xxhash.xxh3_128(), 0, []
    for length in lengths:
        _update(state, text, done, length)
        done = length
        result.append((length, state.intdigest()))
    return result


def _update(state: xxhash.xxh3_128, text: str, start: int, end: int) -> None:
    for i in range(start, end, _PIECE):
        state.update(text[i : min(i + _PIECE, end)].encode("utf-8", "surrogatepass"))
