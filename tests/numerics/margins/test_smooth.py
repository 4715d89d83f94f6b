"""The smooth margin against its definition, its derivatives, and margins too far apart for exponentials."""

import math

import torch

from resodectl.numerics.margins.smooth import smooth_margin, softmin

MARGINS = torch.tensor([[0.3, -0.2, 1.5], [2.0, 2.0, 2.0]], dtype=torch.float64)


def test_the_smooth_margin_is_minus_the_logarithm_of_the_mean_exponential() -> None:
    torch.testing.assert_close(smooth_margin(MARGINS), -(-MARGINS).exp().mean(-1).log())


def test_its_derivatives_are_the_softmin() -> None:
    margins = MARGINS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(smooth_margin(margins).sum(), margins)
    torch.testing.assert_close(softmin(MARGINS), slope)


def test_it_lies_between_the_least_margin_and_that_plus_log_n_whatever_the_scale() -> None:
    for scale in (1e-3, 1.0, 1e8):
        excess = smooth_margin(scale * MARGINS) - scale * MARGINS.amin(-1)
        assert (excess >= -1e-7 * scale).all()
        assert (excess <= math.log(3) * (1 + 1e-6) + 1e-7 * scale).all()
