"""Train networks of smooth and of independent layers side by side, and follow how rough their weights are in depth.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 8.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.trained_weights.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.residual_classifiers import Classifiers, unbiased
from resodectl.numerics.weights.processes import entries
from resodectl.numerics.weights.statistics import roughness
from resodectl.training.images import train_and_test_images
from resodectl.training.residual_classifiers import Fit, State, accuracy, adam_epoch, stem_and_head
from resodectl.training.scalings import unscaled


def simulate(cell: Cell, context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    images = train_and_test_images(point.data, context.data_root, place, unscaled)
    train, test = (part.flat() for part in images)
    seeds, count = len(cell.seeds), len(point.networks)
    names: dict[str, Any] = {
        "weights": [network.weights for network in point.networks] * seeds,
        "beta": np.tile([network.beta for network in point.networks], seeds),
        "seed": np.repeat(cell.seeds, count),
    }
    scales = torch.from_numpy(float(point.depth) ** -names["beta"]).to(place.device, place.dtype)
    fit = Fit(train, test, point.training, scales, torch.full_like(scales, point.lr), biases=False)
    chosen = _chosen(context, point.dim, count)

    def row(epoch: int, state: State, loss: torch.Tensor) -> dict[str, Any]:
        layers = state.networks.matrices
        found = {"roughness": roughness(layers), "accuracy": accuracy(fit, state.networks), "train_loss": loss}
        return {**names, **found, "epoch": epoch, "diverged": ~layers.isfinite().all(0).all(-1).all(-1)}

    kept = context.restore()
    if kept is None:
        done, state = 0, State.start(_initial(point, context, train.inputs.shape[1]))
        before = _entry(state.networks.matrices, chosen)
        yield "training", row(0, state, torch.full_like(scales, torch.nan))
    else:
        done, state, before = kept["done"], State.restored(kept["state"], context.device), kept["before"]
    for epoch in range(done, point.training.epochs):
        loss = adam_epoch(fit, state, epoch, context)
        yield "training", row(epoch + 1, state, loss)
        context.save({"done": epoch + 1, "state": state.kept(), "before": before})
        context.progress((epoch + 1) / point.training.epochs)
    yield (
        "paths",
        {
            **{name: np.repeat(values, point.depth) for name, values in names.items()},
            "layer": np.tile(np.arange(point.depth), seeds * count),
            "before": before.T.flatten(),
            "after": _entry(state.networks.matrices, chosen).T.flatten(),
        },
    )


def _initial(point: Point, context: Context, pixels: int) -> Classifiers:
    stem, head = stem_and_head(context, point.dim, pixels, len(point.networks))
    shape, place = (point.dim, point.dim), TensorPlace(context.dtype, context.device)
    drawn = [
        entries(network.weights, context.streams("weights", "layers"), point.depth, shape, **place._asdict())
        for network in point.networks
    ]
    layers = torch.stack(drawn, 2).flatten(1, 2) / math.sqrt(point.dim)
    return unbiased(stem, layers, head)


def _chosen(context: Context, dim: int, count: int) -> torch.Tensor:
    """The row and the column of the entry of each network that the figure follows, `(2, networks)`."""
    drawn = np.stack([stream.integers(0, dim, 2) for stream in context.streams("entry")], 1)
    return torch.from_numpy(np.repeat(drawn, count, 1)).to(context.device)


def _entry(layers: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """`(depth, networks)`"""
    return layers[:, torch.arange(layers.shape[1], device=layers.device), chosen[0], chosen[1]].cpu()
