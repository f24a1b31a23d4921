"""Fill-in-the-middle examples: a window of a document as in a request, and its tokens.

The order of requests is suffix first: ``<|file|>name<|suf|>suffix<|pre|>prefix``, then the middle and ``<|eom|>``.
Prefix and middle are tokenized as one text. So typing and accepting only append to the prompt, and its KV cache stays
valid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tokenizers import Encoding, Tokenizer

from tabspec.prompt.window import WindowSize
from tabspec.train.examples.cuts import choose_middle
from tabspec.train.examples.parts import Part
from tabspec.train.examples.related import RelatedFiles
from tabspec.train.examples.tokenizer import EOM, FILE, MIDDLE, PREFIX, RELATED, SUFFIX, special_id

SERVED = WindowSize()


class Order(StrEnum):
    """The order of the parts of an example."""

    SUFFIX_FIRST = "spm"
    PREFIX_FIRST = "psm"  # the common order, for servers and tools that support no other
    LEFT_TO_RIGHT = "l2r"  # no suffix; with a middle only if the file ends within the example


# With three fill-in-the-middle examples in four, left-to-right loss hardly grows ("FIM for free", Bavarian 2022).
ORDER_SHARES = {Order.SUFFIX_FIRST: 0.72, Order.PREFIX_FIRST: 0.04, Order.LEFT_TO_RIGHT: 0.24}
# About the share of requests that have related text. The model must also work without it.
RELATED_SHARE = 0.35
NAMELESS_SHARE = 0.05
# About 1,200 tokens, as in a request with related text. A few are longer, so that all positions are trained.
LEFT_TO_RIGHT_CHARS, LONG_CHARS, LONG_SHARE = 4_500, 9_000, 0.15
# If a file ends within a left-to-right example: the most characters of its middle, where <|eom|> competes.
LAST_CHARS = 500


@dataclass(frozen=True, slots=True)
class Example:
    """A window of a document in three parts: ``prefix + middle + suffix`` is a piece of the document.

    ``related``: pieces of other files. ``finished``: ``<|eom|>`` follows the middle. ``bare``: a left-to-right example
    without the marker of its empty suffix.
    """

    order: Order
    name: str
    prefix: str
    middle: str
    suffix: str = ""
    related: RelatedFiles = ()
    finished: bool = True
    bare: bool = False


def make_example(
    text: str, name: str, start: int, end: int, rng: Random, related: Callable[[str, str], RelatedFiles]
) -> Example:
    """An example whose middle begins in or near ``text[start:end]``.

    ``related`` returns pieces of other files, given the texts before and after the middle. It is called for some
    examples only, and never gets the middle.
    """
    name = "" if rng.random() < NAMELESS_SHARE else name
    (order,) = rng.choices(list(ORDER_SHARES), list(ORDER_SHARES.values()))
    if order is Order.LEFT_TO_RIGHT:
        begin = text.rfind("\n", 0, start) + 1
        stop = begin + (LONG_CHARS if rng.random() < LONG_SHARE else LEFT_TO_RIGHT_CHARS)
        finished = stop >= len(text)
        cut = rng.randint(max(begin, len(text) - LAST_CHARS), len(text)) if finished else stop
        return Example(order, name, text[begin:cut], text[cut:stop], finished=finished, bare=rng.random() < 0.5)
    first, last = choose_middle(text, start, end, rng)
    begin = prefix_start(text, first, rng)
    stop = suffix_end(text, last, rng)
    prefix, suffix = text[begin:first], text[last:stop]
    pieces = related(prefix, suffix) if rng.random() < RELATED_SHARE else ()
    return Example(order, name, prefix, text[first:last], suffix, pieces)


def _log_uniform(low: float, high: float, rng: Random) -> int:
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))


def prefix_start(text: str, first: int, rng: Random) -> int:
    """Start of the prefix window, at a line start: mostly as in requests (moved in steps), otherwise of any length."""
    if rng.random() < 0.65:
        wanted = SERVED.prefix_chars - rng.randrange(SERVED.step)
    else:
        wanted = _log_uniform(40, SERVED.prefix_chars, rng)
    if wanted >= first:
        return 0
    line = text.find("\n", first - wanted - 1, first) + 1
    return line if line > 0 else first - wanted


def suffix_end(text: str, last: int, rng: Random) -> int:
    """End of the suffix window: mostly as in requests (at a line end), otherwise of any length, or empty."""
    place = rng.random()
    if place < 0.04:
        return last
    if place < 0.40:
        return last + _log_uniform(10, 1.2 * SERVED.suffix_chars, rng)
    stop = last + SERVED.suffix_chars
    line_end = text.rfind("\n", last + SERVED.suffix_chars // 2, stop)
    return line_end + 1 if stop < len(text) and line_end >= 0 else stop


class ExampleEncoder:
    """Turns examples into tokens, each marked with its `Part`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        # The text "<|eom|>" in a file is encoded as seven characters, not as the special token.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.ids = {name: special_id(tokenizer, name) for name in (EOM, FILE, PREFIX, SUFFIX, MIDDLE, RELATED)}

    def encode(self, examples: Sequence[Example], limit: int) -> list[list[int]]:
        """The tokens of each example, at most ``limit`` of them. The prefix is cut at its start to fit.

        Left-to-right examples are cut at their end instead. If an example does not fit even without its prefix, its
        list is empty.
        """
        texts: list[str] = []
        for example in examples:
            texts += _texts(example)
        parts = iter(self._tokenizer.encode_batch(texts, add_special_tokens=False))
        return [self._join(e, [next(parts) for _ in _texts(e)], limit) for e in examples]

    def _join(self, example: Example, parts: list[Encoding], limit: int) -> list[int]:
        ids = self.ids
        head = [ids[FILE], *parts[0].ids]
        for piece in parts[len(parts) - len(example.related) :]:
            head += [ids[RELATED], *piece.ids]
        end = [ids[EOM]] if example.finished else []
        if example.order is Order.PREFIX_FIRST:
            before, prefix = [*head, ids[PREFIX]], Part.PREFIX.mark(parts[1].ids)
            after = [ids[SUFFIX], *parts[2].ids, ids[MIDDLE], *Part.MIDDLE.mark(parts[3].ids + end)]
        else:
            suffix = [] if example.bare else [ids[SUFFIX], *parts[2].ids]
            written, first = parts[1].ids, _first_of_middle(example, parts[1])
            before, prefix = [*head, *suffix, ids[PREFIX]], Part.PREFIX.mark(written[:first])
            after = Part.MIDDLE.mark(written[first:] + end)
        if example.order is Order.LEFT_TO_RIGHT:
            return (before + prefix + after)[:limit]
        room = limit - len(before) - len(after)
        if room < 1:
            return []
        return before + prefix[-room:] + after


def _first_of_middle(example: Example, written: Encoding) -> int:
    """The index of the first token of prefix and middle that extends beyond the end of the prefix."""
    first = written.char_to_token(len(example.prefix)) if example.middle else None
    return len(written.ids) if first is None else first


def _texts(example: Example) -> list[str]:
    """The texts of an example, each of which is tokenized separately."""
    related = [f"{name}\n{text}" for name, text in example.related]
    if example.order is Order.PREFIX_FIRST:
        return [example.name, example.prefix, example.suffix, example.middle, *related]
    return [example.name, example.prefix + example.middle, example.suffix, *related]
