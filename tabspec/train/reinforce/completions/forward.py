"""One pass with gradients over rows and what was written after their cursors: log-probabilities, and the distance from
another network.

The tokens of all branches follow their row in one sequence. A branch sees the row before its start, and itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tabspec.train.network import Network
from tabspec.train.reinforce.completions.decode import CursorTensors, TokenTensors, Written, allowed
from tabspec.train.reinforce.passes import embedded, heads, layers_of


@dataclass(frozen=True, slots=True)
class Passed:
    """``logprobs`` of the branches' tokens (rows, branches, steps), 0 beyond their count. ``truth``: mean loss of the
    true text and ``distance``: mean Kullback-Leibler divergence from the other network, both in nats a token."""

    logprobs: Tensor
    truth: Tensor
    distance: Tensor


def forward(
    network: Network, places: CursorTensors, words: TokenTensors, written: Written, other: Network | None
) -> Passed:
    """The pass. ``other`` is the frozen network that the distance is measured from."""
    steps = max(int(written.count.max().item()), 1)
    tokens, count = written.tokens[..., :steps], written.count
    main, branched = _hidden(network, places, tokens)
    table = network.model.embed_tokens.weight

    # the first tokens of the branches, chosen under the constraint
    at = main.gather(1, (places.start - 1)[..., None].expand(-1, -1, main.shape[-1]))
    firsts = F.linear(at, table).float().masked_fill(~allowed(places, words)[0], -math.inf)
    first = firsts.gather(-1, tokens[..., :1])[..., 0] - firsts.logsumexp(-1)
    first = first.masked_fill(count < 1, 0.0)
    # the others: token j + 1 is predicted from token j
    there = torch.arange(1, steps, device=count.device) < count[..., None]
    later = F.log_softmax(F.linear(branched[:, :, :-1][there], table).float(), -1)
    found = later.gather(-1, tokens[..., 1:][there][:, None])[:, 0]
    rest = torch.zeros_like(there, dtype=found.dtype).masked_scatter(there, found)
    # the true text
    length = places.ids.shape[1]
    index = torch.arange(length - 1, device=count.device)
    typed = (index >= places.first[:, None] - 1) & (index < places.length[:, None] - 1)
    true = F.log_softmax(F.linear(main[:, :-1][typed], table).float(), -1)
    truth = -true.gather(-1, places.ids[:, 1:][typed][:, None]).mean()

    distance = truth.new_zeros(())
    if other is not None:
        with torch.no_grad():
            before, beyond = _hidden(other, places, tokens)
            own = torch.cat((before[:, :-1][typed], beyond[:, :, :-1][there]))
            base = F.log_softmax(F.linear(own, other.model.embed_tokens.weight).float(), -1)
        distance = F.kl_div(torch.cat((true, later)), base, reduction="sum", log_target=True) / len(base)
    return Passed(torch.cat((first[..., None], rest), -1), truth, distance)


def _hidden(network: Network, places: CursorTensors, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The last hidden states, normalised: of the rows (rows, length, hidden) and of the branches
    (rows, branches, steps, hidden)."""
    rows, length = places.ids.shape
    width, steps = tokens.shape[1:]
    device = places.ids.device
    positions = (places.start[..., None] + torch.arange(steps, device=device)).flatten(1)
    positions = torch.cat((torch.arange(length, device=device).expand(rows, -1), positions), 1)
    cos, sin = network.cos[positions][:, None], network.sin[positions][:, None]
    seen = torch.arange(length, device=device) < places.start[..., None]  # of the row, by a branch
    earlier = torch.ones((steps, steps), dtype=torch.bool, device=device).tril()  # of a branch, by itself
    x = embedded(network, torch.cat((places.ids, tokens.flatten(1)), 1))
    for layer in layers_of(network):
        q, k, v = heads(layer.self_attn, layer.input_layernorm(x), cos, sin)
        (q, mine_q), (k, mine_k), (v, mine_v) = (torch.split(each, [length, width * steps], 2) for each in (q, k, v))
        kv, size = k.shape[1], k.shape[3]
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != kv)
        mine_q = mine_q.reshape(rows, kv, -1, width, steps, size) * size**-0.5
        mine_k, mine_v = (each.reshape(rows, kv, width, steps, size) for each in (mine_k, mine_v))
        far = torch.einsum("rkgwsd,rkld->rkgwsl", mine_q, k).masked_fill(~seen[:, None, None, :, None], -math.inf)
        near = torch.einsum("rkgwsd,rkwtd->rkgwst", mine_q, mine_k).masked_fill(~earlier, -math.inf)
        weights = torch.cat((far, near), -1).float().softmax(-1).to(v.dtype)
        found = torch.einsum("rkgwsl,rkld->rkgwsd", weights[..., :length], v)
        found = found + torch.einsum("rkgwst,rkwtd->rkgwsd", weights[..., length:], mine_v)
        both = torch.cat((out, found.reshape(rows, -1, width * steps, size)), 2)
        x = x + layer.self_attn.o_proj(both.transpose(1, 2).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    x = network.model.norm(x)
    return x[:, :length], x[:, length:].reshape(rows, width, steps, -1)
