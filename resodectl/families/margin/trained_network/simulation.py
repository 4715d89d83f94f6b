"""Train a network without biases, all seeds side by side, and record the margins of all training images at once.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244), MNIST study.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.trained_network.spec import Point
from resodectl.numerics.descent.adaptive import at_rest, restored, rule, step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.homogeneous import (
    BiaslessConvolutional,
    BiaslessPerceptron,
    Homogeneous,
    classification_margins,
    degree,
    torch_default,
)
from resodectl.training.classifiers import losses
from resodectl.training.epochs import batches
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import unscaled
from resodectl.training.settings import CLASSES

AT_ONCE = 2000  # images of an evaluation


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of one optimiser, a block each."""
    of, seeds = cell.point, np.array(cell.seeds)
    place = TensorPlace(context.dtype, context.device)
    train, test = train_and_test_images(of.data, context.data_root, place, unscaled, of.images)
    network = _network(of, train)
    chosen = rule(of.run.optimiser, of.run.epsilon, of.beta, of.momentum)
    kept = context.restore()
    if kept is None:
        begin = 0
        weights = torch_default(network, lambda name: context.streams(name)).to(context.device, context.dtype)
        moments = at_rest(weights)
    else:
        begin, weights = kept["epoch"], kept["weights"].to(context.device)
        moments = restored(kept["moments"], context.device)
    labels = {"seed": seeds, "optimiser": of.run.optimiser, "epsilon_at": of.run.epsilon_at, "lr": of.run.lr}
    for epoch in range(begin, of.epochs + 1):
        if (epoch % of.every == 0 or epoch == of.epochs) and (kept is None or epoch > begin):
            record = evaluated(network, weights, train, test)
            yield "records", {**labels, "epoch": epoch, **{name: value.cpu() for name, value in record.items()}}
            context.save({"epoch": epoch, "weights": weights, "moments": moments.kept()})
            context.progress(epoch / (of.epochs + 1))
        if epoch < of.epochs:
            for inputs, classes in _batches(train, of.batch, context, epoch):
                gradient = _gradient(network, weights, inputs, classes)
                change, moments = step(chosen, gradient, moments, of.run.epsilon_at, axis=1)
                weights = weights - of.run.lr * change


def _network(of: Point, train: Images) -> Homogeneous:
    if of.model.kind == "convolutional":
        return BiaslessConvolutional(classes=CLASSES)
    return BiaslessPerceptron((train.inputs[0].numel(), *of.model.hidden, CLASSES))


def _batches(images: Images, batch: int, context: Context, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and classes `(seeds, batch, ...)`; if all images are one batch, they are shared: `(batch, ...)`."""
    if batch == len(images.classes):
        yield images.inputs, images.classes.expand(len(context.seeds), -1)
        return
    for chosen in batches(context.streams("order", epoch), len(images.classes), batch, images.classes.device):
        yield images.inputs[chosen], images.classes[chosen]


def _gradient(network: Homogeneous, weights: torch.Tensor, inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    leaves = weights.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(losses(network.outputs(leaves, inputs), classes).sum(), leaves)
    return gradient


@torch.no_grad()
def evaluated(network: Homogeneous, weights: torch.Tensor, train: Images, test: Images) -> dict[str, torch.Tensor]:
    """Loss, shares of right answers and normalised margin, `(seeds,)` each."""
    total, right, least = (weights.new_zeros(len(weights), dtype=torch.float64) for _ in range(3))
    least += torch.inf
    for inputs, classes in zip(train.inputs.split(AT_ONCE), train.classes.split(AT_ONCE), strict=True):
        outputs = network.outputs(weights, inputs)
        margins = classification_margins(outputs, classes)
        total += losses(outputs, classes.expand(len(weights), -1)).double() * len(classes)
        right += (margins > 0).sum(1)
        least = torch.minimum(least, margins.amin(1).double())
    tested = torch.zeros_like(total)
    for inputs, classes in zip(test.inputs.split(AT_ONCE), test.classes.split(AT_ONCE), strict=True):
        tested += (classification_margins(network.outputs(weights, inputs), classes) > 0).sum(1)
    loss = total / len(train.classes)
    return {
        "train_loss": loss,
        "train_accuracy": right / len(train.classes),
        "test_accuracy": tested / len(test.classes),
        "margin": least / weights.double().square().sum(1) ** (degree(network) / 2),
        "diverged": ~loss.isfinite(),
    }
