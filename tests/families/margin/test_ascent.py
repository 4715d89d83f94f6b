"""Ascent on the smooth margin: its steps against finite differences and autograd, what it conserves, its limits."""

import math

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.families.margin.ascent import (
    Labelled,
    Wide,
    ascend_both,
    ascend_in_kernel,
    ascend_output,
    begin,
    begin_in_kernel,
    normal_start,
)
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.kernel_svm import kernel_svm
from resodectl.numerics.margins.smooth import smooth_margin

LR = 0.5


def started(runs: int = 3, width: int = 7, dim: int = 4) -> Wide:
    return normal_start(*([stream(seed, layer) for seed in range(runs)] for layer in ("hidden", "output")), width, dim)


def labelled(runs: int = 3, samples: int = 6, dim: int = 4) -> Labelled:
    rng = np.random.default_rng(5)
    inputs, labels = rng.standard_normal((runs, samples, dim)), rng.choice([-1.0, 1.0], (runs, samples))
    return Labelled(torch.from_numpy(inputs), torch.from_numpy(labels))


def exclusive_or(runs: int, a: float = 0.5, b: float = 0.5) -> Labelled:
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    inputs = torch.cat([torch.ones(4, 1, dtype=torch.float64), signs * torch.tensor([a, b])], 1)
    return Labelled(inputs.repeat(runs, 1, 1), signs.prod(1).repeat(runs, 1))


def smooth(network: Wide, data: Labelled) -> torch.Tensor:
    return smooth_margin(network.values(data.inputs) * data.labels)


def test_values_are_means_over_the_units() -> None:
    network, data = started(), labelled()
    for hidden, output, inputs, values in zip(*network, data.inputs, network.values(data.inputs), strict=True):
        sums = [sum(b * max(float(a @ x), 0.0) for a, b in zip(hidden, output, strict=True)) / 7 for x in inputs]
        assert values.numpy() == pytest.approx(np.array(sums))


