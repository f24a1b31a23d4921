"""The objectives: the expected reward of what is shown, exactly or by samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from tabspec.train.reinforce.completions.decode import CursorTensors, Written
from tabspec.train.reinforce.completions.shown import CONFIG, PartOutcome

_LEAST = math.log(CONFIG.min_probability)
# Nats. How soft the engine's rules are in the exact objective: a suggestion whose log-probability is so far from the
# bound is shown with probability 0.73 or 0.27. The choice among parts is sharper, since their values are near.
GATE, CHOICE = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that may be offered of each branch's text: (rows, branches, parts). ``tokens`` counts from ``begin``
    (rows, branches): 1 if the first token only repeats typed text. ``there`` is false where there is no part.
    ``visited`` (rows, branches) is true where the user comes by."""

    begin: Tensor
    tokens: Tensor
    worth: Tensor
    reward: Tensor
    taken: Tensor
    chars: Tensor
    shown: Tensor
    power: Tensor
    there: Tensor
    visited: Tensor

    @classmethod
    def of(cls, found: Sequence[Sequence[Sequence[PartOutcome] | None]], begin: Tensor) -> Parts:
        """From the outcomes of each row's branches; missing branches have no parts."""
        rows, width = begin.shape
        most = max((len(each or ()) for row in found for each in row), default=0) or 1
        values = np.zeros((rows, width, most, 8), np.float32)
        visited = np.zeros((rows, width), np.bool_)
        for r, row in enumerate(found):
            for b, parts in enumerate(row):
                visited[r, b] = parts is not None
                for p, part in enumerate(parts or ()):
                    outcome = (part.tokens, part.worth, part.reward, part.taken, part.chars, part.shown, part.power)
                    values[r, b, p] = (*outcome, 1)
        tokens, worth, reward, taken, chars, shown, power, there = torch.from_numpy(values).to(begin.device).unbind(-1)
        came = torch.from_numpy(visited).to(begin.device)
        return cls(begin, tokens.long(), worth, reward, taken > 0, chars, shown > 0, power, there > 0, came)

    def logs(self, logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """The log-probability of each part, times its power, and the logarithm of its score
        (`tabspec.fitting.postprocess.likely_part`), -inf where there is no part. ``logprobs``: (rows, branches,
        steps)."""
        sums = torch.cat((torch.zeros_like(logprobs[..., :1]), logprobs.cumsum(-1)), -1)
        last = (self.begin[..., None] + self.tokens).clamp(max=logprobs.shape[-1])
        ended = sums.gather(-1, last)
        whole = (ended - sums.gather(-1, self.begin[..., None])) * self.power
        without = ended - sums.gather(-1, (self.begin[..., None] + 1).clamp(max=logprobs.shape[-1]))
        score = without + self.worth.clamp(min=1).log()
        return whole, score.masked_fill(~self.there, -math.inf)


def useful(parts: Parts, places: CursorTensors, written: Written) -> tuple[Parts, CursorTensors, Written]:
    """The branches that have parts, side by side, and of their texts what belongs to a part: the others add nothing to
    the expected reward. Rows with fewer of them are filled up with others, which have no parts."""
    some = parts.there.any(-1)
    width = max(int(some.sum(1).max().item()), 1)
    order = some.byte().argsort(dim=1, descending=True, stable=True)[:, :width]

    def chosen(values: Tensor) -> Tensor:
        index = order.view(*order.shape, *[1] * (values.dim() - 2)).expand(-1, -1, *values.shape[2:])
        return values.gather(1, index)

    names = ("start", "valid", "low", "high", "typed", "shorter")
    places = replace(places, **{name: chosen(getattr(places, name)) for name in names})
    parts = Parts(*(chosen(getattr(parts, each.name)) for each in fields(Parts)))
    longest = (parts.begin + (parts.tokens * parts.there).amax(-1)) * parts.there.any(-1)
    count = torch.minimum(chosen(written.count), longest)
    return parts, places, Written(chosen(written.tokens), chosen(written.logprobs), count)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the engine shows, by its own rule: (rows, branches) each."""

    shown: Tensor
    taken: Tensor
    reward: Tensor
    chars: Tensor


def shown(parts: Parts, logprobs: Tensor) -> Shown:
    """The outcome of the part with the best score, if it is likely enough."""
    whole, score = parts.logs(logprobs)
    best = score.argmax(-1, keepdim=True)

    def at(values: Tensor) -> Tensor:
        return values.gather(-1, best)[..., 0]

    visible = at(parts.there & parts.shown) & (at(whole) >= _LEAST)
    taken = at(parts.taken) & visible
    return Shown(visible, taken, at(parts.reward) * visible, at(parts.chars) * taken)


def expected(parts: Parts, logprobs: Tensor, chars: float = 0.0) -> Tensor:
    """The expected reward of each branch, (rows, branches), if the rules were soft: a part is chosen with a probability
    in proportion to a power of its score, and shown with one that grows with its own probability. ``chars``: what a
    character that comes by Tab is worth in addition."""
    whole, score = parts.logs(logprobs)
    some = parts.there.any(-1, keepdim=True)
    weights = (score / CHOICE).masked_fill(~some, 0.0).softmax(-1)
    gate = torch.sigmoid((whole - _LEAST) / GATE)
    return (weights * gate * (parts.reward + chars * parts.chars * parts.taken)).sum(-1)


def advantages(rewards: Tensor, copies: int) -> Tensor:
    """The reward of each text less the mean of the others' at its cursor. ``rewards``: (rows, cursors x copies)."""
    each = rewards.view(len(rewards), -1, copies)
    return (each - (each.sum(-1, keepdim=True) - each) / (copies - 1)).flatten(1)


def sampled(rewards: Tensor, logprobs: Tensor, valid: Tensor, copies: int) -> Tensor:
    """The policy-gradient objective (scalar; its gradient is what counts) for texts that were drawn ``copies`` times at
    each cursor: REINFORCE with the others as the baseline (RLOO, arXiv 2402.14740). Advantages are scaled to a
    deviation of 1.

    ``rewards`` and ``valid``: (rows, cursors x copies), the copies of a cursor side by side. ``logprobs``:
    (rows, cursors x copies, steps)."""
    advantage = advantages(rewards, copies)
    scale = advantage[valid].square().mean().sqrt().clamp(min=1e-6)
    return ((advantage / scale).detach() * logprobs.sum(-1))[valid].mean()
