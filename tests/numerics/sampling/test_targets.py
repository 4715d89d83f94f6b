"""Targets: normalising constants and moments by quadrature, gradients by autograd, the funnel's ball by sampling."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from resodectl.experiment.context import stream
from resodectl.numerics.draws import normal
from resodectl.numerics.sampling.targets import (
    Differentiated,
    Funnel,
    Mixture,
    Target,
    ball_probability,
    four_modes,
    log_base,
    mixture,
    two_modes,
)

LOPSIDED = mixture([0.3, 1.7, 0.5], [[1.0, -2.0], [0.5, 0.3], [-3.0, 1.0]], [[0.2, 0.7], [1.3, 0.4], [0.1, 0.9]])
TARGETS = [two_modes(), four_modes(), LOPSIDED, Funnel(10, 25.0), Funnel(3, 4.0)]


def places(dim: int, count: int, scale: float = 2.0) -> torch.Tensor:
    return scale * normal([stream(3, "places")], (count, dim))[0]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{type(target).__name__}{target.dim}")
def test_the_gradient_is_that_of_autograd_also_outside_the_ball(target: Target) -> None:
    x = places(target.dim, 60).reshape(3, 20, target.dim)
    by_hand = target.with_gradient(x)
    by_autograd = Differentiated(target.dim, target.log_density).with_gradient(x)
    assert by_hand[0].shape == (3, 20)
    for hand, auto in zip(by_hand, by_autograd, strict=True):
        torch.testing.assert_close(hand, auto, rtol=1e-9, atol=1e-9)
    assert torch.isfinite(by_hand[1]).all()
    if target.dim == 3:
        outside = x.norm(dim=-1) >= 4
        assert 0 < outside.sum() < 60
        assert torch.equal(by_hand[0] == -math.inf, outside)


@pytest.mark.parametrize("target", [two_modes(), LOPSIDED])
def test_ratio_and_second_moment_of_a_plane_mixture_are_those_of_quadrature(target: Mixture) -> None:
    grid = torch.linspace(-12, 12, 2401, dtype=torch.float64)
    x = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
    log_density, base = target.log_density(x), log_base(x)
    for power, exact in ((1, target.ratio), (2, target.second_moment)):
        mean = (power * log_density + (1 - power) * base).exp().sum() * 0.01**2 / (2 * math.pi)
        assert mean.item() == pytest.approx(exact, rel=1e-10)


def test_the_density_of_a_mixture_is_the_sum_of_its_modes() -> None:
    x = places(2, 5)
    parts = [part.tolist() for part in (LOPSIDED.weights, LOPSIDED.centres, LOPSIDED.variances)]
    modes = [
        w * math.exp(-sum((a - m) ** 2 / (2 * v) for a, m, v in zip(place, centre, variance, strict=True)))
        for place in x.tolist()
        for w, centre, variance in zip(*parts, strict=True)
    ]
    by_hand = np.log(np.array(modes).reshape(5, 3).sum(1))
    assert LOPSIDED.log_density(x).numpy() == pytest.approx(by_hand, rel=1e-12)
    torch.testing.assert_close(log_base(x), -x.square().sum(1) / 2)


def test_the_examples_of_the_paper_have_its_constants() -> None:
    assert (two_modes().ratio, four_modes().ratio) == pytest.approx((0.1, 1.0), rel=1e-12)
    assert two_modes().vanilla_variance == pytest.approx(1854198.2, rel=1e-7)
    assert four_modes().vanilla_variance == pytest.approx(2154478.8, rel=1e-7)
    assert Funnel().ratio == pytest.approx(2.7679152, rel=1e-7)


def test_a_mode_wider_than_the_base_has_an_infinite_second_moment() -> None:
    assert mixture([1.0], [[0.0]], [[2.0]]).second_moment == math.inf
    assert mixture([1.0], [[0.0]], [[1.9]]).second_moment == pytest.approx((2 / 1.9 - 1) ** -0.5)


def test_a_mode_like_the_base_needs_no_importance_sampling() -> None:
    target = mixture([2.5], [[0.0] * 4], [[1.0] * 4])
    assert (target.ratio, target.vanilla_variance) == pytest.approx((2.5, 0.0), abs=1e-12)


@pytest.mark.parametrize(("radius", "mass"), [(25.0, 0.9226384), (10.0, 0.7904020), (5.0, 0.5909346)])
def test_the_mass_of_the_funnel_in_a_ball_is_the_share_of_its_samples(radius: float, mass: float) -> None:
    assert ball_probability(10, radius) == pytest.approx(mass, abs=2e-7)
    draws = stream(0, "funnel").standard_normal((200_000, 10))
    neck = 3 * draws[:, :1]
    inside = (neck**2)[:, 0] + (np.exp(neck) * draws[:, 1:] ** 2).sum(1) < radius**2
    assert inside.mean() == pytest.approx(mass, abs=4 * (mass * (1 - mass) / 2e5) ** 0.5)


def test_the_ratio_of_a_plane_funnel_is_that_of_quadrature_in_polar_coordinates() -> None:
    target = Funnel(2, 3.0)

    def ring(r: float) -> float:
        angle = torch.linspace(0, 2 * math.pi, 2001, dtype=torch.float64)[:-1]
        x = r * torch.stack([angle.cos(), angle.sin()], -1)
        return target.log_density(x).exp().mean().item() * r

    assert integrate.quad(ring, 0, 3, epsabs=1e-10)[0] == pytest.approx(target.ratio, rel=1e-6)


def test_the_funnel_without_a_ball_takes_exponentials_no_deeper_than_200() -> None:
    x = torch.tensor([[-300.0, 0.0], [-300.0, 1e-40], [-250.0, 1e-40]], dtype=torch.float64)
    density, gradient = Funnel(2, math.inf).with_gradient(x)
    assert density[0].item() == pytest.approx(-(300**2) / 18 + 150)
    assert (density[1] - density[0]).item() == pytest.approx(-0.5 * math.exp(200) * 1e-80, abs=1e-6)
    torch.testing.assert_close(gradient[:, 0], -x[:, 0] / 9 - 0.5)
    torch.testing.assert_close(gradient, Differentiated(2, Funnel(2, math.inf).log_density).with_gradient(x)[1])


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (([1.0], [[0.0], [1.0]], [[1.0], [1.0]]), "one weight"),
        (([1.0], [[0.0]], [[1.0, 2.0]]), "both be"),
        (([-1.0], [[0.0]], [[1.0]]), "positive"),
        (([1.0], [[0.0]], [[0.0]]), "positive"),
    ],
)
def test_impossible_mixtures_are_refused(bad: tuple, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        mixture(*bad)
