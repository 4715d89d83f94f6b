"""Hessian operators against central differences, matrices, and what is known of zero-residual and invariant losses."""

import math

import pytest
import torch

from resodectl.numerics.curvature.operators import (
    Hessian,
    SquareRootHessian,
    SummedHessian,
    dense,
    spherical_hessian,
)

RUNS, INPUTS, HIDDEN, OUTPUTS, SAMPLES = 3, 4, 5, 2, 7
SIZE = HIDDEN * INPUTS + OUTPUTS * HIDDEN


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X, Y = draw(SAMPLES, INPUTS, seed=1), draw(SAMPLES, OUTPUTS, seed=2)


def outputs(weights, x=X):
    first, second = weights[:, : HIDDEN * INPUTS], weights[:, HIDDEN * INPUTS :]
    hidden = torch.tanh(x @ first.view(-1, HIDDEN, INPUTS).transpose(1, 2))
    return hidden @ second.view(-1, OUTPUTS, HIDDEN).transpose(1, 2)


def losses(weights, x=X, y=Y):
    return (outputs(weights, x) - y).square().sum((1, 2)) / SAMPLES


def gradient(weights, of=losses):
    leaf = weights.clone().requires_grad_()
    return torch.autograd.grad(of(leaf).sum(), leaf)[0]


def differences(weights, vectors, of=losses, step=1e-5):
    return (gradient(weights + step * vectors, of) - gradient(weights - step * vectors, of)) / (2 * step)


WEIGHTS, VECTORS = draw(RUNS, SIZE, seed=3), draw(RUNS, SIZE, seed=4)


def test_loss_and_gradient_come_with_the_hessian():
    hessian = Hessian(losses, WEIGHTS)
    torch.testing.assert_close(hessian.loss, losses(WEIGHTS))
    torch.testing.assert_close(hessian.gradient, gradient(WEIGHTS))


def test_products_are_central_differences_of_the_gradient():
    torch.testing.assert_close(Hessian(losses, WEIGHTS) @ VECTORS, differences(WEIGHTS, VECTORS), rtol=1e-7, atol=1e-8)


def test_products_are_symmetric_and_linear_and_the_graph_serves_many():
    hessian, others = Hessian(losses, WEIGHTS), draw(RUNS, SIZE, seed=5)
    left, right = (others * (hessian @ VECTORS)).sum(1), (VECTORS * (hessian @ others)).sum(1)
    torch.testing.assert_close(left, right)
    combined = 2 * (hessian @ VECTORS) - 3 * (hessian @ others)
    torch.testing.assert_close(hessian @ (2 * VECTORS - 3 * others), combined)


def test_a_block_of_vectors_is_the_products_one_by_one():
    hessian, block = Hessian(losses, WEIGHTS), draw(6, RUNS, SIZE, seed=6)
    torch.testing.assert_close(hessian @ block, torch.stack([hessian @ vectors for vectors in block]))


def test_no_run_feels_another():
    alone = Hessian(losses, WEIGHTS[1:2]) @ VECTORS[1:2]
    torch.testing.assert_close((Hessian(losses, WEIGHTS) @ VECTORS)[1:2], alone)


def test_the_dense_matrix_is_that_of_torch_for_every_run():
    matrices = dense(Hessian(losses, WEIGHTS), block=7)
    for run in range(RUNS):
        exact = torch.autograd.functional.hessian(lambda w: losses(w[None])[0], WEIGHTS[run])
        torch.testing.assert_close(matrices[run], exact)


def test_parts_of_the_data_add_up():
    parts = [lambda w, x=x, y=y: losses(w, x, y) for x, y in zip(X.split(3), Y.split(3), strict=True)]
    summed, whole = SummedHessian(parts, WEIGHTS), Hessian(losses, WEIGHTS)
    torch.testing.assert_close(summed.loss, whole.loss)
    torch.testing.assert_close(summed.gradient, whole.gradient)
    torch.testing.assert_close(summed @ VECTORS, whole @ VECTORS)
    torch.testing.assert_close(dense(summed), dense(whole))


def test_at_zero_residual_the_hessian_is_that_of_gauss_and_newton():
    """L = |r|^2 / n with r = 0: lambda_1 = (2 / n) sigma_1(J)^2."""
    fitted = outputs(WEIGHTS).detach()
    hessian = Hessian(lambda w: (outputs(w) - fitted).square().sum((1, 2)) / SAMPLES, WEIGHTS)
    top = torch.linalg.eigvalsh(dense(hessian))[:, -1]
    for run in range(RUNS):
        jacobian = torch.autograd.functional.jacobian(lambda w: outputs(w[None])[0].flatten(), WEIGHTS[run])
        assert top[run].item() == pytest.approx(2 / SAMPLES * torch.linalg.matrix_norm(jacobian, 2).item() ** 2)


def test_the_hessian_of_the_square_root_is_that_of_differentiating_it():
    root = SquareRootHessian(Hessian(losses, WEIGHTS))
    direct = Hessian(lambda w: losses(w).sqrt(), WEIGHTS)
    torch.testing.assert_close(root.loss, direct.loss)
    torch.testing.assert_close(root.gradient, direct.gradient)
    torch.testing.assert_close(dense(root), dense(direct))
    slopes = differences(WEIGHTS, VECTORS, lambda w: losses(w).sqrt())
    torch.testing.assert_close(root @ VECTORS, slopes, rtol=1e-7, atol=1e-8)


def test_the_square_root_of_an_exact_minimum_has_no_finite_hessian():
    fitted = outputs(WEIGHTS).detach()
    hessian = Hessian(lambda w: (outputs(w) - fitted).square().sum((1, 2)), WEIGHTS)
    assert not torch.isfinite(SquareRootHessian(hessian) @ VECTORS).any()


def test_the_spherical_hessian_of_an_invariant_loss_ignores_scale_and_is_the_norm_squared_times_the_hessian():
    def invariant(weights):
        return losses(weights / weights.norm(dim=1, keepdim=True))

    scaled = spherical_hessian(invariant, 3.7 * WEIGHTS)
    torch.testing.assert_close(dense(scaled), dense(spherical_hessian(invariant, WEIGHTS)))
    norms = WEIGHTS.norm(dim=1)[:, None, None]
    torch.testing.assert_close(dense(scaled), norms.square() * dense(Hessian(invariant, WEIGHTS)))
    unit = WEIGHTS / WEIGHTS.norm(dim=1, keepdim=True)
    torch.testing.assert_close(scaled @ unit, -scaled.gradient)  # Euler's theorem for degree zero


def test_a_loss_without_curvature_has_products_of_zero():
    hessian = Hessian(lambda w: w.square().sum(1) * 0 + w.sum(1), WEIGHTS)
    assert math.isclose((hessian @ VECTORS).abs().max().item(), 0.0)
