"""Decodes after all cursors of a batch at once: greedily as when serving, or by drawing from the distribution.

The row's keys and values are computed once. A branch sees those before its start, and its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tabspec.train.network import Network
from tabspec.train.reinforce.completions.rows import Batch
from tabspec.train.reinforce.completions.shown import CONFIG
from tabspec.train.reinforce.passes import Cache, embedded, heads, layers_of, prefill

_LEAST, _FIRST = (-math.inf if each is None else each for each in CONFIG.doubt)


@dataclass(frozen=True, slots=True)
class CursorTensors:
    """A `Batch` as tensors on the device that computes."""

    ids: Tensor
    first: Tensor
    length: Tensor
    start: Tensor
    valid: Tensor
    low: Tensor
    high: Tensor
    typed: Tensor
    shorter: Tensor

    @classmethod
    def of(cls, batch: Batch, device: torch.device | str) -> CursorTensors:
        """The batch on ``device``."""
        names = ("ids", "first", "length", "start", "valid", "low", "high", "typed", "shorter")
        return cls(*(torch.from_numpy(getattr(batch, name)).to(device) for name in names))


@dataclass(frozen=True, slots=True)
class TokenTensors:
    """What decoding knows of the tokens: their rank in the order of their bytes (-1: control tokens), their lengths in
    bytes, and whether they hold a line end, or something that is not blank. (vocabulary,) each."""

    rank: Tensor
    size: Tensor
    line_end: Tensor
    visible: Tensor

    @classmethod
    def of(cls, rank: NDArray[np.int64], bytes_of: Sequence[bytes], device: torch.device | str) -> TokenTensors:
        """Of a vocabulary (`tabspec.train.reinforce.completions.rows.SortedTokens`), on ``device``."""
        return cls(
            torch.as_tensor(rank, device=device),
            torch.tensor([len(data) for data in bytes_of], device=device),
            torch.tensor([b"\n" in data for data in bytes_of], device=device),
            torch.tensor([bool(data.strip()) for data in bytes_of], device=device),
        )


@dataclass(frozen=True, slots=True)
class Written:
    """The tokens of each branch and their log-probabilities, (rows, branches, steps), of which the first ``count``
    count: (rows, branches). The last one may be a control token, or too unlikely."""

    tokens: Tensor
    logprobs: Tensor
    count: Tensor


@torch.no_grad()
def decode(
    network: Network, places: CursorTensors, words: TokenTensors, steps: int, generator: torch.Generator | None = None
) -> Written:
    """What the network writes after each cursor, at most ``steps`` tokens. With a ``generator``, tokens are drawn."""
    hidden, cache = prefill(network, places.ids)
    rows, width = places.start.shape
    at = hidden.gather(1, (places.start - 1)[..., None].expand(-1, -1, hidden.shape[-1]))
    logits = F.linear(at, network.model.embed_tokens.weight).float()
    agreeing, covering = allowed(places, words)
    total = logits.masked_fill(~agreeing, -math.inf).logsumexp(-1)
    logits = logits.masked_fill(~covering, -math.inf)
    tokens = logits.new_zeros((rows, width, steps), dtype=torch.long)
    logprobs = logits.new_zeros((rows, width, steps))
    count = torch.zeros_like(places.start)
    alive = places.valid.clone()
    begun = torch.zeros_like(alive)
    seen = torch.zeros_like(alive)
    own: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in network.model.layers]
    for step in range(steps):
        token = _pick(logits, generator)
        logprob = logits.gather(-1, token[..., None])[..., 0] - total
        tokens[..., step] = torch.where(alive, token, 0)
        logprobs[..., step] = torch.where(alive, logprob, 0.0)
        count += alive
        fresh = words.size[token] > (places.typed if step == 0 else 0)
        enough = torch.where(begun, logprob >= _LEAST, logprob >= _FIRST) | ~fresh
        over = (words.rank[token] < 0) | ~enough | (words.line_end[token] & (seen | words.visible[token]) & fresh)
        alive &= ~over
        begun |= fresh
        seen |= words.visible[token] & fresh
        if step == steps - 1 or not bool(alive.any()):
            break
        logits = _step(network, token, places.start + step, places.start, cache, own)
        total = logits.logsumexp(-1)
    return Written(tokens, logprobs, count)


def allowed(places: CursorTensors, words: TokenTensors) -> tuple[Tensor, Tensor]:
    """The first tokens of the branches that agree with the typed text, and those of them that hold all of it:
    (rows, branches, vocabulary)."""
    covering = (words.rank >= places.low[..., None]) & (words.rank < places.high[..., None])
    less = torch.zeros_like(covering).scatter_(-1, places.shorter.clamp(min=0), places.shorter >= 0)
    return covering | less, covering


def _pick(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return logits.argmax(-1)
    noise = torch.rand(logits.shape, generator=generator, device=logits.device)
    return (logits - (-noise.clamp(1e-10, 1 - 1e-7).log()).log()).argmax(-1)


def _step(
    network: Network,
    token: Tensor,
    position: Tensor,
    start: Tensor,
    cache: Cache,
    own: list[tuple[list[Tensor], list[Tensor]]],
) -> Tensor:
    """The logits after one more token of each branch: (rows, branches, vocabulary)."""
    x = embedded(network, token)
    cos, sin = network.cos[position][:, None], network.sin[position][:, None]  # (rows, 1, branches, half a head)
    there = torch.arange(cache[0][0].shape[2], device=token.device) < start[..., None]  # (rows, branches, length)
    for layer, (keys, values), (mine_k, mine_v) in zip(layers_of(network), cache, own, strict=True):
        q, k, v = heads(layer.self_attn, layer.input_layernorm(x), cos, sin)
        mine_k.append(k)
        mine_v.append(v)
        rows, kv, width, size = k.shape
        q = q.view(rows, kv, -1, width, size) * size**-0.5
        far = torch.einsum("rkgbd,rkld->rkgbl", q, keys).float().masked_fill(~there[:, None, None], -math.inf)
        recent = torch.stack(mine_k, 3)  # (rows, kv, branches, steps, head)
        near = torch.einsum("rkgbd,rkbtd->rkgbt", q, recent).float()
        weights = torch.cat((far, near), -1).softmax(-1).to(v.dtype)
        out = torch.einsum("rkgbl,rkld->rkgbd", weights[..., : keys.shape[2]], values)
        out = out + torch.einsum("rkgbt,rkbtd->rkgbd", weights[..., keys.shape[2] :], torch.stack(mine_v, 3))
        x = x + layer.self_attn.o_proj(out.flatten(1, 2).transpose(1, 2).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return F.linear(network.model.norm(x), network.model.embed_tokens.weight).float()
