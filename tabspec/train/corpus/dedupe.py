"""Exact and near duplicates, found without comparing all pairs: digests, and MinHash with locality-sensitive hashing.

Two files are near duplicates if the sets of their lines overlap by more than a threshold (Jaccard). Lines, not
character shingles: a renamed import or a changed licence head leaves most lines as they are, and a set of lines is
small enough to do tens of thousands of files a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import xxhash
from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

# 64 permutations estimate a Jaccard similarity of 0.7 with a standard error of 0.06: enough to sort out copies.
PERMUTATIONS = 64
THRESHOLD = 0.7
MIN_LINE = 6  # shorter lines ("}", "else:", "try:") stand in every file
MIN_LINES = 5  # with fewer distinct lines an overlap means nothing


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is compared of a text: a digest of all of it, and the MinHash of its lines (None: too few lines)."""

    digest: bytes
    sketch: MinHash | None


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a text. White space at line ends and indentation make no difference; order does."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    telling = [line for line in dict.fromkeys(lines) if len(line) >= MIN_LINE]
    digest = xxhash.xxh3_128_digest("\n".join(lines).encode("utf-8", "surrogatepass"))
    return Fingerprint(digest, _minhash(telling) if len(telling) >= MIN_LINES else None)


def _minhash(lines: list[str]) -> MinHash:
    sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    sketch.update_batch([xxhash.xxh32_intdigest(line.encode("utf-8", "surrogatepass")) for line in lines])
    return sketch


class Deduplicator:
    """Remembers what it has seen and says whether a text is new.

    The order matters: what comes first stays. Held-out texts are shown first, so that a copy of one is never
    trained on.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._exact: set[bytes] = set()
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._count = 0

    def is_new(self, text: Fingerprint) -> bool:
        """Whether neither the same nor nearly the same text was shown before. Remembers ``text`` if so."""
        if text.digest in self._exact:
            return False
        self._exact.add(text.digest)
        if text.sketch is None:
            return True
        if self._index.query(text.sketch):
            return False
        self._index.insert(self._count, text.sketch, check_duplication=False)
        self._count += 1
        return True
