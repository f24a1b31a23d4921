"""One pass with gradients over rows and what was written after their cursors: log-probabilities, and the distance from
another network.

The tokens of all branches follow their row in one sequence. A mask lets a branch see the row before its start, and
itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tabspec.train.network import Network
from tabspec.train.reinforce.decode import Places, Words, Written, allowed, embedded, heads, layers_of


@dataclass(frozen=True, slots=True)
class Passed:
    """``logprobs`` of the branches' tokens (rows, branches, steps), 0 beyond their count. ``truth``: mean loss of the
    true text and ``distance``: mean Kullback-Leibler divergence from the other network, both in nats a token."""

    logprobs: Tensor
    truth: Tensor
    distance: Tensor


def forward(network: Network, places: Places, words: Words, written: Written, other: Network | None) -> Passed:
    """The pass. ``other`` is the frozen network that the distance is measured from."""
    steps = int(written.count.max().item())
    tokens, count = written.tokens[..., :steps], written.count
    sequence = _Sequence.of(places, tokens, steps)
    hidden = sequence.hidden(network)
    table = network.model.embed_tokens.weight
    length, width = places.ids.shape[1], places.start.shape[1]

    # the first tokens of the branches, chosen under the constraint
    at = hidden.gather(1, (places.start - 1)[..., None].expand(-1, -1, hidden.shape[-1]))
    firsts = F.linear(at, table).float().masked_fill(~allowed(places, words)[0], -math.inf)
    first = firsts.gather(-1, tokens[..., :1])[..., 0] - firsts.logsumexp(-1)
    first = first.masked_fill(count < 1, 0.0)
    # the others: token j + 1 is predicted from token j
    after = sequence.branches(hidden, length, width, steps)[:, :, :-1]
    there = torch.arange(1, steps, device=count.device) < count[..., None]
    later = F.log_softmax(F.linear(after[there], table).float(), -1)
    found = later.gather(-1, tokens[..., 1:][there][:, None])[:, 0]
    rest = torch.zeros_like(there, dtype=found.dtype).masked_scatter(there, found)
    # the true text
    index = torch.arange(length - 1, device=count.device)
    typed = (index >= places.first[:, None] - 1) & (index < places.length[:, None] - 1)
    true = F.log_softmax(F.linear(hidden[:, : length - 1][typed], table).float(), -1)
    truth = -true.gather(-1, places.ids[:, 1:][typed][:, None]).mean()

    distance = truth.new_zeros(())
    if other is not None:
        with torch.no_grad():
            before = sequence.hidden(other)
            own = torch.cat(
                (
                    before[:, : length - 1][typed],
                    sequence.branches(before, length, width, steps)[:, :, :-1][there],
                )
            )
            base = F.log_softmax(F.linear(own, other.model.embed_tokens.weight).float(), -1)
        distance = F.kl_div(torch.cat((true, later)), base, reduction="sum", log_target=True) / len(base)
    return Passed(torch.cat((first[..., None], rest), -1), truth, distance)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The tokens of rows and branches, (rows, length + branches x steps), their positions, and what each may see."""

    ids: Tensor
    positions: Tensor
    mask: Tensor

    @classmethod
    def of(cls, places: Places, tokens: Tensor, steps: int) -> _Sequence:
        rows, length = places.ids.shape
        device = places.ids.device
        width = places.start.shape[1]
        ids = torch.cat((places.ids, tokens.flatten(1)), 1)
        order = torch.arange(steps, device=device)
        positions = torch.cat(
            (torch.arange(length, device=device).expand(rows, -1), (places.start[..., None] + order).flatten(1)), 1
        )
        number = torch.arange(width * steps, device=device)
        main = torch.arange(length, device=device)
        above = (main[:, None] >= main)[None].expand(rows, -1, -1)
        far = (main < places.start[..., None]).repeat_interleave(steps, 1)  # (rows, branches x steps, length)
        same = (number[:, None] // steps == number // steps) & (number[:, None] >= number)
        top = torch.cat((above, above.new_zeros((rows, length, width * steps))), 2)
        bottom = torch.cat((far, same.expand(rows, -1, -1)), 2)
        mask = torch.cat((top, bottom), 1)
        extra = -mask.shape[1] % 8  # attention kernels need rows of a multiple of eight
        if extra:
            ids = F.pad(ids, (0, extra))
            positions = F.pad(positions, (0, extra))
            mask = F.pad(mask, (0, extra, 0, extra))
            mask[:, -extra:, 0] = True  # a token that sees nothing would give no numbers
        return cls(ids, positions, mask[:, None])

    @staticmethod
    def branches(hidden: Tensor, length: int, width: int, steps: int) -> Tensor:
        """The part of ``hidden`` of the branches: (rows, branches, steps, hidden)."""
        return hidden[:, length : length + width * steps].reshape(len(hidden), width, steps, -1)

    def hidden(self, network: Network) -> Tensor:
        """The last hidden states, normalised."""
        cos, sin = network.cos[self.positions][:, None], network.sin[self.positions][:, None]
        x = embedded(network, self.ids)
        for layer in layers_of(network):
            q, k, v = heads(layer.self_attn, layer.input_layernorm(x), cos, sin)
            groups = q.shape[1] // k.shape[1]
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)
            x = x + layer.self_attn.o_proj(out.transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        result: Tensor = network.model.norm(x)
        return result
