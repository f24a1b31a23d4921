"""From a request to prompt tokens that fit into the model's context: a function of the text around the hole.

It does not depend on the forced text or on the tokens to come, so a prompt does not change while a line is typed.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence

from tabspec.errors import ModelError, PromptRefused
from tabspec.models.protocol import GenerationRequest
from tabspec.models.tokens.encoding import Encoder
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import writable
from tabspec.prompt.fim import FimFormat, FimInput, Special

# Positions kept free for the line in progress and the suggestion: a line of `WindowSize.step` characters has about
# 220 tokens. A quarter, where the whole context is shorter than 1,024.
RESERVE = 256
# A head that is too long loses its beginning in steps of this many characters: the prompt's start moves rarely.
STEP = 512


class Prompter:
    """Makes the prompts of one model: ``context`` positions, of which a reserve is kept for the answer."""

    def __init__(self, vocabulary: Vocabulary, form: FimFormat, context: int) -> None:
        self._vocabulary, self._format = vocabulary, form
        self.budget = context - min(RESERVE, context // 4)
        self.encode = Encoder(vocabulary)

    def prompt(self, head: str, request: GenerationRequest) -> array[int]:
        """Tokens up to the end of ``head``. Raises `ModelError` if the context is too short for any prompt.

        What does not fit is dropped: first the beginning of the head (at a line start), then related texts, then the
        end of the suffix.
        """
        related = tuple((text.path, writable(text.text)) for text in request.related)
        suffix = writable(request.suffix)
        for asked in (
            FimInput(head, suffix, request.path, related),
            FimInput(head, suffix, request.path),
            FimInput(head, suffix[: self.budget // 4], request.path),
            FimInput(head, "", ""),
        ):
            tokens = self._fit(asked)
            if tokens is not None:
                return tokens
        raise ModelError(f"the model's context is too short for a prompt ({self.budget} tokens)")

    def written_out(self, prompt: str | Sequence[int]) -> list[int]:
        """The tokens of a prompt that a client has rendered. In a text, names of control tokens become control tokens,
        and the token that prompts begin with is added. Raises `PromptRefused` if the prompt does not fit, or has an
        unknown token."""
        vocabulary = self._vocabulary
        if isinstance(prompt, str):
            names = sorted((name for name, number in vocabulary.ids.items() if number in vocabulary.control), key=len)
            marks = "|".join(map(re.escape, reversed(names)))
            parts = re.split(f"({marks})", writable(prompt)) if marks else [writable(prompt)]
            tokens = [vocabulary.ids[self._format.begin]] if self._format.begin else []
            for number, part in enumerate(parts):
                tokens += [vocabulary.ids[part]] if number % 2 else vocabulary.encode(part)
        else:
            tokens = list(prompt)
            if unknown := [token for token in tokens if not 0 <= token < vocabulary.size]:
                raise PromptRefused(f"the model has no token {unknown[0]}")
        if not tokens:
            raise PromptRefused("the prompt is empty")
        if len(tokens) > self.budget:
            raise PromptRefused(f"the prompt has {len(tokens)} tokens, and the model's context takes {self.budget}")
        return tokens

    def _fit(self, asked: FimInput) -> array[int] | None:
        """The prompt with as much of the head as fits; None if not even a short head does."""
        tokens = self._tokens(asked)
        if len(tokens) <= self.budget:
            return tokens
        starts = _starts(asked.head)

        def fits(start: int) -> bool:
            shorter = FimInput(asked.head[start:], asked.suffix, asked.path, asked.related)
            return len(self._tokens(shorter)) <= self.budget

        first = bisect_left(starts, True, key=fits)
        if first == len(starts):
            return None
        return self._tokens(FimInput(asked.head[starts[first] :], asked.suffix, asked.path, asked.related))

    def _tokens(self, asked: FimInput) -> array[int]:
        tokens = array("I")
        for part in self._format.render(asked):
            if isinstance(part, Special):
                tokens.append(self._vocabulary.ids[part.token])
            else:
                tokens += self.encode(part)
        return tokens


def _starts(head: str) -> list[int]:
    """Where a shortened head may start, ascending: every `STEP` characters, moved on to a line start if one is near;
    and its end, which leaves nothing."""
    lines = [(head.find("\n", place - 1, place + STEP // 2) + 1, place) for place in range(STEP, len(head), STEP)]
    return [*(line or place for line, place in lines), len(head)]
