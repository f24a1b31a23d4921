"""Which part of a document a model sees, and where in it decoding under a constraint begins.

Both must be functions of the document alone: docs/design/decoding.md gives the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.config import EngineConfig
from tabspec.context import EditContext


@dataclass(frozen=True, slots=True)
class WindowSize:
    """Bounds in characters. The start of the prefix window moves in jumps of ``step``. Raises ValueError if they do not
    fit together.

    Defaults fit a context of 1,024 tokens of the bundled model at its 3.4 characters a token (measured on held-out
    code): about 680 tokens of prefix, 190 of suffix, the rest for related text and the suggestion.
    """

    prefix_chars: int = 2300
    suffix_chars: int = 640
    step: int = 768

    @classmethod
    def of(cls, config: EngineConfig) -> WindowSize:
        """The window that these settings ask for."""
        return cls(config.prefix_chars, config.suffix_chars, max(config.prefix_chars // 3, 1))

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.prefix_chars or self.suffix_chars < 0:
            raise ValueError("a window needs 0 < step <= prefix_chars and suffix_chars >= 0")


# Characters before and after the window that the n-gram cache of the open file searches: 17,000 tokens in all, in 50
# microseconds. Both ends lie at multiples of a block, so that they move rarely.
MEMORY_CHARS = 32 * 1024
MEMORY_BLOCK = 4 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """What the model sees: ``head`` (tokenized as it is), ``forced`` (decoded under a constraint), ``suffix``; and the
    text ``before`` and ``after`` these, for the n-gram cache of the open file.

    ``scope`` identifies the states between which answers may be reused: while it is equal, typing a suggestion leaves
    the beginning of the prompt unchanged.
    """

    head: str
    forced: str
    suffix: str
    scope: tuple[int, int]
    before: str = ""
    after: str = ""


def canonical_cut(text: str) -> int:
    """Offset in ``text`` of the start of the white-space run that holds its last line end; 0 without a line end.

    Line end and indentation stay together after the cut, because tokenizers of code join them into one token.
    """
    line_end = max(text.rfind("\n"), text.rfind("\r"))
    if line_end < 0:
        return 0
    return len(text[: line_end + 1].rstrip())


def window(context: EditContext, size: WindowSize) -> Window:
    """The window around a cursor.

    The prefix window starts at a line start, which moves in jumps of about ``size.step`` characters as the text
    before the cursor grows: in between, typing only appends to the window, so that the KV cache of its
    beginning stays valid. The suffix window ends after a line end if there is one in its second half.
    A line of more than ``size.step`` characters (data, minified code) is cut every ``size.step`` characters.
    """
    text, offset = context.document.text, context.offset
    # Twice the window is enough to find the cut: farther back it would be outside the window.
    seen_from = max(offset - 2 * size.prefix_chars, 0)
    cut = seen_from + canonical_cut(text[seen_from:offset])
    forced_cut = -1
    if offset - cut > size.step:
        # Multiples of step in the document, not in the line: the same for every cursor of the neighbourhood.
        forced_cut = cut = (offset - 1) // size.step * size.step
    start = _start(text, cut, size)
    suffix = text[offset : offset + size.suffix_chars]
    if offset + size.suffix_chars < len(text):
        line_end = suffix.rfind("\n", len(suffix) // 2)
        suffix = suffix[: line_end + 1] if line_end >= 0 else suffix
    end = offset + len(suffix)
    first = max(start - MEMORY_CHARS, 0) // MEMORY_BLOCK * MEMORY_BLOCK
    last = len(text) - max(len(text) - end - MEMORY_CHARS, 0) // MEMORY_BLOCK * MEMORY_BLOCK
    return Window(
        text[start:cut], text[cut:offset], suffix, (start, forced_cut), before=text[first:start], after=text[end:last]
    )


def _start(text: str, cut: int, size: WindowSize) -> int:
    """Where the prefix window starts for a cut at offset ``cut``: within ``size.prefix_chars`` before it."""
    beyond = cut + size.step - size.prefix_chars  # the forced text may take up to a step
    if beyond <= 0:
        return 0
    jump = -(-beyond // size.step) * size.step
    line_start = text.find("\n", jump - 1, cut) + 1
    return line_start if 0 < line_start <= jump + size.step // 2 else min(jump, cut)
