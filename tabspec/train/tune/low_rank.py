"""Low-rank additions to a network's matrices: few numbers to learn, and near the original (LoRA, arXiv 2106.09685)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tabspec.train.network import Network


class LowRank(nn.Module):
    """A matrix that is not trained, plus the product ``up @ down`` of two narrow ones that are.

    ``up`` is 0 at first, so that the sum is the original.
    """

    def __init__(self, original: nn.Linear, rank: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(original.weight.detach(), requires_grad=False)
        out, width = original.weight.shape
        self.down = nn.Parameter(torch.randn(rank, width) * width**-0.5)
        self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.down), self.up)

    @property
    def merged(self) -> Tensor:
        """The sum as one matrix."""
        return self.weight + self.up @ self.down


def add_low_rank(network: Network, rank: int) -> list[nn.Parameter]:
    """Give each matrix of the layers a low-rank addition. Returns what is trained: nothing else
    of the network is."""
    network.requires_grad_(False)
    trained: list[nn.Parameter] = []
    for layer in network.model.layers:
        for block in layer.children():
            for name, matrix in list(block.named_children()):
                assert isinstance(matrix, nn.Linear)
                added = LowRank(matrix, rank)
                setattr(block, name, added)
                trained += [added.down, added.up]
    return trained


@torch.no_grad()
def merged(network: Network) -> dict[str, Tensor]:
    """The weights of a network with additions, under the names of one without."""
    found = {
        name: weight.clone() for name, weight in network.state_dict().items() if not name.endswith((".down", ".up"))
    }
    for name, module in network.named_modules():
        if isinstance(module, LowRank):
            found[f"{name}.weight"] = module.merged.clone()
    return found
