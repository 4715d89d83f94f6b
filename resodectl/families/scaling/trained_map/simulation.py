"""Train all networks of a map as one program, each with its own initial weights, scale and learning rate.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 9. A seed's networks start from the same Gaussian draws,
coloured by the covariance of each Hurst index, and see the same batches: the map differs from place to place by H, beta
and the learning rate alone.
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.trained_map.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.residual_classifiers import Classifiers, unbiased
from resodectl.numerics.weights.processes import entries
from resodectl.training.images import train_and_test_images
from resodectl.training.residual_classifiers import Fit, State, accuracy, adam_epoch, stem_and_head
from resodectl.training.scalings import unscaled


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point = cell.point
    images = train_and_test_images(point.data, context.data_root, TensorPlace(context.dtype, context.device), unscaled)
    train, test = (part.flat() for part in images)
    places = list(product(point.hursts.values(), point.betas.values(), point.lrs))
    hurst, beta, lr = (np.tile(column, len(cell.seeds)) for column in zip(*places, strict=True))
    scales, lrs = (
        torch.from_numpy(values).to(device=context.device, dtype=context.dtype)
        for values in (float(point.depth) ** -beta, lr)
    )
    fit = Fit(train, test, point.training, scales, lrs, biases=True)
    kept = context.restore()
    if kept is None:
        done, state, losses = 0, State.start(_initial(point, context, train.inputs.shape[1])), torch.zeros(0)
    else:
        done, state, losses = kept["done"], State.restored(kept["state"], context.device), kept["losses"]
    for epoch in range(done, point.training.epochs):
        losses = adam_epoch(fit, state, epoch, context)
        context.save({"done": epoch + 1, "state": state.kept(), "losses": losses})
        context.progress((epoch + 1) / point.training.epochs)
    yield (
        "accuracies",
        {
            "hurst": hurst,
            "beta": beta,
            "lr": lr,
            "seed": np.repeat(cell.seeds, len(places)),
            "accuracy": accuracy(fit, state.networks),
            "train_loss": losses,
            "diverged": ~losses.isfinite(),
        },
    )


def _initial(point: Point, context: Context, pixels: int) -> Classifiers:
    """A seed's networks side by side, ordered by Hurst index, scaling exponent and learning rate."""
    shape, hursts = (point.dim, point.dim), point.hursts.values()
    each = point.betas.count * len(point.lrs)
    stem, head = stem_and_head(context, point.dim, pixels, len(hursts) * each)
    layers = stem.new_empty(point.depth, len(context.seeds), len(hursts), each, *shape)
    for index, hurst in enumerate(hursts):
        streams = context.streams("weights", "layers")
        drawn = entries("fbm", streams, point.depth, shape, hurst, context.dtype, context.device)
        layers[:, :, index] = drawn.unsqueeze(2) / math.sqrt(point.dim)
    return unbiased(stem, layers.flatten(1, 3), head)
