"""What the model answers: one pass over rows reads where it agrees with the true answers, and branches decode the rest.

A greedy answer is the true one up to the first token that differs. So the keys and values of the row serve it up to
there, and an answer that is right needs no decoding at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from tabspec.train.goals import SpecialIds
from tabspec.train.network import Network
from tabspec.train.reinforce.edits.batch import MomentBatch
from tabspec.train.reinforce.passes import Cache, embedded, heads, layers_of, prefill

# Tokens that are decoded after the first that differs. An answer that is not whole then is not shown.
LONGEST = 160
# Passes after which the branches that are over are dropped.
_KEPT = 16


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The pass over the rows: log-probabilities of the ``answers`` (goals, vocabulary) and of the ``tags``
    (goals, 3), and the keys and values."""

    answers: Tensor
    tags: Tensor
    cache: Cache

    @classmethod
    def of(cls, network: Network, batch: MomentBatch, special: SpecialIds) -> RowsRead:
        """The pass of ``network``."""
        hidden, cache = prefill(network, batch.ids)
        flat, table = hidden.flatten(0, 1), network.model.embed_tokens.weight
        answers = F.linear(flat[batch.places], table).float().log_softmax(-1)
        three = table[torch.tensor(special.tags, device=table.device)]
        return cls(answers, F.linear(flat[batch.tag_places], three).float().log_softmax(-1), cache)

    def place(self, batch: MomentBatch) -> Tensor:
        """Of each question, the probability of its place by the likeliest tag in its window: (questions,)."""
        return 1.0 - self.tags[batch.tags][..., 0].exp().amin(-1)

    def same(self, batch: MomentBatch, special: SpecialIds) -> Tensor:
        """Of each question, the log-probability that nothing changes: (questions,)."""
        return self.answers[batch.first, special.same]


@dataclass(frozen=True, slots=True)
class Greedy:
    """The greedy answers that change something, as far as they agree with the true ones: the first ``agreed`` tokens.
    ``token`` is the one that differs, ``least`` the lowest log-probability up to it, and ``begins`` that of the first
    token. (questions,) each. An answer is ``right`` if all of it agrees."""

    agreed: Tensor
    token: Tensor
    least: Tensor
    begins: Tensor
    right: Tensor

    @classmethod
    def of(cls, read: RowsRead, batch: MomentBatch, special: SpecialIds) -> Greedy:
        """From a pass over the rows."""
        chosen = read.answers.argmax(-1)
        begin = read.answers[batch.first]
        begin[:, special.same] = -math.inf
        chosen[batch.first] = begin.argmax(-1)
        index, there = batch.goals()
        agreed = ((chosen == batch.targets)[index] & there).cumprod(-1).sum(-1)
        right = agreed == batch.count
        at = batch.first + torch.where(right, batch.count - 1, agreed)
        logprobs = read.answers.gather(-1, chosen[:, None])[:, 0]
        within = torch.arange(index.shape[1], device=index.device) <= (at - batch.first)[:, None]
        least = logprobs[index].masked_fill(~within, 0.0).amin(-1)
        return cls(agreed, chosen[at], least, logprobs[batch.first], right)

    def at(self, questions: Tensor) -> Greedy:
        """Those of some questions."""
        return Greedy(*(getattr(self, each.name)[questions] for each in fields(Greedy)))


def extended(
    network: Network, far: Cache, at: Tensor, tokens: Tensor, near: Cache | None = None
) -> tuple[Tensor, Cache]:
    """The last hidden states of more ``tokens`` (branches, steps), and the keys and values of the branches.

    A branch sees ``far``, the keys and values of its row, before index ``at`` (branches,); and itself: ``near``, what
    was computed of it before."""
    done = near[0][0].shape[2] if near else 0
    steps, length = tokens.shape[1], far[0][0].shape[2]
    index = torch.arange(steps, device=tokens.device)
    position = at[:, None] + done + index
    cos, sin = network.cos[position][:, None], network.sin[position][:, None]
    seen = (torch.arange(length, device=tokens.device) < at[:, None])[:, None, None, None]
    itself = torch.arange(done + steps, device=tokens.device) <= done + index[:, None]
    x = embedded(network, tokens)
    kept: Cache = []
    for number, (layer, (keys, values)) in enumerate(zip(layers_of(network), far, strict=True)):
        q, k, v = heads(layer.self_attn, layer.input_layernorm(x), cos, sin)
        if near:
            k, v = torch.cat((near[number][0], k), 2), torch.cat((near[number][1], v), 2)
        kept.append((k, v))
        branches, kv, _, size = k.shape
        q = q.reshape(branches, kv, -1, steps, size) * size**-0.5
        before = torch.einsum("nkgtd,nkld->nkgtl", q, keys.to(q.dtype)).masked_fill(~seen, -math.inf)
        own = torch.einsum("nkgtd,nkpd->nkgtp", q, k.to(q.dtype)).masked_fill(~itself, -math.inf)
        weights = torch.cat((before, own), -1).float().softmax(-1).to(v.dtype)
        out = torch.einsum("nkgtl,nkld->nkgtd", weights[..., :length], values.to(v.dtype))
        out = out + torch.einsum("nkgtp,nkpd->nkgtd", weights[..., length:], v)
        x = x + layer.self_attn.o_proj(out.reshape(branches, -1, steps, size).transpose(1, 2).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return network.model.norm(x), kept


def rows_of(cache: Cache, row: Tensor) -> Cache:
    """The keys and values of some rows, by their numbers or by a mask."""
    return [(k[row], v[row]) for k, v in cache]


def decoded(
    network: Network, cache: Cache, row: Tensor, at: Tensor, greedy: Greedy, floor: Tensor, control: Tensor
) -> tuple[list[tuple[int, ...]], Tensor]:
    """The tokens of each branch, from the first that differs to the control token that ends it, and the lowest
    log-probability of its answer. A branch ends before, with no tokens at all, where that falls below ``floor``.

    ``row``, ``at``: where the first token stands; ``greedy``: of the branches alone; ``control`` (vocabulary,)."""
    token, least = greedy.token, greedy.least
    number = torch.arange(len(row), device=row.device)
    found = row.new_zeros((len(row), LONGEST))
    count, lowest = torch.zeros_like(row), least.clone()
    alive = least >= floor
    far: Cache = rows_of(cache, row)
    near: Cache | None = None
    for step in range(LONGEST):
        found[number[alive], step] = token[alive]
        over = alive & control[token]
        count[number[over]], lowest[number[over]] = step + 1, least[over]
        alive &= ~over
        if step % _KEPT == 0 or step == LONGEST - 1:
            if step == LONGEST - 1 or not bool(alive.any()):
                break
            number, at, token, least, floor = (each[alive] for each in (number, at, token, least, floor))
            far, near = rows_of(far, alive), rows_of(near, alive) if near else None
            alive = torch.ones_like(number, dtype=torch.bool)
        hidden, near = extended(network, far, at, token[:, None], near)
        logits = F.linear(hidden[:, 0], network.model.embed_tokens.weight).float()
        token = logits.argmax(-1)
        least = torch.minimum(least, logits.gather(-1, token[:, None])[:, 0] - logits.logsumexp(-1))
        alive &= least >= floor
    return [tuple(tokens[:n]) for tokens, n in zip(found.tolist(), count.tolist(), strict=True)], lowest
