"""Ascent on the smooth margin of wide two-layer ReLU networks in mean-field time, all runs side by side.

Chizat & Bach 2020 (arXiv 2002.04486), and the steps of their code: f(x) = (1/m) sum_j b_j relu(<a_j, x>), and
W <- W + lr m grad S / sqrt(t + 1) for t = 1, 2, ..., where S is the smooth margin. With both layers trained, the
normalised margin min_i y_i f(x_i) / (|W|_F^2 / m) tends to that of the variation norm (F1). With the output layer
alone, from b = 0 on, min_i y_i f(x_i) / (|b| / sqrt(m)) tends to that of a kernel (F2).
"""

import math
from typing import NamedTuple

import torch

from resodectl.numerics.draws import Streams, normal
from resodectl.numerics.margins.smooth import softmin


class Labelled(NamedTuple):
    """Inputs `(runs, n, d)`, their last axis with all coordinates, a constant one too if there is one; labels +-1,
    `(runs, n)`.
    """

    inputs: torch.Tensor
    labels: torch.Tensor


class Wide(NamedTuple):
    """Networks with hidden weights `(runs, m, d)` and output weights `(runs, m)`."""

    hidden: torch.Tensor
    output: torch.Tensor

    def values(self, inputs: torch.Tensor) -> torch.Tensor:
        """f at inputs `(runs, n, d)`: `(runs, n)`."""
        units = torch.bmm(self.hidden, inputs.mT).clamp_min_(0)
        return torch.bmm(self.output.unsqueeze(1), units).squeeze(1) / self.output.shape[1]

    def square(self) -> torch.Tensor:
        """|W|_F^2 / m, `(runs,)`."""
        return (self.hidden.square().sum((1, 2)) + self.output.square().sum(1)) / self.output.shape[1]

    def balanced(self) -> torch.Tensor:
        """(2/m) sum_j |a_j| |b_j|, `(runs,)`: the least |W|_F^2 / m of the networks with the same f and directions."""
        return 2 * (self.hidden.norm(dim=2) * self.output).abs().mean(1)


class Ascent(NamedTuple):
    """Where ascent has got to after `step` steps, and the largest normalised margin on the way, `(runs,)`."""

    network: Wide
    step: int
    best: torch.Tensor


def normal_start(hidden: Streams, output: Streams, width: int, dim: int) -> Wide:
    """Standard normal weights, in float64; a network a stream."""
    return Wide(normal(hidden, (width, dim)), normal(output, (width,)))


def begin(network: Wide) -> Ascent:
    """Ascent before its first step; it never changes the network given."""
    return Ascent(network, 0, network.output.new_full((len(network.output),), -math.inf))


def ascend_both(ascent: Ascent, data: Labelled, lr: float, steps: int) -> Ascent:
    """Some more steps of both layers; the normalised margin is min_i y_i f(x_i) / (|W|_F^2 / m).

    With v_j = sum_i r_i y_i 1[<a_j, x_i> > 0] x_i and r the softmin of the margins, the step is b_j v_j in a_j and
    <a_j, v_j> in b_j. Splitting the steps over several calls changes nothing.
    """
    hidden, output = (weights.clone() for weights in ascent.network)
    network, best = Wide(hidden, output), ascent.best
    width, across = output.shape[1], data.inputs.mT.contiguous()
    units = torch.bmm(hidden, across)
    active = torch.empty_like(units)
    for t in range(ascent.step + 1, ascent.step + steps + 1):
        torch.bmm(hidden, across, out=units).clamp_min_(0)
        margins = torch.bmm(output.unsqueeze(1), units).squeeze(1) * data.labels / width
        best = torch.fmax(best, margins.amin(1) / network.square())
        torch.sign(units, out=active)
        pull = torch.bmm(active, (softmin(margins) * data.labels).unsqueeze(2) * data.inputs)
        size = lr / math.sqrt(t + 1)
        along = (hidden * pull).sum(2)
        hidden.addcmul_(output.unsqueeze(2), pull, value=size)
        output.add_(along, alpha=size)
    least = (network.values(data.inputs) * data.labels).amin(1)
    return Ascent(network, ascent.step + steps, torch.fmax(best, least / network.square()))


def ascend_output(ascent: Ascent, data: Labelled, lr: float, steps: int) -> Ascent:
    """Some more steps of the output layer alone; the normalised margin is min_i y_i f(x_i) / (|b| / sqrt(m)).

    The steps are multiplied by max(1, |b| / sqrt(m)).
    """
    hidden, output, best = ascent.network.hidden, ascent.network.output.clone(), ascent.best
    width = output.shape[1]
    units = torch.bmm(hidden, data.inputs.mT).clamp_min_(0)
    norm = output.norm(dim=1) / math.sqrt(width)
    for t in range(ascent.step + 1, ascent.step + steps + 1):
        margins = torch.bmm(output.unsqueeze(1), units).squeeze(1) * data.labels / width
        slope = torch.bmm(units, (softmin(margins) * data.labels).unsqueeze(2)).squeeze(2)
        output.add_(norm.clamp_min(1).unsqueeze(1) * slope, alpha=lr / math.sqrt(t + 1))
        norm = output.norm(dim=1) / math.sqrt(width)
        least = (torch.bmm(output.unsqueeze(1), units).squeeze(1) * data.labels).amin(1) / width
        best = torch.fmax(best, least / norm)
    return Ascent(Wide(hidden, output), ascent.step + steps, best)


class KernelAscent(NamedTuple):
    """The same in terms of a kernel matrix K: f = K c at the samples, with c `(runs, n)`, and c^T K c = |b|^2 / m."""

    coefficients: torch.Tensor
    step: int
    best: torch.Tensor


def ascend_in_kernel(
    ascent: KernelAscent, gram: torch.Tensor, labels: torch.Tensor, lr: float, steps: int
) -> KernelAscent:
    """Some more steps of the output layer alone, with b = sum_i c_i relu(A x_i), K_il = relu(A x_i).relu(A x_l) / m.

    So a step costs n^2 whatever the width is, and the arc-cosine kernel is that of the infinitely wide network. `gram`
    is `(runs, n, n)`; the normalised margin is min_i y_i f(x_i) / sqrt(c^T K c).
    """
    signed = gram * labels.unsqueeze(1) * labels.unsqueeze(2)
    weights, best = (ascent.coefficients * labels).unsqueeze(2), ascent.best
    margins = torch.bmm(signed, weights)
    norm = torch.bmm(weights.mT, margins).clamp_min(0).sqrt()
    for t in range(ascent.step + 1, ascent.step + steps + 1):
        weights.addcmul_(norm.clamp_min(1), torch.softmax(-margins, 1), value=lr / math.sqrt(t + 1))
        torch.bmm(signed, weights, out=margins)
        norm = torch.bmm(weights.mT, margins).sqrt_()
        best = torch.fmax(best, margins.amin((1, 2)) / norm[:, 0, 0])
    return KernelAscent(weights.squeeze(2) * labels, ascent.step + steps, best)


def begin_in_kernel(labels: torch.Tensor) -> KernelAscent:
    """Ascent from f = 0."""
    return KernelAscent(torch.zeros_like(labels), 0, labels.new_full((len(labels),), -math.inf))
