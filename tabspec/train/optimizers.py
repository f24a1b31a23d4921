"""Two optimizers for one network: Muon for the matrices of the layers, AdamW for the embedding and the gains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        found: dict[str, Tensor] = {}
        for number, part in enumerate(self._parts):
            for index, values in part.state_dict()["state"].items():
                for key, value in values.items():
                    found[f"{number}.{index}.{key}"] = torch.as_tensor(value)
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for number, part in enumerate(self._parts):
            loaded: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                which, index, key = name.split(".", 2)
                if int(which) == number:
                    loaded.setdefault(int(index), {})[key] = tensor
            part.load_state_dict({**part.state_dict(), "state": loaded})
