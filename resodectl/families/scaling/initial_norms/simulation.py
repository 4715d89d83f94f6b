"""Norms of hidden states and gradients of untrained residual networks, many networks of a seed side by side.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929): h_0 = A x, h_{k+1} = h_k + L^-beta f_{k+1}(h_k), output B h_L,
loss (B h_L - y)^2. Its gradient p_L is a multiple of B^T, and the ratios below do not depend on the multiple: nor,
then, on the target y.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.initial_norms.spec import Point
from resodectl.numerics.draws import Streams, uniform
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.propagation.norm_sampler import joint_norms, marginal_norms
from resodectl.numerics.propagation.residual_norms import (
    backward,
    forward,
    random_layers,
    relative_change,
    stretch,
)
from resodectl.numerics.weights.processes import entries

AT_ONCE = 5  # networks whose matrices are kept in memory
SHARED_BY_DEPTHS = ("rbf", "rbf_increments")  # the weights of all depths are samples of one function
TENSORS = ("V", "Theta", "b", "A", "x", "B")


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    label = () if point.weights in SHARED_BY_DEPTHS else (point.depth,)
    streams = {name: context.streams("norms", name, *label) for name in (*TENSORS, "output", "gradient", "both")}
    for index, seed in enumerate(cell.seeds):
        own = {name: [of_seeds[index]] for name, of_seeds in streams.items()}
        found = _direct(point, own, context) if point.method == "direct" else _sampled(point, own)
        yield (
            "norms",
            {
                "seed": np.full(len(point.exponents) * point.repetitions, seed),
                "exponent": np.repeat(point.exponents, point.repetitions),
                "repetition": np.tile(np.arange(point.repetitions), len(point.exponents)),
                **{name: values.ravel() for name, values in found.items()},
            },
        )
        context.progress((index + 1) / len(cell.seeds))


def _direct(point: Point, streams: Mapping[str, Streams], context: Context) -> dict[str, np.ndarray]:
    """Each norm, `(exponents, repetitions)`: the columns of a network's hidden states are its residual scales."""
    scales = point.depth ** -torch.tensor(point.exponents, dtype=context.dtype, device=context.device)
    parts = [
        _norms(point, streams, min(AT_ONCE, point.repetitions - first), scales, context)
        for first in range(0, point.repetitions, AT_ONCE)
    ]
    return {name: torch.cat([part[name] for part in parts]).T.cpu().double().numpy() for name in parts[0]}


def _norms(
    point: Point, streams: Mapping[str, Streams], networks: int, scales: torch.Tensor, context: Context
) -> dict[str, torch.Tensor]:
    """Each norm, `(networks, exponents)`, of the next networks of a seed."""
    place = context.dtype, context.device
    law = point.weights, streams, point.depth, point.dim, networks, point.hurst
    layers = random_layers(point.architecture, *law, *place, point.length_scale, point.rough_share)
    outer = "uniform" if point.weights == "uniform" else "gaussian"
    embedding = _matrices(outer, streams["A"], networks, (point.dim, point.inputs), *place) / point.inputs**0.5
    x = uniform(streams["x"], (networks, point.inputs, 1), 0.0, 1.0, *place).flatten(0, 1)
    last = _matrices(outer, streams["B"], networks, (point.dim, 1), *place)
    start = (embedding @ x).expand(-1, -1, len(scales))
    last = last.expand(-1, -1, len(scales))
    end, slopes = forward(layers, start, scales, ACTIVATIONS[point.activation])
    first = backward(layers, last, scales, slopes)
    return {
        "output_change": relative_change(start, end),
        "output_stretch": stretch(start, end),
        "gradient_change": relative_change(last, first),
        "gradient_stretch": stretch(last, first),
    }


def _matrices(
    law: Any, streams: Streams, networks: int, shape: Sequence[int], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Independent entries of unit variance, `(networks, *shape)`."""
    return entries(law, streams, 1, (networks, *shape), dtype=dtype, device=device)[0, 0]


def _sampled(point: Point, streams: Mapping[str, Streams]) -> dict[str, np.ndarray]:
    """Each norm, `(exponents * repetitions,)`, all exponents side by side."""
    scales = np.repeat([point.depth**-exponent for exponent in point.exponents], point.repetitions)
    if point.method == "joint":
        output, gradient = joint_norms(streams["both"][0], len(scales), point.depth, point.dim, scales)
    else:
        output, gradient = (
            marginal_norms(streams[name][0], len(scales), point.depth, point.dim, scales)
            for name in ("output", "gradient")
        )
    return {
        "output_change": output.change,
        "output_stretch": output.stretch,
        "gradient_change": gradient.change,
        "gradient_stretch": gradient.stretch,
    }
