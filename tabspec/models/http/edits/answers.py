"""What the formats have in common in reading an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Ends of the families that these models were made from: Qwen, Seed-Coder, Llama. A server may write them out.
ENDS = ("<|endoftext|>", "<|im_end|>", "<|file_sep|>", "<[end▁of▁sentence]>", "</s>")
_FENCED = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def up_to(text: str, ends: Iterable[str] = ()) -> str:
    """The text before the first of the ends."""
    places = [at for end in (*ENDS, *ends) if (at := text.find(end)) >= 0]
    return text[: min(places)] if places else text


def without_fence(text: str) -> str:
    """The code in an answer that is one fenced block; any other answer as it is."""
    found = _FENCED.match(text)
    return found[1] if found else text


def aligned(text: str, region: str) -> str:
    """The answer with a line end after its last line where the region has one. Models add and leave out the last one,
    which changes nothing in the lines."""
    text = text.removesuffix("\n")
    return text + "\n" if region.endswith("\n") and text else text
