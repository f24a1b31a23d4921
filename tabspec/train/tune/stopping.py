"""Fits the output row of ``<|eom|>`` of a trained model, so that it stops at the right places when serving.

In suffix-first training, nothing marks where the prefix ends and the middle begins. ``<|eom|>`` could follow any of
about 700 tokens, so the model learns a low probability for it. When serving, the cursor is known, and the middle has
about 15 tokens. So the log-odds are too low by about ln(700 / 15) = 3.8 (a fit of the bias alone gives 4.0).

When serving, ``<|eom|>`` is never an input. So its row of the tied embedding is used for its logit only, and can be
fitted without changing other outputs. The fit is a logistic regression on the hidden states after the tokens of
middles, with the other logits as an offset. It is convex.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from tabspec.errors import InputError
from tabspec.train.corpus.store import Corpus
from tabspec.train.examples import cuts
from tabspec.train.examples.fim import prefix_start, suffix_end
from tabspec.train.examples.tokenizer import EOM, FILE, PREFIX, SUFFIX, special_id
from tabspec.train.network import Network

# The cuts and shares of training, without `characters`, whose middles end at random places.
KINDS = tuple((kind, share) for kind, share in cuts.KINDS if kind is not cuts.characters)
LONGEST = 200  # tokens of a middle; longer ones would outweigh the many middles of one line
# The weight of the squared distance from the trained row in the loss; the bias has no such penalty. Of 1e-1 to 3e-4, it
# was the best on held-out projects with 171 examples (docs/decisions/2026-11-23-bundled-model.md).
PULL = 1e-2


@dataclass(frozen=True, slots=True)
class Endings:
    """The places after each token of some middles.

    ``hidden``: hidden states (places, hidden). ``others``: the logsumexp of all other tokens' logits (places,).
    ``ends``: 1 where the middle ends, otherwise 0 (places,).
    """

    hidden: Tensor
    others: Tensor
    ends: Tensor

    def loss(self, row: Tensor) -> Tensor:
        """The mean negative log-likelihood (nats per place) of stopping or continuing, with ``row`` for ``<|eom|>``."""
        return F.binary_cross_entropy_with_logits(self.hidden @ row - self.others, self.ends)


@torch.no_grad()
def collect(
    network: Network,
    tokenizer: Tokenizer,
    corpus: Corpus,
    examples: int,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Endings:
    """The outputs of the network after the tokens of ``examples`` middles, with prompts as in requests.

    The probability of a document is proportional to its size. Raises `InputError` if the corpus has too few middles.
    """
    tokenizer.encode_special_tokens = True
    rng = Random(f"{seed}/endings")
    sizes = np.array([entry.end - entry.start for entry in corpus], dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(len(corpus), size=20 * examples + 100, p=sizes / sizes.sum())
    output, eom = network.model.embed_tokens.weight, special_id(tokenizer, EOM)
    hidden, others, ends = [], [], []
    for index in drawn:
        made = _prompt(corpus.text(int(index)), corpus[int(index)].name, tokenizer, rng, network.shape.context)
        if made is None:
            continue
        ids, first = made
        states = network.hidden(torch.tensor([ids]))[0, first:]
        logits = F.linear(states, output).float()
        logits[:, eom] = -torch.inf
        hidden.append(states.float())
        others.append(logits.logsumexp(-1))
        ends.append(F.one_hot(torch.tensor(len(states) - 1), len(states)).float())
        progress(len(hidden))
        if len(hidden) == examples:
            return Endings(torch.cat(hidden), torch.cat(others), torch.cat(ends))
    raise InputError(
        "the corpus has too little text to learn where completions end; use a larger corpus or fewer examples"
    )


def _prompt(text: str, name: str, tokenizer: Tokenizer, rng: Random, context: int) -> tuple[list[int], int] | None:
    """The tokens up to the end of a middle, and the first place in it. None if the prompt or the middle is too long."""
    at = rng.randrange(max(len(text), 1))
    (kind,) = rng.choices([kind for kind, _ in KINDS], [share for _, share in KINDS])
    start, end = kind(text, at, rng)
    before = text[prefix_start(text, start, rng) : start]
    suffix = text[end : suffix_end(text, end, rng)]
    parts = tokenizer.encode_batch([name, suffix, before, before + text[start:end]], add_special_tokens=False)
    named, after, prefix, whole = (part.ids for part in parts)
    common = 0
    while common < min(len(prefix), len(whole)) and prefix[common] == whole[common]:
        common += 1
    head = [
        special_id(tokenizer, FILE),
        *named,
        special_id(tokenizer, SUFFIX),
        *after,
        special_id(tokenizer, PREFIX),
    ]
    if len(head) + len(whole) > context or len(whole) - common > LONGEST:
        return None
    return [*head, *whole], len(head) + common - 1


def fit_row(row: Tensor, endings: Endings, pull: float = PULL) -> Tensor:
    """The row of highest likelihood for ``endings``, kept near ``row`` (hidden,) except for a bias.

    The bias is added along a direction in which all hidden states have nearly the same component. There is one, because
    the hidden states are normalised.
    """
    states = endings.hidden
    ridge = torch.eye(states.shape[1]) * (0.1 * len(states) / states.shape[1])
    level = torch.linalg.solve(states.T @ states + ridge, states.sum(0))
    change = torch.zeros_like(row, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    solver = torch.optim.LBFGS([change, bias], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = endings.loss(row + change + bias * level) + pull * change.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    fitted: Tensor = (row + change + bias * level).detach()
    return fitted
