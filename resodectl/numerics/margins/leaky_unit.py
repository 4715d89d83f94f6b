"""One leaky unit, Phi(w, x) = v sigma(<w_12, x>), on inputs in the plane: 2-homogeneous in w = (w_1, w_2, v).

sigma(z) is z for z >= 0 and z / 2 below. Many runs side by side on the last axis, in the log domain: losses may be far
below the smallest number, weights above 1e18. The network of the toy study of Wang, Meng, Chen & Liu 2021 (arXiv
2012.06244).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from resodectl.numerics.margins.plane import hard_margin

LEAK = 0.5  # the slope of sigma below zero
SMALLEST = -100.0  # log of a share of the loss that rounding swallows; the exponential is slow where it underflows


class Losses(NamedTuple):
    """log L of the mean exponential loss L, `(sets, runs)`, and grad log L = grad L / L, `(sets, 3, runs)`."""

    log_loss: torch.Tensor
    log_gradient: torch.Tensor


class Optimum(NamedTuple):
    """A KKT point of the max-margin problem: its direction `(sets, 3, runs)`, of norm 1; its margin `(sets, runs)`."""

    direction: torch.Tensor
    margin: torch.Tensor


def losses(weights: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor, *, tiny: bool = False) -> Losses:
    """log of the mean of exp(-q), q = y Phi(w, x), and its gradient.

    The derivative of sigma at exactly 0 is taken to be 1/2.

    Args:
        weights: `(sets, 3, runs)`; each set of points has its own runs.
        inputs: `(sets, n, 2)`.
        labels: `(n,)`, 1 or -1, the same for all sets.
        tiny: losses may be below the smallest number, as q - min q is taken instead of q, at a third more time.
    """
    activations = F.leaky_relu_(torch.bmm(inputs, weights[:, :2]), LEAK)
    logs = (activations * weights[:, 2:].neg()).mul_(labels.unsqueeze(1))  # -q
    shift = logs.amax(1, keepdim=True) if tiny else 0.0
    shares = (
        logs.sub_(shift).clamp_(min=SMALLEST) if tiny else logs
    ).exp_()  # of the points in the loss, but for a sum
    total = shares.sum(1, keepdim=True)
    sloped = torch.ops.aten.leaky_relu_backward(shares, activations, LEAK, True)
    pull = torch.bmm((labels.unsqueeze(1) * inputs).transpose(1, 2), sloped) / total
    by_output = (weights[:, :2] * pull).sum(1, keepdim=True)  # as sigma(z) = z sigma'(z)
    gradient = torch.cat([weights[:, 2:] * pull, by_output], 1).neg_()
    return Losses((total.log() + shift).squeeze(1) - math.log(len(labels)), gradient)


def outputs(weights: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The outputs times the labels, q `(sets, n, runs)`."""
    along = torch.bmm(inputs, weights[:, :2])
    return F.leaky_relu(along, LEAK) * weights[:, 2:] * labels.unsqueeze(1)


def normalised_margin(weights: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """min q / |w|^2, `(sets, runs)`: the same for c w, for every c > 0."""
    return outputs(weights / weights.norm(dim=1, keepdim=True), inputs, labels).amin(1)


def max_margin(
    inputs: torch.Tensor, labels: torch.Tensor, sign: torch.Tensor, conditioner: torch.Tensor | None = None
) -> Optimum:
    """The KKT point with v of the given sign of min |h^(-1/2) w|^2 under q >= 1; exact.

    Where v has the sign s, a point with a positive q sees the slope c = 1 if y = s, else 1/2. With D = diag(h_1^(-1/2),
    h_2^(-1/2)), g and u the hard margin of the points y c D^-1 x and its direction, w is proportional to (s D^-1 u,
    s h_3^(1/2)), and its margin q / |h^(-1/2) w|^2 is g h_3^(1/2) / 2.

    Args:
        inputs: `(sets, n, 2)`.
        labels: `(n,)`.
        sign: of v, `(sets, runs)`, 1 or -1.
        conditioner: h, `(sets, 3, runs)`, positive; None for the ordinary problem, h = 1.
    """
    h = sign.new_ones(3).view(1, 3, 1) if conditioner is None else conditioner
    roots = h.sqrt().expand(len(sign), 3, sign.shape[1])
    signs, across = sign.unsqueeze(1), roots.transpose(1, 2)  # across: (sets, runs, 3)
    slopes = torch.where(labels == sign.unsqueeze(2), 1.0, LEAK) * labels
    points = slopes.unsqueeze(3) * inputs.unsqueeze(1) * across[:, :, None, :2]
    unit, margin = hard_margin(points)
    direction = signs * torch.cat([roots[:, :2] * unit.transpose(1, 2), roots[:, 2:]], 1)
    return Optimum(direction / direction.norm(dim=1, keepdim=True), margin * roots[:, 2] / 2)
