"""Finds exact duplicates by digests, and near duplicates by MinHash with locality-sensitive hashing.

Two files are near duplicates if the Jaccard similarity of their sets of lines is above a threshold. A renamed import or
another licence header leaves most lines equal. Sets of lines are smaller than sets of character shingles, so tens of
thousands of files are processed in a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import xxhash
from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

# 64 permutations estimate a Jaccard similarity of 0.7 with a standard error of 0.06: enough to find copies.
PERMUTATIONS = 64
THRESHOLD = 0.7
MIN_LINE = 6  # characters; shorter lines ("}", "else:", "try:") are in every file
MIN_LINES = 5  # with fewer distinct lines, similarity is often chance


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of the whole text, and the MinHash of its lines (None if it has too few)."""

    digest: bytes
    sketch: MinHash | None


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a text. Indentation, blank lines and white space at line ends are ignored."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    distinctive = [line for line in dict.fromkeys(lines) if len(line) >= MIN_LINE]
    digest = xxhash.xxh3_128_digest("\n".join(lines).encode("utf-8", "surrogatepass"))
    return Fingerprint(digest, _minhash(distinctive) if len(distinctive) >= MIN_LINES else None)


def _minhash(lines: list[str]) -> MinHash:
    sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
    sketch.update_batch([xxhash.xxh32_intdigest(line.encode("utf-8", "surrogatepass")) for line in lines])
    return sketch


class Deduplicator:
    """Recognizes duplicates of earlier texts.

    The first of several duplicates is kept. Callers add held-out texts first, so that no copy of them is trained on.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._exact: set[bytes] = set()
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._count = 0

    def is_new(self, text: Fingerprint) -> bool:
        """Whether no equal or similar text was added before. If so, ``text`` is added."""
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
