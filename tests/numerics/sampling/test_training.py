"""Training of a field: the length of a step, who is carried uphill, what is counted, and that weights get better."""

import numpy as np
import pytest
import torch

from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.diagnostics import diagnose
from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.targets import mixture, two_modes
from resodectl.numerics.sampling.training import (
    Plan,
    begin,
    funnel_field,
    generic_field,
    gradient_field,
    linear_field,
    train_step,
    uphill,
)
from resodectl.numerics.sampling.velocities import Trainable
from tests.flows import points

PLAN = Plan(20, 30, 10, 0.0, lr=0.3, last_lr=0.2, assisted=0.5, assisted_until=0.6)


def streams() -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in (0, 1)]


def flat(field: Trainable) -> torch.Tensor:
    return torch.cat([of.reshape(2, -1) for of in field], 1)


def test_all_weights_of_a_run_move_by_the_decayed_length() -> None:
    state = begin(gradient_field(streams(), 2, 5, 1.0))
    for step in (1, 2, 3):
        after, _ = train_step(state, PLAN, two_modes(), points(2, 30, 2), torch.ones(2, 30))
        moved = (flat(after.velocity) - flat(state.velocity)).norm(dim=1)
        expected = 0.3 / (1 + (1 / 0.2 - 1) / 20 * step)
        torch.testing.assert_close(moved, torch.full((2,), expected, dtype=torch.float64))
        state = after


def test_runs_do_not_mix() -> None:
    both, _ = train_step(
        begin(generic_field(streams(), 2, 5, 1.0)), PLAN, two_modes(), points(2, 30, 2), torch.ones(2, 30)
    )
    second = generic_field(streams()[1:], 2, 5, 1.0)
    alone, _ = train_step(begin(second), PLAN, two_modes(), points(2, 30, 2)[1:], torch.ones(1, 30))
    for together, single in zip(both.velocity, alone.velocity, strict=True):
        torch.testing.assert_close(together[1:], single)


def test_queries_are_those_of_the_nodes_and_of_the_samples_that_are_carried() -> None:
    uniforms = torch.tensor([[0.0] * 30, [0.0] * 10 + [0.9] * 20])
    state, _ = train_step(begin(linear_field(streams(), 2, 1.0)), PLAN, two_modes(), points(2, 30, 2), uniforms)
    assert state.queries.tolist() == [2 * 11 * 30 + 40 * 30, 2 * 11 * 30 + 40 * 10]


def test_uphill_ends_where_the_density_of_a_gaussian_takes_it() -> None:
    """dx/dt = -(x - mu) / v ends at mu + e^(-1 / v) (x - mu)."""
    x, carried = points(2, 6, 2), torch.tensor([[True, False] * 3, [False] * 6])
    got = uphill(mixture([1.0], [[1.0, -2.0]], [[0.5, 0.5]]), x, carried, 50)
    centre = torch.tensor([1.0, -2.0], dtype=torch.float64)
    expected = torch.where(carried.unsqueeze(-1), centre + np.exp(-2) * (x - centre), x)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["gradient", "generic", "linear"])
def test_training_makes_the_variance_smaller(kind: str) -> None:
    target = mixture([1.0], [[1.5, 0.0]], [[0.3, 0.3]])
    field: Trainable = {
        "gradient": lambda: gradient_field(streams(), 2, 10, 1.0),
        "generic": lambda: generic_field(streams(), 2, 10, 1.0),
        "linear": lambda: linear_field(streams(), 2, 1.0),
    }[kind]()
    state, first = begin(field), field
    for step in range(1, PLAN.training_steps):
        labels = [np.random.default_rng([seed, step]) for seed in (0, 1)]
        state, _ = train_step(state, PLAN, target, normal(labels, (100, 2)), uniform(labels, (100,)))
    x = points(2, 2000, 2)
    before, after = (diagnose(log_weights(of, target.log_density, x, 10)) for of in (first, state.velocity))
    torch.testing.assert_close(
        after.log_mean.exp(), torch.full((2,), target.ratio, dtype=torch.float64), rtol=0.1, atol=0
    )
    assert (after.variance < before.variance / 2).all()


def test_weights_before_training_fill_glorots_interval() -> None:
    field = generic_field([np.random.default_rng(seed) for seed in range(20)], 2, 1000, 5.0)
    for weights, limit in zip(field, (6 / 1002, 6 / 1001, 25 * 6 / 1002, 25 * 6 / 3), strict=True):
        assert weights.abs().max() <= limit**0.5
        assert weights.abs().max() > 0.9 * limit**0.5
    assert funnel_field(2, 2.0).beta.tolist() == [2.0, 2.0]
