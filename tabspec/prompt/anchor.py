"""The canonical cut: where the tokenizer's own tokens end and decoding under a constraint begins.

Why it must be a function of the text alone is told in docs/architecture.md.
"""

from __future__ import annotations


def canonical_cut(prefix: str) -> int:
    """Offset of the cut in ``prefix``: the start of the white-space run that holds the last line end; 0 without one.

    Line end and indentation stay together behind the cut, because tokenizers of code join them into one token.
    """
    line_end = max(prefix.rfind("\n"), prefix.rfind("\r"))
    if line_end < 0:
        return 0
    return len(prefix[: line_end + 1].rstrip())


def split(prefix: str) -> tuple[str, str]:
    """``prefix`` as (head, forced): the tokenizer's own tokens for the head, constrained decoding for the rest."""
    cut = canonical_cut(prefix)
    return prefix[:cut], prefix[cut:]
