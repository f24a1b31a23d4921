"""Digests of document text: how the completion cache tells states apart without keeping them.

A key holds 128-bit XXH3 digests (xxhash.com) in place of the text: ten thousand states of a megabyte each would be
ten gigabytes. For n states the chance that any two collide is about n**2 / 2**129; XXH3 is no cryptographic
hash, which is enough where a user's keys are made of the user's own text.
"""

from __future__ import annotations

from collections.abc import Iterable

import xxhash


def digest(text: str) -> int:
    """128-bit digest of ``text``."""
    return xxhash.xxh3_128_intdigest(text.encode("utf-8", "surrogatepass"))


def prefix_digests(text: str, lengths: Iterable[int]) -> list[tuple[int, int]]:
    """(length, digest of ``text[:length]``) for ``lengths`` in rising order, in one pass over the text."""
    state, done, result = xxhash.xxh3_128(), 0, []
    for length in lengths:
        state.update(text[done:length].encode("utf-8", "surrogatepass"))
        done = length
        result.append((length, state.intdigest()))
    return result
