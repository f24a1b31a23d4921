"""Which part of a document a model gets to see."""

from __future__ import annotations

from dataclasses import dataclass

from tabspec.context import EditContext


@dataclass(frozen=True, slots=True)
class WindowSize:
    """Bounds in characters. ``step`` is by how much the start of the prefix window jumps.

    Defaults fit a context of 1,024 tokens of the bundled model at its 3.4 characters a token (measured on held-out
    code): about 680 tokens of prefix, 190 of suffix, the rest for related text and the suggestion.
    """

    prefix_chars: int = 2300
    suffix_chars: int = 640
    step: int = 768

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.prefix_chars or self.suffix_chars < 0:
            raise ValueError("a window needs 0 < step <= prefix_chars and suffix_chars >= 0")


def window(context: EditContext, size: WindowSize) -> tuple[str, str]:
    """(prefix, suffix) as the model sees them.

    The prefix window starts at a line start, which moves in jumps of about ``size.step`` characters as the text
    before the cursor grows: in between, typing only appends to the window, so that the KV cache of its
    beginning stays valid. The suffix window is cut behind a line end where there is one in its second half.
    """
    text, offset = context.document.text, context.offset
    start = 0
    if offset > size.prefix_chars:
        beyond = offset - size.prefix_chars
        jump = -(-beyond // size.step) * size.step  # rounded up, so that the window never exceeds its size
        line_start = text.find("\n", jump - 1, offset) + 1
        # A line longer than a step (data, minified code) is cut anywhere: a jump's worth of text must stay.
        start = line_start if 0 < line_start <= jump + size.step // 2 else min(jump, offset)
    suffix = text[offset : offset + size.suffix_chars]
    if len(suffix) == size.suffix_chars and offset + size.suffix_chars < len(text):
        line_end = suffix.rfind("\n", len(suffix) // 2)
        suffix = suffix[: line_end + 1] if line_end >= 0 else suffix
    return text[start:offset], suffix
