"""Fill-in-the-middle examples: a window of a document as it is served, and the tokens it becomes.

Serving order (suffix first): ``<|file|>name<|suf|>suffix<|pre|>prefix`` and then the middle and ``<|eom|>``. Nothing
stands between prefix and middle, and both are tokenized as one text, so that typing and accepting only append to
the prompt, and its KV cache stays valid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tokenizers import Tokenizer

from tabspec.prompt.window import WindowSize
from tabspec.train.cuts import choose_middle
from tabspec.train.tokenizer import EOM, FILE, MIDDLE, PREFIX, RELATED, SUFFIX, special_id

SERVED = WindowSize()


class Order(StrEnum):
    """How the parts are arranged."""

    SUFFIX_FIRST = "spm"
    PREFIX_FIRST = "psm"  # the common order, kept for servers and tools that know no other
    LEFT_TO_RIGHT = "l2r"  # no suffix; the middle is empty unless the file's end is in it


# Fill-in-the-middle at 3 of 4 examples costs left-to-right modelling next to nothing ("FIM for free", Bavarian 2022).
ORDER_SHARES = {Order.SUFFIX_FIRST: 0.68, Order.PREFIX_FIRST: 0.07, Order.LEFT_TO_RIGHT: 0.25}
RELATED_SHARE = 0.10
NAMELESS_SHARE = 0.05
RELATED_CHARS = 900  # a quarter of the context
LEFT_TO_RIGHT_CHARS = 4_500  # more than 1,024 tokens: the row ends it


@dataclass(frozen=True, slots=True)
class Example:
    """A window of a document, cut in three; ``prefix + middle + suffix`` is a piece of the document.

    ``finished``: the middle ends here (``<|eom|>`` is written behind it). ``bare``: of left-to-right examples, whether
    the marker of an empty suffix is left out.
    """

    order: Order
    name: str
    prefix: str
    middle: str
    suffix: str = ""
    related: tuple[str, str] | None = None
    finished: bool = True
    bare: bool = False


def make_example(text: str, name: str, start: int, end: int, rng: Random, related: tuple[str, str] | None) -> Example:
    """An example whose middle begins in or near ``text[start:end]``. ``related`` is (name, text) of a file nearby."""
    name = "" if rng.random() < NAMELESS_SHARE else name
    (order,) = rng.choices(list(ORDER_SHARES), list(ORDER_SHARES.values()))
    if order is Order.LEFT_TO_RIGHT:
        begin = text.rfind("\n", 0, start) + 1
        stop = begin + LEFT_TO_RIGHT_CHARS
        return Example(order, name, text[begin:stop], "", finished=stop >= len(text), bare=rng.random() < 0.5)
    first, last = choose_middle(text, start, end, rng)
    begin = prefix_start(text, first, rng)
    stop = suffix_end(text, last, rng)
    if rng.random() >= RELATED_SHARE or related is None:
        related = None
    else:
        # the room for related text is taken from the prefix, as the prompt builder does
        begin = max(begin, text.find("\n", max(first - 1_400, 0), first) + 1)
    return Example(order, name, text[begin:first], text[first:last], text[last:stop], related)


def _log_uniform(low: float, high: float, rng: Random) -> int:
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))


def prefix_start(text: str, first: int, rng: Random) -> int:
    """Where the prefix window starts: mostly as served (full, moved in steps), else any length; at a line start."""
    if rng.random() < 0.65:
        wanted = SERVED.prefix_chars - rng.randrange(SERVED.step)
    else:
        wanted = _log_uniform(40, SERVED.prefix_chars, rng)
    if wanted >= first:
        return 0
    line = text.find("\n", first - wanted - 1, first) + 1
    return line if line > 0 else first - wanted


def suffix_end(text: str, last: int, rng: Random) -> int:
    """Where the suffix window ends: mostly as served (a line end in its second half), else any length or none."""
    place = rng.random()
    if place < 0.04:
        return last
    if place < 0.40:
        return last + _log_uniform(10, 1.2 * SERVED.suffix_chars, rng)
    stop = last + SERVED.suffix_chars
    line_end = text.rfind("\n", last + SERVED.suffix_chars // 2, stop)
    return line_end + 1 if stop < len(text) and line_end >= 0 else stop


class Encoder:
    """Turns examples into token ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        # A file that speaks of "<|eom|>" holds seven characters, not the token.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.ids = {name: special_id(tokenizer, name) for name in (EOM, FILE, PREFIX, SUFFIX, MIDDLE, RELATED)}

    def encode(self, examples: Sequence[Example], limit: int) -> list[list[int]]:
        """The ids of each example, at most ``limit`` of them: the prefix is shortened from the left to fit.

        Left-to-right examples are shortened from the right instead. An example whose suffix and middle alone do
        not fit becomes an empty list.
        """
        texts: list[str] = []
        for example in examples:
            texts += _texts(example)
        parts = iter([encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)])
        return [self._join(e, [next(parts) for _ in _texts(e)], limit) for e in examples]

    def _join(self, example: Example, parts: list[list[int]], limit: int) -> list[int]:
        ids = self.ids
        head = [ids[FILE], *parts[0]]
        if example.related:
            head += [ids[RELATED], *parts[-1]]
        end = [ids[EOM]] if example.finished else []
        if example.order is Order.LEFT_TO_RIGHT:
            head += [ids[PREFIX]] if example.bare else [ids[SUFFIX], ids[PREFIX]]
            return (head + parts[1] + end)[:limit]
        if example.order is Order.SUFFIX_FIRST:
            before, prefix, after = [*head, ids[SUFFIX], *parts[2], ids[PREFIX]], parts[1], end
        else:
            before, prefix = [*head, ids[PREFIX]], parts[1]
            after = [ids[SUFFIX], *parts[2], ids[MIDDLE], *parts[3], *end]
        room = limit - len(before) - len(after)
        if room < 1:
            return []
        return before + prefix[-room:] + after


def _texts(example: Example) -> list[str]:
    """The texts of an example that are tokenized, each on its own."""
    related = [f"{example.related[0]}\n{example.related[1]}"] if example.related else []
    if example.order is Order.PREFIX_FIRST:
        return [example.name, example.prefix, example.suffix, example.middle, *related]
    return [example.name, example.prefix + example.middle, example.suffix, *related]
