"""Empirical tangent kernels: against finite differences, single gradients, closed forms, and their own products."""

import math

import pytest
import torch

from resodectl.numerics.kernels.empirical import KernelOperator, jacobian, kernel, kernel_parts
from resodectl.numerics.networks.rectified import Plain, Residual, size

PLAIN = Plain(channels=1, classes=3, groups=((4,), (5, 4)), side=8)
RESIDUAL = Residual(channels=1, classes=3, stages=((3, 1), (4, 1)))


def case(network: Plain | Residual, n: int = 5) -> tuple:
    generator = torch.Generator().manual_seed(0)
    weights = 0.4 * torch.randn(size(network), generator=generator, dtype=torch.float64)
    images = torch.randn(n, 1, 8, 8, generator=generator, dtype=torch.float64)
    return lambda w, x: network.outputs(w.unsqueeze(0), x)[0], weights, images


@pytest.mark.parametrize("network", [PLAIN, RESIDUAL])
def test_the_jacobian_is_that_of_one_gradient_at_a_time_and_of_finite_differences(network: Plain | Residual) -> None:
    model, weights, images = case(network)
    rows = jacobian(model, weights, images)
    assert rows.shape == (5, 3, size(network))
    leaf = weights.clone().requires_grad_()
    outputs = model(leaf, images)
    for n, k in ((0, 0), (3, 2)):
        (gradient,) = torch.autograd.grad(outputs[n, k], leaf, retain_graph=True)
        assert torch.allclose(rows[n, k], gradient, rtol=1e-12, atol=1e-14)
    direction = torch.randn(len(weights), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 1e-7 / direction.norm()
    difference = (model(weights + step * direction, images) - model(weights - step * direction, images)) / (2 * step)
    assert torch.allclose(rows @ direction, difference, rtol=1e-6, atol=1e-6 * difference.abs().max().item())


@pytest.mark.parametrize("block", [1, 2, 3, 50])
def test_the_kernel_does_not_depend_on_how_it_is_cut_and_is_symmetric(block: int) -> None:
    model, weights, images = case(PLAIN)
    rows = jacobian(model, weights, images).flatten(0, 1)
    found = kernel(model, weights, images, block=block)
    assert torch.allclose(found, rows @ rows.T, rtol=1e-12)
    assert torch.equal(found, found.T) or block == 50
    assert torch.allclose(kernel(model, weights, images[:2], images, block=block), found[:6], rtol=1e-12)


def test_the_parts_of_the_layers_sum_to_the_kernel() -> None:
    model, weights, images = case(PLAIN)
    sizes = [math.prod(shape) for shape in PLAIN.shapes]
    parts = kernel_parts(model, weights, images, sizes)
    assert parts.shape == (len(sizes), 15, 15)
    assert torch.allclose(parts.sum(0), kernel(model, weights, images), rtol=1e-12)
    # The gradient of an output in the last bias is 1 at its own output: an identity between outputs, for all inputs.
    assert torch.equal(parts[-1], torch.eye(3, dtype=torch.float64).repeat(5, 5))
    with pytest.raises(ValueError, match="parts of 7 weights"):
        kernel_parts(model, weights, images, [3, 4])


def test_products_without_the_matrix_are_those_with_it() -> None:
    model, weights, images = case(RESIDUAL)
    matrix, operator = kernel(model, weights, images), KernelOperator(model, weights, images)
    vector = torch.randn(15, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.allclose(operator @ vector, matrix @ vector, rtol=1e-12)
    assert operator.pull(vector).square().sum().item() == pytest.approx((vector @ matrix @ vector).item(), rel=1e-12)


def test_the_kernel_of_a_linear_model_is_the_gram_matrix_of_its_inputs() -> None:
    inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = kernel(lambda w, x: x @ w.view(2, 4).T, torch.ones(8, dtype=torch.float64), inputs)
    expected = torch.kron(inputs @ inputs.T, torch.eye(2, dtype=torch.float64))
    assert torch.allclose(found, expected, rtol=1e-12)
