"""The objectives of reinforcement against enumeration: of all choices of the soft rule, and of all pairs of samples."""

from __future__ import annotations

import itertools
import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabspec.train.reinforce.completions import objective
from tabspec.train.reinforce.completions.decode import CursorTensors, Written
from tabspec.train.reinforce.completions.objective import Parts, advantages, expected, sampled, shown, useful
from tabspec.train.reinforce.completions.shown import CONFIG, PartOutcome
from tests.examples import examples

LEAST = math.log(CONFIG.min_probability)


def parts_of(cases: list[tuple[int, int, float]], begin: int) -> Parts:
    """Parts (tokens, worth, reward) of one branch; those with a positive reward are taken."""
    found = [PartOutcome(n, worth, 0.0, 0.0, reward, reward > 0, 3, True) for n, worth, reward in cases]
    return Parts.of([[found]], torch.tensor([[begin]]))


cases = st.lists(
    st.tuples(st.integers(1, 4), st.integers(17, 40), st.floats(-3, 6)),
    min_size=1,
    max_size=4,
    unique_by=lambda c: c[0],
)
logprobs = st.lists(st.floats(-3, -0.01), min_size=6, max_size=6)


def by_hand(each: list[tuple[int, int, float]], logs: list[float], begin: int) -> tuple[float, float]:
    """The expected reward of the soft rule, and the reward of the engine's own, by the definition."""
    own = logs[begin:]
    scores = [math.exp(sum(own[1:n])) * worth for n, worth, _ in each]
    powers = [score ** (1 / objective.CHOICE) for score in scores]
    soft = 0.0
    for (n, _, reward), power in zip(each, powers, strict=True):
        gate = 1 / (1 + math.exp(-(sum(own[:n]) - LEAST) / objective.GATE))
        soft += power / sum(powers) * gate * reward
    best = max(range(len(each)), key=lambda i: scores[i])
    hard = each[best][2] if sum(own[: each[best][0]]) >= LEAST else 0.0
    return soft, hard


@given(cases, logprobs, st.integers(0, 1))
@settings(max_examples=examples(60))
def test_the_exact_objective_is_the_sum_over_all_choices(
    each: list[tuple[int, int, float]], logs: list[float], begin: int
) -> None:
    tensor = torch.tensor([[logs]], dtype=torch.float64)
    parts = parts_of(each, begin)
    soft, _ = by_hand(each, logs, begin)
    assert math.isclose(float(expected(parts, tensor)), soft, rel_tol=1e-4, abs_tol=1e-5)


@given(cases, logprobs, st.integers(0, 1))
@settings(max_examples=examples(60))
def test_what_is_shown_is_the_best_part_if_it_is_likely_enough(
    each: list[tuple[int, int, float]], logs: list[float], begin: int
) -> None:
    own = logs[begin:]
    scores = sorted(math.exp(sum(own[1:n])) * worth for n, worth, _ in each)
    sums = [sum(own[:n]) for n, _, _ in each]
    if any(abs(total - LEAST) < 1e-4 for total in sums) or any(
        b - a < 1e-4 for a, b in itertools.pairwise(scores)
    ):  # a tie within the precision of the tensors
        return
    _, hard = by_hand(each, logs, begin)
    found = shown(parts_of(each, begin), torch.tensor([[logs]], dtype=torch.float64))
    assert math.isclose(float(found.reward), hard, rel_tol=1e-5, abs_tol=1e-6)


def test_the_gradient_is_that_of_differences() -> None:
    parts = parts_of([(1, 18, -0.5), (2, 25, 2.0), (4, 33, -1.5)], 0)
    logs = torch.tensor([[[-0.9, -0.4, -0.3, -0.8]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: expected(parts, each), (logs,), eps=1e-6, atol=1e-5)


def test_a_branch_without_parts_gives_nothing() -> None:
    parts = Parts.of([[[], None]], torch.zeros((1, 2), dtype=torch.long))
    logs = torch.zeros((1, 2, 3), requires_grad=True)
    assert expected(parts, logs).tolist() == [[0.0, 0.0]]
    assert parts.visited.tolist() == [[True, False]]
    expected(parts, logs).sum().backward()
    assert torch.isfinite(logs.grad).all()  # type: ignore[arg-type]


def test_only_branches_with_parts_are_passed_on() -> None:
    """The sum of the expected rewards stays the same, for characters that count, too."""
    some = [PartOutcome(2, 20, 0.0, 0.0, 1.5, True, 4, True), PartOutcome(1, 18, 0.0, 0.0, -0.5, False, 3, True)]
    found = [[[], some, None, some[1:]], [None, [], some, []]]
    parts = Parts.of(found, torch.zeros((2, 4), dtype=torch.long))
    generator = torch.Generator().manual_seed(0)
    logs = -torch.rand((2, 4, 3), generator=generator)
    number = torch.arange(8).view(2, 4)
    wide = number[..., None].expand(-1, -1, 3)
    places = CursorTensors(number, number[:, 0], number[:, 0], number, number > 0, number, number, number, wide)
    written = Written(wide, logs, torch.full((2, 4), 3))
    fewer, there, kept = useful(parts, places, written)
    assert there.start.tolist() == [[1, 3], [6, 4]]
    assert kept.count.tolist() == [[2, 1], [2, 0]]  # tokens after the longest part are dropped
    for chars in (0.0, 0.3):
        before, after = expected(parts, logs, chars).sum(), expected(fewer, kept.logprobs, chars).sum()
        assert math.isclose(float(before), float(after), rel_tol=1e-6)


def test_samples_give_the_policy_gradient_on_average() -> None:
    """A policy over three texts: the mean over all pairs of samples is the exact gradient of the expected reward."""
    scores = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    policy = scores.softmax(0)
    (exact,) = torch.autograd.grad((policy * rewards).sum(), scores, retain_graph=True)
    total = torch.zeros(3, dtype=torch.float64)
    for pair in itertools.product(range(3), repeat=2):
        chance = math.prod(policy[list(pair)].tolist())
        logs = scores.log_softmax(0)[list(pair)]
        gain = (advantages(rewards[list(pair)][None], 2)[0] * logs).mean()
        (gradient,) = torch.autograd.grad(gain, scores, retain_graph=True)
        total += chance * gradient
    assert torch.allclose(total, exact, atol=1e-12)


def test_samples_that_earn_alike_teach_nothing() -> None:
    logs = torch.zeros((1, 4, 2), requires_grad=True)
    gain = sampled(torch.tensor([[1.0, 1.0, -2.0, -2.0]]), logs, torch.ones((1, 4), dtype=torch.bool), 2)
    gain.backward()
    assert logs.grad is not None and not logs.grad.any()
