"""The tangent kernel seed by seed: eigenvalues, layers, products without the matrix, and how slowly descent fits.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), appendix.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.datasets.load import load
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.kernel_spectrum.spec import Point
from resodectl.families.lazy.scaled_training import network_of
from resodectl.numerics.kernels.descent import modes
from resodectl.numerics.kernels.empirical import KernelOperator, kernel_parts
from resodectl.numerics.networks.rectified import Rectified, size, xavier
from resodectl.training.images import Images
from resodectl.training.scalings import STANDARDISED
from resodectl.training.settings import CLASSES

Rows = tuple[str, dict[str, Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The rows of each seed; kernels are computed one after the other, being large."""
    point = cell.point
    network = network_of(point.network, point.data)
    drawn = _drawn(point, context)
    starts = xavier(network, lambda name: context.streams(name), point.gain).to(context.device, context.dtype)
    vectors = context.streams("vector")
    for place, seed in enumerate(cell.seeds):
        if point.source == "independent":
            gram = _independent(point.sample_size * CLASSES, size(network), context.streams("gradients")[place])
            gram = gram.to(context.device, context.dtype)
            unknown = {"product_error": math.nan, "homogeneity": math.nan}
            yield "layers", {"seed": seed, "layer": np.zeros(1, int), "trace": gram.trace().item(), **unknown}
        else:
            vector = torch.from_numpy(vectors[place].standard_normal(point.sample_size * CLASSES))
            vector = vector.to(context.device, context.dtype)
            parts = _parts(network, starts[place], drawn[place].inputs, point.block)
            gram = parts.sum(0)
            yield "layers", {"seed": seed, **_layers(network, starts[place], drawn[place].inputs, parts, vector)}
        answers = F.one_hot(drawn[place].classes, CLASSES).to(gram)
        of = modes(gram, (answers - answers.mean(0)).flatten())
        values = of.values.flip(0)
        yield "spectra", {"seed": seed, "index": np.arange(1, len(values) + 1), "eigenvalue": values.cpu()}
        kept = [((1 - of.values / of.values[-1]) ** (2 * steps) * of.errors**2).sum().item() for steps in point.steps]
        residual = np.array(kept) / of.errors.square().sum().item()
        yield "descent", {"seed": seed, "steps": np.array(point.steps), "residual": residual}
        context.progress((place + 1) / len(cell.seeds))


def _drawn(point: Point, context: Context) -> list[Images]:
    """The inputs and classes of each seed: images, or pixels drawn uniformly from the values that a pixel may have.

    Both are standardised by what the training images show.
    """
    dataset = load(point.data, context.data_root)
    levels = np.asarray(dataset.train.inputs)
    assert dataset.peak is not None
    pixels = torch.from_numpy(levels).to(context.dtype) / dataset.peak
    mean, spread = STANDARDISED[point.data](pixels)
    drawn = []
    for images, uniform in zip(context.streams("images"), context.streams("pixels"), strict=True):
        chosen = images.permutation(len(levels))[: point.sample_size]
        inputs = pixels[chosen]
        if point.source == "uniform":
            values = uniform.integers(0, int(dataset.peak) + 1, tuple(inputs.shape))
            inputs = torch.from_numpy(values).to(context.dtype) / dataset.peak
        classes = torch.from_numpy(np.asarray(dataset.train.labels)[chosen])
        drawn.append(Images(((inputs - mean) / spread).to(context.device), classes.to(context.device)))
    return drawn


def _sizes(network: Rectified) -> list[int]:
    """How many weights each layer has, its bias included."""
    numbers = [math.prod(shape) for shape in network.shapes]
    return [weight + bias for weight, bias in zip(numbers[::2], numbers[1::2], strict=True)]


def _parts(network: Rectified, start: torch.Tensor, inputs: torch.Tensor, block: int) -> torch.Tensor:
    return kernel_parts(lambda w, x: network.outputs(w.unsqueeze(0), x)[0], start, inputs, _sizes(network), block=block)


def _layers(
    network: Rectified, start: torch.Tensor, inputs: torch.Tensor, parts: torch.Tensor, vector: torch.Tensor
) -> dict[str, np.ndarray]:
    """The kernel against its products without the matrix, and Euler's identity, each whole and without one layer."""
    operator = KernelOperator(lambda w, x: network.outputs(w.unsqueeze(0), x)[0], start, inputs)
    product = operator @ vector
    outputs = network.outputs(start.unsqueeze(0), inputs)[0].flatten()
    own = [torch.zeros_like(start) for _ in parts]
    for layer, span in zip(own, torch.arange(len(start), device=start.device).split(_sizes(network)), strict=True):
        layer[span] = start[span]
    degrees = torch.stack([operator.push(layer) @ outputs for layer in own]) / outputs.square().sum()
    left = [torch.zeros_like(parts[0]), *parts]  # what is left out
    total = parts.sum(0)
    errors = [((total - out) @ vector - product).norm() / product.norm() for out in left]
    traces = [(total - out).trace() for out in left]
    whole = degrees.sum()
    columns = {
        "trace": traces,
        "product_error": errors,
        "homogeneity": [whole, *(whole - degree for degree in degrees)],
    }
    rows = {name: torch.stack(values).double().cpu().numpy() for name, values in columns.items()}
    return {"layer": np.arange(len(left)), **rows}


def _independent(count: int, dim: int, stream: np.random.Generator) -> torch.Tensor:
    """G G^T for G of `count` x `dim` standard normal entries, by Bartlett's decomposition: without G."""
    triangle = np.tril(stream.standard_normal((count, count)), -1)
    degrees = np.maximum(dim - np.arange(count), 0)
    triangle[np.diag_indices(count)] = np.sqrt(np.where(degrees > 0, stream.chisquare(np.maximum(degrees, 1)), 0.0))
    triangle[:, dim:] = 0.0
    return torch.from_numpy(triangle @ triangle.T)
