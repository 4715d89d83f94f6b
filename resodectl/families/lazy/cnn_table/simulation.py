"""Each row of the table: a network trained with a scale alpha, or a classifier on fixed features in closed form.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3b.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.cnn_table.features import (
    patch_features,
    ridge_accuracies,
    wavelet_moduli,
    whitened_patches,
)
from resodectl.families.lazy.cnn_table.spec import Linearised, Point, PriorFeatures, RandomFeatures, Standard
from resodectl.families.lazy.scaled_training import AT_ONCE, Scaled, State, Trainer, fit_of, network_of
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import STANDARDISED

Rows = tuple[str, dict[str, Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The rows of one method, a block for each epoch at which it is tested."""
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    scaling = STANDARDISED[point.data]
    train, test = train_and_test_images(point.data, context.data_root, place, scaling, point.images, random=True)
    if isinstance(point.method, Linearised | Standard):
        yield from _trained(cell, context, point.method, train, test)
    else:
        accuracies = np.array(list(_classified(point.method, context, train, test)))
        yield "table", _row(cell, point.method.kind, "none", 0, accuracies[:, 0], accuracies[:, 1])


def _trained(
    cell: Cell[Point], context: Context, method: Linearised | Standard, train: Images, test: Images
) -> Iterator[Rows]:
    lazy = isinstance(method, Linearised)
    alpha = method.alpha if isinstance(method, Linearised) else 1.0
    network = network_of(method.network, cell.point.data)
    of = Scaled.draw(network, method.gain, (alpha,), lazy, cell.point.loss, context)
    trainer = Trainer(of, cell.point, method.lr, train, context)
    kept = context.restore()
    done, state = (0, State.start(of.start)) if kept is None else (kept["done"], State.restored(kept, context.device))
    for epoch in range(done, method.epochs[-1] + 1):
        if epoch in method.epochs and (kept is None or epoch > done):
            accuracies = (fit_of(of, state, images)[1].cpu().numpy() for images in (train, test))
            yield "table", _row(cell, method.kind, method.network.kind, epoch, *accuracies)
        context.save({"done": epoch, **state._asdict()})
        context.progress(epoch / (method.epochs[-1] + 1))
        if epoch < method.epochs[-1]:
            trainer.epoch(state, epoch)


def _classified(
    method: PriorFeatures | RandomFeatures, context: Context, train: Images, test: Images
) -> Iterator[tuple[float, float]]:
    """Training and test accuracy of each seed; prior features have nothing that is drawn."""
    for stream in context.streams("patches"):
        if isinstance(method, PriorFeatures):
            of = partial(wavelet_moduli, scales=method.scales, orientations=method.orientations, grid=method.grid)
        else:
            filters, shift = whitened_patches(train.inputs, method.patches, method.side, stream)
            of = partial(patch_features, filters=filters, shift=shift, grid=method.grid)
        features = [torch.cat([of(part) for part in images.inputs.split(AT_ONCE)]) for images in (train, test)]
        yield ridge_accuracies(features[0], features[1], (train, test), method.ridge)


def _row(
    cell: Cell[Point], method: str, network: str, epoch: int, train: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    accuracies = {"train_accuracy": train, "test_accuracy": test}
    return {"method": method, "network": network, "seed": np.array(cell.seeds), "epoch": epoch, **accuracies}
