"""One leaky unit: its loss by the plain formula, its slopes by autograd, its max-margin points by scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from resodectl.numerics.margins.leaky_unit import losses, max_margin, normalised_margin, outputs

SETS, RUNS, POINTS = 2, 5, 12


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights, inputs and labels; a line separates the points of a set."""
    generator = np.random.default_rng(seed)
    labels = torch.ones(POINTS, dtype=torch.float64)
    labels[POINTS // 2 :] = -1
    inputs = labels.unsqueeze(1) * torch.tensor([0.8, 0.5]) + torch.from_numpy(
        generator.uniform(-0.6, 0.6, (SETS, POINTS, 2))
    )
    return torch.from_numpy(generator.uniform(-1, 1, (SETS, 3, RUNS))), inputs, labels


def plain_outputs(weights: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    along = torch.einsum("snd,sdr->snr", inputs, weights[:, :2])
    return labels.view(1, -1, 1) * weights[:, 2:] * torch.where(along >= 0, along, along / 2)


@pytest.mark.parametrize("tiny", [False, True])
def test_loss_and_gradient_are_those_of_the_plain_formula(tiny: bool) -> None:
    weights, inputs, labels = drawn()
    leaves = weights.clone().requires_grad_()
    q = plain_outputs(leaves, inputs, labels)
    loss = (-q).exp().mean(1)
    (gradient,) = torch.autograd.grad(loss.sum(), leaves)
    here = losses(weights, inputs, labels, tiny=tiny)
    torch.testing.assert_close(here.log_loss, loss.detach().log())
    torch.testing.assert_close(here.log_loss.exp().unsqueeze(1) * here.log_gradient, gradient)
    torch.testing.assert_close(outputs(weights, inputs, labels), q.detach())


@pytest.mark.parametrize("tiny", [False, True])
def test_the_loss_of_zero_weights_is_exactly_one(tiny: bool) -> None:
    _, inputs, labels = drawn()
    assert (losses(torch.zeros(SETS, 3, RUNS, dtype=torch.float64), inputs, labels, tiny=tiny).log_loss == 0).all()


def test_euler_s_identity_holds() -> None:
    """<w, grad log L> is -2 times the mean of q by the softmax weights of the losses, as q is 2-homogeneous."""
    weights, inputs, labels = drawn()
    q = outputs(weights, inputs, labels)
    here = losses(weights, inputs, labels)
    torch.testing.assert_close((weights * here.log_gradient).sum(1), -2 * ((-q).softmax(1) * q).sum(1))


def test_weights_of_1e18_have_a_finite_loss_and_gradient_in_the_log_domain() -> None:
    weights, inputs, labels = drawn()
    best = 1e18 * max_margin(inputs, labels, weights[:, 2].sign()).direction
    here = losses(best, inputs, labels, tiny=True)
    torch.testing.assert_close(here.log_loss / 1e36, -outputs(best / 1e18, inputs, labels).amin(1), rtol=1e-9, atol=0.0)
    assert here.log_gradient.isfinite().all()
    assert (here.log_gradient.norm(dim=1) > 0).all()


def test_the_normalised_margin_does_not_depend_on_the_scale() -> None:
    weights, inputs, labels = drawn()
    margin = normalised_margin(weights, inputs, labels)
    torch.testing.assert_close(margin, outputs(weights, inputs, labels).amin(1) / weights.square().sum(1))
    torch.testing.assert_close(normalised_margin(7.0 * weights, inputs, labels), margin)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_max_margin_point_is_that_of_a_numerical_solver(sign: float, weighted: bool) -> None:
    _, inputs, labels = drawn(1)
    h = torch.from_numpy(np.random.default_rng(2).uniform(0.2, 3.0, (SETS, 3, RUNS))) if weighted else None
    optimum = max_margin(inputs, labels, torch.full((SETS, RUNS), sign, dtype=torch.float64), h)
    for place, run in ((0, 0), (1, 3)):
        weighting = np.ones(3) if h is None else h[place, :, run].numpy()
        own = inputs[place : place + 1]

        def least(w: np.ndarray, own: torch.Tensor = own) -> np.ndarray:
            return plain_outputs(torch.from_numpy(w).view(1, 3, 1), own, labels).flatten().numpy() - 1

        start = optimum.direction[place, :, run].numpy()
        start = start * 1.2 / math.sqrt((least(start) + 1).min()) + 0.05
        solved = minimize(
            lambda w, weighting=weighting: (w * w / weighting).sum(),
            start,
            constraints={"type": "ineq", "fun": least},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert 1 / solved.fun == pytest.approx(optimum.margin[place, run].item(), rel=1e-5)
        found = solved.x / np.linalg.norm(solved.x)
        assert found == pytest.approx(optimum.direction[place, :, run].numpy(), abs=1e-3)


def test_no_network_has_a_larger_margin_than_the_optimum_of_its_sign() -> None:
    _, inputs, labels = drawn()
    weights = torch.from_numpy(np.random.default_rng(3).standard_normal((SETS, 3, 20_000)))
    best = max_margin(inputs, labels, torch.tensor([[1.0, -1.0]] * SETS, dtype=torch.float64)).margin
    margin = normalised_margin(weights, inputs, labels)
    for place, chosen in enumerate((weights[:, 2] > 0, weights[:, 2] < 0)):
        found = torch.where(chosen, margin, -1.0).amax(1)
        assert (found <= best[:, place]).all()
        assert (found > 0.9 * best[:, place]).all()
