"""The baseline without a neural network: nested n-gram caches over project and open file.

After Hellendoorn and Devanbu (2017), "Are deep neural networks the best choice for modeling source code?". One model
counts the project's other files; a second, nested in it, counts the open file. Each interpolates its n-gram orders.
The more often the inner model has seen the context, the more it weighs. Tokens are those of a model's tokenizer, so
that the results can be compared.

Witten-Bell smoothing at every order: the weight of the shorter context grows with the number of different tokens seen
after the longer one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

ORDER = 7  # seven sub-word tokens are three to four words; longer contexts are seldom seen twice


class NgramCounts:
    """Counts of the tokens seen after each context of up to ``order - 1`` tokens."""

    def __init__(self, order: int = ORDER) -> None:
        self.order = order
        self._next: dict[tuple[int, ...], dict[int, int]] = {}
        self._totals: dict[tuple[int, ...], int] = {}

    def add(self, tokens: Sequence[int]) -> None:
        """Count a text."""
        for end in range(len(tokens)):
            self.add_one(tokens, end)

    def remove(self, tokens: Sequence[int]) -> None:
        """Subtract the counts of a text that was counted with `add`."""
        for end, token in enumerate(tokens):
            for length in range(min(self.order - 1, end) + 1):
                context = tuple(tokens[end - length : end])
                counts = self._next[context]
                counts[token] -= 1
                self._totals[context] -= 1
                if not counts[token]:
                    del counts[token]
                if not counts:
                    del self._next[context], self._totals[context]

    def add_one(self, tokens: Sequence[int], end: int) -> None:
        """Count ``tokens[end]`` after each of the contexts before it."""
        token = tokens[end]
        for length in range(min(self.order - 1, end) + 1):
            context = tuple(tokens[end - length : end])
            counts = self._next.setdefault(context, {})
            counts[token] = counts.get(token, 0) + 1
            self._totals[context] = self._totals.get(context, 0) + 1

    def seen(self, context: tuple[int, ...]) -> tuple[dict[int, int], int]:
        """Counts of the tokens seen after ``context``, and their sum."""
        return self._next.get(context, {}), self._totals.get(context, 0)

    def contexts(self, tokens: Sequence[int]) -> list[tuple[int, ...]]:
        """The contexts that ``tokens`` ends with, shortest first, up to the longest that was counted."""
        found = []
        for length in range(min(self.order - 1, len(tokens)) + 1):
            context = tuple(tokens[len(tokens) - length :])
            if context not in self._totals:
                break
            found.append(context)
        return found


class NestedNgram:
    """Nested counts, from the outermost (the project) to the innermost (the open file)."""

    def __init__(self, levels: Sequence[NgramCounts], vocabulary: int) -> None:
        self._levels, self._vocabulary = levels, vocabulary

    def probability(self, tokens: Sequence[int], token: int) -> float:
        """Probability that ``token`` follows ``tokens``. It is positive, and the sum over all tokens is 1."""
        return self._mixed(tokens, {token})[token]

    def _mixed(self, tokens: Sequence[int], wanted: Iterable[int]) -> dict[int, float]:
        """Probabilities of the tokens ``wanted``, interpolated over all contexts, from uniform to the longest."""
        chances = dict.fromkeys(wanted, 1.0 / self._vocabulary)
        for level in self._levels:
            for context in level.contexts(tokens):
                counts, total = level.seen(context)
                kinds = len(counts)
                for token, chance in chances.items():
                    chances[token] = (counts.get(token, 0) + kinds * chance) / (total + kinds)
        return chances

    def best(
        self, tokens: Sequence[int], allowed: Callable[[int], bool] = lambda token: True
    ) -> tuple[int, float] | None:
        """The most likely next token of those ``allowed``, and its probability. None if no context has an allowed one.

        The candidates are the tokens seen after the three longest contexts of each level that have an allowed token.
        Other tokens are less likely.
        """
        candidates: set[int] = set()
        for level in self._levels:
            used = 0
            for context in reversed(level.contexts(tokens)):
                counts, _ = level.seen(context)
                # thousands of tokens may follow a short context; the most frequent ones suffice
                chosen = sorted(filter(allowed, counts), key=lambda t: -counts[t])[:20]
                candidates.update(chosen)
                used += bool(chosen)
                if used == 3:
                    break
        if not candidates:
            return None
        chances = self._mixed(tokens, candidates)
        token = max(sorted(chances), key=lambda t: chances[t])
        return token, chances[token]

    def bits(self, tokens: Sequence[int], grow: bool = True) -> float:
        """Bits of a text, left to right. With ``grow``, the innermost level counts each token once it is scored."""
        total = 0.0
        innermost = self._levels[-1]
        for end, token in enumerate(tokens):
            before = tokens[max(0, end - innermost.order + 1) : end]
            total -= math.log2(self.probability(before, token))
            if grow:
                innermost.add_one(tokens, end)
        return total


@dataclass(frozen=True, slots=True)
class NgramText:
    """A text generated by n-grams, its tokens, and their natural log-probabilities. ``lengths``: the number of
    characters before each token."""

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    lengths: tuple[int, ...]


def write(
    nested: NestedNgram,
    head: Sequence[int],
    forced: str,
    piece: Callable[[int], str],
    first: Callable[[str], int],
    over: Callable[[str], bool],
    most: int,
) -> NgramText:
    """Generate greedily after the tokens ``head``, until ``over(text)`` or ``most`` tokens.

    The output must start with ``forced``, which is not part of the result. This constrained decoding is that of the
    models (docs/design/decoding.md). It keeps the context useful if the cursor is within a token. ``piece`` returns a
    token's text. ``first`` returns the tokenizer's first token of a text, for forced text that was never counted.
    """
    tokens, text = list(head), ""
    written: list[tuple[int, float, int]] = []

    def agrees(token: int) -> bool:
        token_text = piece(token) if forced else ""
        return forced.startswith(token_text) or token_text.startswith(forced)

    while len(written) < most and not over(text):
        found = nested.best(tokens[-ORDER:], agrees)
        if found is None and not forced:
            break
        token, chance = found or (first(forced), 1.0)
        tokens.append(token)
        token_text = piece(token)
        if forced and not token_text.startswith(forced):
            forced = forced[len(token_text) :]
            continue
        if token_text != forced:  # otherwise the token ends at the cursor
            written.append((token, math.log(chance), len(text)))
        text += token_text[len(forced) :]
        forced = ""
    return (
        NgramText(text, *(tuple(column) for column in zip(*written, strict=True)))
        if written
        else NgramText("", (), (), ())
    )
