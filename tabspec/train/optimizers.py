"""Two optimizers for one network: Muon for the matrices of the layers, AdamW for the embedding and the gains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tabspec.train.weights.saving import under

# Both use one learning rate: Muon's updates are scaled to the root mean square of AdamW's (Moonlight, arXiv
# 2502.16982).
BETAS = (0.9, 0.95)  # the second is lower than AdamW's default, as usual for language models
MOMENTUM = 0.95
WEIGHT_DECAY = 0.1


class Optimizers:
    """Both optimizers as one, with a common learning-rate factor and state."""

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
        inner = [weight for name, weight in named if weight.dim() == 2 and "embed" not in name]
        outer = [weight for name, weight in named if weight.dim() != 2 or "embed" in name]
        self._rate = learning_rate
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(outer, lr=learning_rate, betas=BETAS, weight_decay=0.0, fused=True),
        ]
        if inner:
            self._parts.append(
                torch.optim.Muon(
                    inner,
                    lr=learning_rate,
                    momentum=MOMENTUM,
                    weight_decay=WEIGHT_DECAY,
                    adjust_lr_fn="match_rms_adamw",
                )
            )

    def step(self, factor: float) -> None:
        """One step at ``factor`` times the learning rate. Clears the gradients."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = self._rate * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """The state of both optimizers as named tensors."""
        parts = enumerate(map(state_of, self._parts))
        return {f"{number}.{name}": tensor for number, part in parts for name, tensor in part.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for number, part in enumerate(self._parts):
            restore(part, under(tensors, f"{number}."))


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors."""
    states = optimizer.state_dict()["state"].items()
    return {f"{index}.{key}": torch.as_tensor(value) for index, values in states for key, value in values.items()}


def restore(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore what `state_of` returned."""
    loaded: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        loaded.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": loaded})
