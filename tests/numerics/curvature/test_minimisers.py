"""The manifold of minimisers: projection, retraction, gradient of the sharpness and landing against other ways."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from resodectl.families.eos.toys import TOYS
from resodectl.numerics.curvature.minimisers import (
    Ambient,
    DescentRetraction,
    GaussNewton,
    SharpnessFlow,
    jacobian,
    landing,
    retract,
    sharpness_slope,
    squared,
)
from resodectl.numerics.curvature.operators import Hessian, dense
from resodectl.numerics.ode.tableaux import EULER

RATES = torch.tensor([0.1, 0.02], dtype=torch.float64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network_residuals(weights: torch.Tensor) -> torch.Tensor:
    """A perceptron 3-5-2 with tanh on four inputs, minus targets: 8 residuals of 32 weights, `(runs, 8)`."""
    inputs = torch.randn(4, 3, generator=generator(), dtype=torch.float64)
    targets = torch.randn(4, 2, generator=generator(1), dtype=torch.float64)
    runs = len(weights)
    first, bias, second, last = weights.split((15, 5, 10, 2), 1)
    hidden = torch.tanh(inputs @ first.view(runs, 3, 5) + bias.unsqueeze(1))
    return (hidden @ second.view(runs, 5, 2) + last.unsqueeze(1) - targets).flatten(1) / 2


def weights(runs: int = 2) -> torch.Tensor:
    return torch.randn(runs, 32, generator=generator(2), dtype=torch.float64)


def test_the_jacobian_is_that_of_central_differences() -> None:
    at, step = weights(), 1e-6
    rows = jacobian(network_residuals, at)
    direction = torch.randn(at.shape, generator=generator(3), dtype=torch.float64)
    difference = (network_residuals(at + step * direction) - network_residuals(at - step * direction)) / (2 * step)
    torch.testing.assert_close(torch.bmm(rows, direction.unsqueeze(2)).squeeze(2), difference, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("repeated", [False, True])
def test_the_tangent_part_is_the_kernel_of_the_jacobian_and_orthogonal_to_the_normal_part(repeated: bool) -> None:
    rows = jacobian(network_residuals, weights())

    def repeating(at: torch.Tensor) -> torch.Tensor:  # J J^T is then singular, and the projection the same
        return torch.cat([network_residuals(at), network_residuals(at)[:, :3]], 1)

    vectors = torch.randn(2, 32, generator=generator(3), dtype=torch.float64)
    space = GaussNewton(repeating if repeated else network_residuals, weights())
    normal = space.part(vectors)
    tangent = vectors - normal
    assert torch.bmm(rows, tangent.unsqueeze(2)).abs().max() < 1e-12
    assert (normal * tangent).sum(1).abs().max() < 1e-12
    torch.testing.assert_close(space.part(normal), normal)
    expected = (torch.linalg.pinv(rows) @ rows @ vectors.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(normal, expected, rtol=1e-9, atol=1e-10)


def test_retraction_reaches_a_minimiser_at_right_angles() -> None:
    """From a distance d off the ellipse the point reached is the closest one, up to d^2."""
    toy = TOYS["ellipse"]
    angle = torch.tensor(0.9, dtype=torch.float64)
    foot = torch.stack((2 * torch.cos(angle), torch.sin(angle)))
    normal = foot * torch.tensor([0.5, 2.0])
    normal /= normal.norm()
    for distance in (1e-2, 1e-3):
        found = retract(toy.residuals, (foot + distance * normal).unsqueeze(0))
        assert toy.residuals(found).abs().max() < 1e-10
        assert (found - foot).norm() < 2 * distance**2


def test_a_network_s_sharpness_on_the_manifold_is_that_of_its_jacobian() -> None:
    """Where r = 0, Hess |r|^2 = 2 J^T J."""
    found = retract(network_residuals, weights())
    slope = sharpness_slope(squared(network_residuals), found, torch.ones_like(found)[:, None], tolerance=1e-10)
    singular = torch.linalg.svdvals(jacobian(network_residuals, found))[:, 0]
    torch.testing.assert_close(slope.sharpness, 2 * singular**2, rtol=1e-8, atol=0)


@pytest.mark.parametrize("on_manifold", [True, False])
def test_the_gradient_of_the_sharpness_is_that_of_central_differences(on_manifold: bool) -> None:
    at = weights()
    at = retract(network_residuals, at) if on_manifold else at
    losses = squared(network_residuals)
    slope = sharpness_slope(losses, at, torch.ones_like(at)[:, None], tolerance=1e-10)

    def sharpness(at: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(dense(Hessian(losses, at)))[:, -1]

    torch.testing.assert_close(slope.sharpness, sharpness(at))
    direction = torch.randn(at.shape, generator=generator(4), dtype=torch.float64)
    step = 1e-5
    difference = (sharpness(at + step * direction) - sharpness(at - step * direction)) / (2 * step)
    torch.testing.assert_close((slope.gradient * direction).sum(1), difference, rtol=1e-5, atol=1e-6)


POTENTIALS = [("normalised", "log-sharpness", 1 / 4), ("square-root", "sharpness", 1 / 8)]


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize(("algorithm", "potential", "scale"), POTENTIALS)
def test_the_flow_along_the_minimisers_is_the_closed_form_to_second_order(
    name: str, algorithm: str, potential: str, scale: float
) -> None:
    toy = TOYS[name]
    start = retract(toy.residuals, toy.start(RATES))
    horizon = 1.0
    flow = SharpnessFlow(squared(toy.residuals), potential, lambda at: GaussNewton(toy.residuals, at))
    errors = []
    for steps in (10, 20):
        at, vector = start, torch.ones_like(start)[:, None]
        for _ in range(steps):
            at, vector = flow.advance(at, vector, scale * horizon / steps)
        closed = toy.clocks[algorithm].flow(toy.coordinate(start), torch.tensor(horizon, dtype=torch.float64))
        errors.append((toy.coordinate(at) - closed).abs().max().item())
        assert toy.distance(at).max() < 1e-10
    assert errors[1] < 1e-4
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_descent_back_to_the_minimisers_does_what_the_projection_does() -> None:
    """The derivative of the limit of descent is the tangent projection: the flows agree to the order of the scheme."""
    toy = TOYS["ellipse"]
    ends = []
    for manifold in (
        lambda at: GaussNewton(toy.residuals, at),
        lambda at: DescentRetraction(lambda w: toy.loss_and_gradient(w)[1], lr=0.1, steps=400),
    ):
        flow = SharpnessFlow(squared(toy.residuals), "log-sharpness", manifold)
        at = retract(toy.residuals, toy.start(RATES))
        start = torch.ones_like(at)[:, None]
        for _ in range(50):
            at, start = flow.advance(at, start, 0.005, EULER)
        assert toy.distance(at).max() < 1e-8
        ends.append(toy.coordinate(at))
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=2e-3)


def test_without_its_tangent_part_the_flow_leaves_the_ellipse() -> None:
    toy = TOYS["ellipse"]
    start = retract(toy.residuals, toy.start(RATES))
    flow = SharpnessFlow(squared(toy.residuals), "log-sharpness", lambda at: Ambient())
    at, vector = start, torch.ones_like(start)[:, None]
    for _ in range(20):
        at, vector = flow.advance(at, vector, 0.01)
    assert toy.distance(at).min() > 0.05


def test_gradient_flow_from_afar_lands_where_an_adaptive_integrator_does() -> None:
    toy = TOYS["two-normals"]

    def downhill(_: float, point: np.ndarray) -> np.ndarray:
        return -toy.loss_and_gradient(torch.from_numpy(point))[1].numpy()

    solved = solve_ivp(downhill, (0, 40), [0.8, 1.0, 2.0], method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
    found = landing(lambda at: toy.loss_and_gradient(at)[1], toy.start(RATES), 0.004, tolerance=1e-7)
    assert found[0, 2].item() == pytest.approx(solved[2], abs=1e-8)
    assert found[0, 2].item() == pytest.approx(1.882772, abs=1e-6)
