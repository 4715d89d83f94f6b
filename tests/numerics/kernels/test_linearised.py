"""Scaled models and their linearisations: exact at huge alpha, first-order agreement, frozen gates, stability."""

import pytest
import torch

from resodectl.numerics.kernels.empirical import jacobian
from resodectl.numerics.kernels.linearised import frozen_gates, linearised, moved, scaled, stability
from resodectl.numerics.networks.rectified import Plain, Residual, size

NETWORKS = [Plain(channels=1, classes=3, groups=((4,), (5, 4)), side=8), Residual(1, 3, ((3, 1), (4, 1)))]


def case(network: Plain | Residual, runs: int = 2) -> tuple:
    generator = torch.Generator().manual_seed(0)
    start, increment = (torch.randn(runs, size(network), generator=generator, dtype=torch.float64) for _ in range(2))
    images = torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64)
    return (lambda w: network.outputs(w, images)), 0.4 * start, increment, images


def at(alpha: float, runs: int = 2) -> torch.Tensor:
    return torch.full((runs,), alpha, dtype=torch.float64)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_linearised_model_is_the_jacobian_times_the_increment(network: Plain | Residual) -> None:
    model, start, increment, images = case(network)
    found = linearised(model, start, increment)
    for run in range(2):
        rows = jacobian(lambda w, x: network.outputs(w.unsqueeze(0), x)[0], start[run], images)
        assert torch.allclose(found[run], rows @ increment[run], rtol=1e-10)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_scaled_model_tends_to_the_linearised_one_like_one_over_alpha(network: Plain | Residual) -> None:
    model, start, increment, _ = case(network)
    limit, begun = linearised(model, start, increment), model(start)
    gaps = [(scaled(model, start, increment, at(alpha), begun) - limit).abs().max() for alpha in (1e5, 1e6)]
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.02)
    assert gaps[1] < 1e-4 * limit.abs().max()


def test_at_a_huge_alpha_double_precision_suffices_and_single_does_not() -> None:
    model, start, increment, images = case(NETWORKS[0])
    limit = linearised(model, start, increment)

    def gap(dtype: torch.dtype) -> float:
        network = NETWORKS[0]
        low = lambda w: network.outputs(w, images.to(dtype))  # noqa: E731
        first = start.to(dtype)
        found = scaled(low, first, increment.to(dtype), at(1e7).to(dtype), low(first))
        return ((found - limit).norm() / limit.norm()).item()

    assert gap(torch.float64) < 1e-5
    assert gap(torch.float32) > 0.1


def test_the_gradient_in_the_increment_is_that_of_the_network_itself() -> None:
    model, start, increment, _ = case(NETWORKS[0])
    u = increment.clone().requires_grad_()
    (found,) = torch.autograd.grad(scaled(model, start, u, at(5.0), model(start)).sum(), u)
    w = moved(start, increment, at(5.0)).requires_grad_()
    (expected,) = torch.autograd.grad(model(w).sum(), w)
    assert torch.allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_frozen_gates_agree_to_first_order_and_are_not_linear(network: Plain | Residual) -> None:
    model, start, increment, _ = case(network)
    begun, limit = model(start), linearised(model, start, increment)
    assert torch.equal(frozen_gates(model, start, start), begun)
    near = frozen_gates(model, start, moved(start, increment, at(1e5)))
    assert torch.allclose(1e5 * (near - begun), limit, atol=1e-3 * limit.abs().max().item())
    far = frozen_gates(model, start, start + increment) - begun
    assert (far - limit).norm() > 0.1 * limit.norm()  # a product of layers
    # In one layer alone the frozen model is linear: moving the last layer moves the outputs by the differential.
    last = torch.zeros_like(increment)
    last[:, -network.classes :] = increment[:, -network.classes :]
    assert torch.allclose(frozen_gates(model, start, start + last) - begun, linearised(model, start, last), atol=1e-12)


def test_the_network_with_its_own_gates_frozen_is_the_network() -> None:
    model, start, increment, _ = case(NETWORKS[0])
    weights = start + increment
    assert torch.equal(frozen_gates(model, weights, weights), model(weights))
    assert not torch.allclose(frozen_gates(model, start, weights), model(weights))


def test_stability_counts_gates_by_layer_and_by_run() -> None:
    model, start, _, _ = case(NETWORKS[0])
    assert stability(model, start, start).tolist() == [1.0, 1.0]
    both = torch.stack([start[0], -start[1]])
    found = stability(model, both, start)
    assert found[0] == 1.0
    assert found[1] < 0.6

    def two_layers(w: torch.Tensor) -> torch.Tensor:  # rows (runs, batch, units): 4 units, then 1
        return torch.relu(w[:, :, None]).relu()[:, :1].relu()

    weights, begun = torch.tensor([[1.0, -1.0, 1.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    assert stability(two_layers, weights, begun).item() == pytest.approx((0.75 + 0.75 + 1) / 3)
    with pytest.raises(ValueError, match="without ReLUs"):
        stability(lambda w: w, start, start)
