"""The toys of eos/limit-flow: losses, gradients, curvature and limiting flows against other derivations."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from resodectl.families.eos.limit_flow.simulation import curvature
from resodectl.families.eos.toys import TOYS, ellipse
from resodectl.numerics.curvature.operators import Hessian, SquareRootHessian, dense

POINTS = {
    "surface": [(2.0, 0.03), (-1.3, 0.7), (0.4, -1.1)],
    "ellipse": [(0.7, 0.93), (-1.3, 0.7), (0.4, -1.1)],
    "two-normals": [(0.3, -0.2, 1.9), (1.0, 0.4, 0.8), (-0.2, 0.7, 2.2)],
}


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def losses_by_hand(name: str, p: torch.Tensor) -> torch.Tensor:
    if name == "surface":
        return (1 + p[0] ** 2) * p[1] ** 2
    if name == "ellipse":
        return (p[0] ** 2 / 4 + p[1] ** 2 - 1) ** 2 / 2
    a, b, z = p
    return (2 * (1 + z**2) * a**2 + (1 + 0.2 * torch.sin(z)) * b**2) / 2


@pytest.mark.parametrize("name", TOYS)
def test_losses_and_gradients_are_those_of_the_formulas(name: str) -> None:
    for values in POINTS[name]:
        point = tensor(values).requires_grad_()
        expected = losses_by_hand(name, point)
        (slope,) = torch.autograd.grad(expected, point)
        loss, gradient = TOYS[name].loss_and_gradient(point.detach())
        assert loss.item() == pytest.approx(expected.item(), rel=1e-13)
        assert TOYS[name].loss(point.detach()).item() == pytest.approx(expected.item(), rel=1e-13)
        torch.testing.assert_close(gradient, slope)


def difference_hessian(slope: object, point: torch.Tensor, step: float = 1e-5) -> torch.Tensor:
    units = torch.eye(len(point), dtype=point.dtype)
    return torch.stack([(slope(point + step * unit) - slope(point - step * unit)) / (2 * step) for unit in units])


@pytest.mark.parametrize("name", TOYS)
def test_curvature_is_that_of_central_differences_of_the_gradient(name: str) -> None:
    toy, points = TOYS[name], tensor(POINTS[name])
    sharpness, vectors = curvature(toy, points)
    for point, value, vector in zip(points, sharpness, vectors, strict=True):
        hessian = difference_hessian(lambda p: toy.loss_and_gradient(p)[1], point)
        torch.testing.assert_close(value, torch.linalg.eigvalsh(hessian)[-1], rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(hessian @ vector, value * vector, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", TOYS)
def test_the_hessian_of_the_square_root_is_that_of_central_differences(name: str) -> None:
    toy = TOYS[name]

    def root_slope(point: torch.Tensor) -> torch.Tensor:
        loss, gradient = toy.loss_and_gradient(point)
        return gradient / (2 * loss.sqrt())

    points = tensor(POINTS[name])
    found = dense(SquareRootHessian(Hessian(toy.loss, points)))
    for point, hessian in zip(points, found, strict=True):
        torch.testing.assert_close(hessian, difference_hessian(root_slope, point), rtol=1e-6, atol=1e-7)


def test_the_surface_s_hessian_is_the_one_written_down() -> None:
    x, y = -1.3, 0.7
    hessian = np.array([[2 * y**2, 4 * x * y], [4 * x * y, 2 * (1 + x**2)]])
    assert curvature(TOYS["surface"], tensor([(x, y)]))[0].item() == pytest.approx(np.linalg.eigvalsh(hessian)[-1])


@pytest.mark.parametrize(
    ("name", "algorithm", "start", "time", "end"),
    [
        ("surface", "normalised", 2.0, 4.0, 1.096434),
        ("surface", "square-root", 2.0, 2.0, 2 / math.e),
        ("ellipse", "normalised", 1.2, 6.0, 0.80978),
        ("ellipse", "square-root", 1.2, 3.0, 0.91400),
    ],
)
def test_closed_forms_solve_the_flow_s_equation(
    name: str, algorithm: str, start: float, time: float, end: float
) -> None:
    """dq/dtau = -c lambda_1'(q) / metric(q), with c = 1/(4 lambda_1) or 1/8, as an adaptive integrator solves it."""

    def velocity(_: float, q: np.ndarray) -> np.ndarray:
        if name == "surface":
            sharpness, slope, metric = 2 * (1 + q**2), 4 * q, 1.0
        else:
            sharpness = metric = 1 + 3 * np.sin(q) ** 2
            slope = 3 * np.sin(2 * q)
        return -slope / metric / (4 * sharpness if algorithm == "normalised" else 8)

    solved = solve_ivp(velocity, (0, time), [start], rtol=1e-12, atol=1e-14).y[0, -1]
    found = TOYS[name].clocks[algorithm].flow(tensor(start), tensor(time)).item()
    assert found == pytest.approx(solved, abs=1e-9)
    assert found == pytest.approx(end, abs=1e-5)
    twice = TOYS[name].clocks[algorithm].flow(tensor(start), tensor(time / 2), speed=2.0).item()
    assert twice == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("axes", [(2.0, 1.0), (3.0, 1.5), (4.0, 3.9)])
@pytest.mark.parametrize(("algorithm", "time"), [("normalised", 2.0), ("square-root", 1.0)])
def test_flows_on_any_ellipse_solve_the_riemannian_flow(axes: tuple[float, float], algorithm: str, time: float) -> None:
    """dX/dtau = -c P grad phi(lambda_1) in the plane, lambda_1 = |grad F|^2, whose gradient is taken by differences."""
    squares = np.square(axes)

    def potential(p: np.ndarray) -> float:
        sharpness = np.square(2 * p / squares).sum()
        return math.log(sharpness) / 4 if algorithm == "normalised" else sharpness / 8

    def velocity(_: float, p: np.ndarray) -> np.ndarray:
        tangent = np.array([-p[1] / squares[1], p[0] / squares[0]])
        tangent /= np.linalg.norm(tangent)
        return -tangent * (potential(p + 1e-5 * tangent) - potential(p - 1e-5 * tangent)) / 2e-5

    start, toy = np.array(axes) * [math.cos(1.2), math.sin(1.2)], ellipse(axes)
    end = solve_ivp(velocity, (0, time), start, rtol=1e-10, atol=1e-12).y[:, -1]
    found = toy.clocks[algorithm].flow(tensor(1.2), tensor(time)).item()
    assert found == pytest.approx(math.atan2(end[1] / axes[1], end[0] / axes[0]), abs=1e-7)
    mirrored = toy.clocks[algorithm].flow(tensor(-1.2), tensor(time)).item()
    assert mirrored == pytest.approx(-found)
    assert toy.clocks[algorithm].flow(tensor(0.0), tensor(time)).item() == 0
    point = tensor(start)[None]
    assert toy.sharpness(tensor(1.2)).item() == pytest.approx(curvature(toy, point)[0].item())
    assert toy.distance(1.001 * point).item() == pytest.approx(toy.loss(1.001 * point).item() ** 0.5
        * (2 / toy.sharpness(tensor(1.2)).item()) ** 0.5, rel=2e-3)  # fmt: skip
