"""Makes a network of twice the width from a trained one, with the same output (Net2Net, arXiv 1511.05641).

Each number of a hidden state is there twice, one copy in each half. So a matrix of twice the rows and columns is made
of four blocks of half the old one. Random numbers are added to the left blocks and subtracted from the right ones:
with equal halves they cancel, so that the output stays the same. But the two copies get different gradients. Heads
come in the same way: those of the old network, then the same again, and also the key-value heads.

The embedding holds each row twice. The logits, which use it again, would double: so the gains of the last norm are
halved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from tabspec.train.network import Shape

# Of the root mean square of a matrix: small against it, and far above what bfloat16 rounds off. Muon's steps have the
# same size in all directions, so that the differences grow soon.
NOISE = 0.2
_LAST_NORM, _EMBEDDING = "model.norm.weight", "model.embed_tokens.weight"


def widened_shape(shape: Shape) -> Shape:
    """The shape with twice the width, heads and MLP. Heads keep their size, and layers and context their number."""
    double = {"hidden": 2 * shape.hidden, "heads": 2 * shape.heads, "kv_heads": 2 * shape.kv_heads}
    return replace(shape, **double, mlp=2 * shape.mlp)


def widened(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The weights (float32) of the network of twice the width. ``weights`` is the state dict of a `Network`."""
    random = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        wide = weight.detach().cpu().float()
        if name == _LAST_NORM:
            found[name] = torch.cat((wide, wide)) / 2
        elif wide.dim() == 1:
            found[name] = torch.cat((wide, wide))
        elif name == _EMBEDDING:
            found[name] = torch.cat((wide, wide), dim=1)
        else:
            rows = torch.cat((wide, wide)) / 2
            noise = torch.randn(rows.shape, generator=random) * (NOISE * rows.square().mean().sqrt())
            found[name] = torch.cat((rows + noise, rows - noise), dim=1)
    return found