def test_the_first_step_is_the_slope_of_m_times_the_smooth_margin_by_finite_differences() -> None:
    network, data = started(), labelled()
    after = ascend_both(begin(network), data, LR, 1).network
    for weights, moved in zip(network, after, strict=True):
        step = (moved - weights)[1].flatten() * math.sqrt(2) / LR
        flat = weights[1].view(-1)
        for index in range(0, flat.numel(), 5):
            middle, ends = flat[index].item(), []
            for shift in (1e-6, -1e-6):
                flat[index] = middle + shift
                ends.append(smooth(network, data)[1].item())
            flat[index] = middle
            assert step[index].item() == pytest.approx(7 * (ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_many_steps_are_those_of_autograd_with_the_best_margin_on_the_way() -> None:
    network, data = started(), labelled()
    leaves = [weights.clone() for weights in network]
    margins = []
    for t in range(1, 41):
        leaves = [leaf.requires_grad_() for leaf in leaves]
        at = Wide(*leaves)
        least = (at.values(data.inputs) * data.labels).amin(1)
        margins.append((least / (leaves[0].square().sum((1, 2)) + leaves[1].square().sum(1)) * 7).detach())
        slopes = torch.autograd.grad(smooth(at, data).sum(), leaves)
        leaves = [
            (leaf + LR / math.sqrt(t + 1) * 7 * slope).detach() for leaf, slope in zip(leaves, slopes, strict=True)
        ]
    at = Wide(*leaves)
    margins.append((at.values(data.inputs) * data.labels).amin(1) / at.square())
    ascent = ascend_both(begin(network), data, LR, 40)
    for weights, expected in zip(ascent.network, leaves, strict=True):
        torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(ascent.best, torch.stack(margins).amax(0))


def test_cut_into_parts_it_is_the_same_to_the_bit_and_leaves_its_start_alone() -> None:
    network, data = started(), labelled()
    before = [weights.clone() for weights in network]
    for ascend in (ascend_both, ascend_output):
        whole = ascend(begin(network), data, LR, 30)
        parts = ascend(ascend(begin(network), data, LR, 11), data, LR, 19)
        assert whole.step == parts.step == 30
        assert all(map(torch.equal, (*whole.network, whole.best), (*parts.network, parts.best)))
    assert all(map(torch.equal, network, before))


def test_small_steps_conserve_the_difference_of_the_squares_of_each_unit() -> None:
    """A step changes it by the square of its size: half the steps for four times as long reach the same time."""
    network, data = started(), labelled()

    def change(lr: float, steps: int) -> float:
        after = ascend_both(begin(network), data, lr, steps).network
        excess = [at.output.square() - at.hidden.square().sum(2) for at in (network, after)]
        assert (after.output - network.output).abs().max() > 0.3
        return (excess[1] - excess[0]).abs().max().item()

    assert change(0.01, 1600) < 0.4 * change(0.02, 400) < 4e-3


def test_the_normalised_margin_does_not_depend_on_the_scale_of_the_weights() -> None:
    network, data = started(), exclusive_or(3)
    network = Wide(network.hidden[..., :3], network.output)
    scaled = Wide(3 * network.hidden, 3 * network.output)
    margins = [ascend_both(begin(of), data, LR, 0).best for of in (network, scaled)]
    torch.testing.assert_close(*margins)
    torch.testing.assert_close(scaled.square(), 9 * network.square())


def test_balanced_is_the_least_square_of_rescaled_units() -> None:
    network = started()
    factor = (network.output.abs() / network.hidden.norm(dim=2)).sqrt()
    equal = Wide(network.hidden * factor.unsqueeze(2), network.output / factor)
    torch.testing.assert_close(equal.square(), network.balanced())
    assert (network.balanced() < network.square()).all()
    data = labelled()
    torch.testing.assert_close(equal.values(data.inputs), network.values(data.inputs))


def test_both_layers_come_close_to_the_largest_margin_of_the_variation_norm_on_exclusive_or() -> None:
    """gamma_1 = a b / (4 sqrt(a^2 + b^2)), by four units along (0, +-b, +-a)."""
    for a, b in ((0.5, 0.5), (0.3, 0.4)):
        best = ascend_both(begin(started(2, 200, 3)), exclusive_or(2, a, b), LR, 1200).best
        ratio = best / (a * b / (4 * math.hypot(a, b)))
        assert ((ratio > 0.98) & (ratio <= 1 + 1e-9)).all()


def test_the_output_layer_alone_comes_close_to_the_largest_margin_of_its_kernel() -> None:
    network, data = started(2, 60, 3), exclusive_or(2)
    network = Wide(network.hidden, torch.zeros_like(network.output))
    ascent = ascend_output(begin(network), data, LR, 3000)
    assert torch.equal(ascent.network.hidden, network.hidden)
    units = torch.bmm(network.hidden, data.inputs.mT).clamp_min(0)
    for gram, labels, best in zip(torch.bmm(units.mT, units) / 60, data.labels, ascent.best, strict=True):
        of = kernel_svm(gram.numpy(), labels.numpy())
        assert 0.97 * of.lower < best.item() <= of.upper * (1 + 1e-9)


def test_in_the_kernel_and_in_the_weights_the_output_layer_moves_alike() -> None:
    network, data = started(), labelled()
    network = Wide(network.hidden, torch.zeros_like(network.output))
    units = torch.bmm(network.hidden, data.inputs.mT).clamp_min(0)
    gram = torch.bmm(units.mT, units) / 7
    wide = ascend_output(begin(network), data, LR, 400)
    kernel = ascend_in_kernel(begin_in_kernel(data.labels), gram, data.labels, LR, 150)
    kernel = ascend_in_kernel(kernel, gram, data.labels, LR, 250)
    assert wide.network.output.norm(dim=1).min() > 2 * math.sqrt(7)  # the steps grow with the weights
    torch.testing.assert_close(
        torch.bmm(gram, kernel.coefficients.unsqueeze(2)).squeeze(2), wide.network.values(data.inputs)
    )
    torch.testing.assert_close(kernel.best, wide.best)


def test_in_the_arc_cosine_kernel_it_tends_to_the_margin_of_exclusive_or() -> None:
    data = exclusive_or(1)
    gram = torch.from_numpy(relu_gram(data.inputs.numpy(), data.inputs.numpy()))
    best = ascend_in_kernel(begin_in_kernel(data.labels), gram, data.labels, LR, 20).best
    assert best.item() == pytest.approx(0.09869352, abs=1e-8)  # by symmetry from the first step on
