"""How an answer may begin: the likeliest first tokens, under the constraint that generations are decoded under."""

from __future__ import annotations

import torch

from tabspec.models.local.logits import Logits
from tabspec.models.protocol import Beginning
from tabspec.models.tokens.vocabulary import Vocabulary


def beginnings(vocabulary: Vocabulary, row: Logits, rest: bytes, count: int) -> tuple[Beginning, ...]:
    """The ``count`` likeliest tokens that agree with ``rest``, the forced text left, and have text beyond it.

    Tokens that end within a character are left out. Log-probabilities are those among the tokens that agree. ``row``:
    logits, (vocabulary,).
    """
    logits = torch.from_numpy(row)
    allowed = torch.tensor(vocabulary.agreeing(rest)) if rest else torch.arange(len(logits))
    # stable: among equals the lowest id comes first, as in `choose`
    logprobs, order = logits[allowed].log_softmax(0).sort(descending=True, stable=True)
    found: dict[str, Beginning] = {}
    for logprob, place in zip(logprobs.tolist(), order.tolist(), strict=True):
        token = int(allowed[place])
        fresh = b"" if token in vocabulary.control else vocabulary.bytes_of[token][len(rest) :]
        try:
            text = fresh.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if text and text not in found:
            found[text] = Beginning(text, logprob)
            if len(found) == count:
                break
    return tuple(found.values())
