"""Parts of long keys, which have no header: long runs of characters that look random."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tabspec.models.http.secrets.spans import SecretSpan, compiled, entropy

# Characters of base64 (both alphabets). 60: the shortest lines of keys in PEM and its relatives have 64 (70 and 76 in
# others); digests in base64 in ordinary files have 44 (SHA-256), or 88 after their name (SHA-512).
_RUN = compiled(r"[A-Za-z0-9+/_-]{60,}={0,2}")
# Longer than any digest in hexadecimal digits (SHA-512: 128).
_HEX = compiled(r"(?i)\b[0-9a-f]{129,}\b")
# 5 of 6 bits: random base64 of 60 characters has 5.0 to 5.6, names and paths of that length less than 4.6.
_RANDOM_BITS = 4.85
_DIGEST = re.compile(r"sha(?:256|384|512)-")

# A private key of 16384 bits takes 13,000 characters.
_FAR = 16_384
_BEGIN, _END = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"), "-----END "


def search(text: str, name: str) -> Iterator[SecretSpan]:
    """Runs of at least 60 characters that look random."""
    for match in _RUN.finditer(text):
        run, at = match.group(), match.start()
        if (
            entropy(run) >= _RANDOM_BITS
            and _mixed(run)
            and not (_DIGEST.match(run) or text.endswith(";base64,", 0, at))
        ):
            yield SecretSpan("part of a long key", at, match.end())
    for match in _HEX.finditer(text):
        yield SecretSpan("part of a long key", match.start(), match.end())


def inside(before: str, after: str) -> str:
    """Returns "private key" if the window is in the middle of one, else an empty text."""
    if "-----" not in before:
        return ""
    begins = [match.end() for match in _BEGIN.finditer(before, max(len(before) - _FAR, 0))]
    return "private key" if begins and _END not in before[begins[-1] :] else ""


def _mixed(run: str) -> bool:
    """Whether the shares of upper case, lower case and digits are about those of a random text."""
    share = len(run) / 20  # random: 8 of 20, 8 of 20, 3 of 20
    upper, lower = sum(map(str.isupper, run)), sum(map(str.islower, run))
    return upper >= 3 * share and lower >= 3 * share and sum(map(str.isdigit, run)) >= share
