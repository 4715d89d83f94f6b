"""Train a normalised network by full-batch descent with weight decay, and record its spherical sharpness.

Lyu, Li & Arora 2022 (arXiv 2206.07085), Figure 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.weight_decay.spec import Point
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.operators import Hessian, Losses, Operator, SummedHessian
from resodectl.numerics.descent.full_batch import decayed_step, effective_step
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.normalised_perceptron import NormalisedPerceptron
from resodectl.numerics.networks.vgg import Vgg
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import IMAGENET, unscaled
from resodectl.training.settings import CLASSES

SCALINGS = {"digits": unscaled, "cifar10": IMAGENET}


@dataclass(frozen=True)
class Problem:
    """A network with its last layer `(seeds, classes, features)`, and what it is trained on and tested with."""

    network: NormalisedPerceptron | Vgg
    head: torch.Tensor
    train: Images
    test: Images
    micro_batch: int
    logit_scale: float

    def parts(self, count: int) -> list[Losses]:
        """The losses of the micro-batches of the first `count` images; their sum is the mean over the images."""
        inputs, classes = self.train.inputs[:count], self.train.classes[:count]
        cut = zip(inputs.split(self.micro_batch), classes.split(self.micro_batch), strict=True)
        return [self._part(batch, answers, count) for batch, answers in cut]

    def _part(self, inputs: torch.Tensor, classes: torch.Tensor, count: int) -> Losses:
        def losses(weights: torch.Tensor) -> torch.Tensor:
            logits = self.logit_scale * self.network.outputs(weights, self.head, inputs)
            answers = classes.repeat(len(weights))
            each = F.cross_entropy(logits.flatten(0, 1), answers, reduction="none")
            return each.view(len(weights), -1).sum(1) / count

        return losses

    def loss_and_gradient(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss over all images `(seeds,)` and its gradient `(seeds, size)`; that of a perceptron by hand."""
        if not isinstance(self.network, NormalisedPerceptron):
            here = SummedHessian(self._all_parts, weights)
            return here.loss, here.gradient
        loss, gradient = torch.zeros_like(weights[:, 0]), torch.zeros_like(weights)
        for inputs, one_hot in self._batches:
            outputs, pull = self.network.pullback(weights, self.head, inputs)
            logarithms = (self.logit_scale * outputs).log_softmax(2)
            loss -= (logarithms * one_hot).sum((1, 2))
            gradient += pull(logarithms.exp_().sub_(one_hot))
        count = len(self.train.classes)
        return loss / count, gradient * (self.logit_scale / count)

    @cached_property
    def _all_parts(self) -> list[Losses]:
        return self.parts(len(self.train.classes))

    @cached_property
    def _batches(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The micro-batches, with their classes as `(n, 10)`."""
        size = self.micro_batch
        return list(zip(self.train.inputs.split(size), self.train.one_hot().split(size), strict=True))

    @torch.no_grad()
    def accuracies(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The shares of right answers `(seeds,)` on training and test images.

        Training images are normalised as in training; test images with the statistics of the first micro-batch.
        """
        size = self.micro_batch
        train = [
            self._right(self.network.outputs(weights, self.head, inputs), classes)
            for inputs, classes in zip(self.train.inputs.split(size), self.train.classes.split(size), strict=True)
        ]
        reference = self.train.inputs[:size]
        test = []
        for inputs, classes in zip(self.test.inputs.split(1000), self.test.classes.split(1000), strict=True):
            outputs = self.network.outputs(weights, self.head, torch.cat([reference, inputs]), size)
            test.append(self._right(outputs[:, size:], classes))
        return torch.stack(train).sum(0) / len(self.train.classes), torch.stack(test).sum(0) / len(self.test.classes)

    def _right(self, outputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        right = (outputs.argmax(2) == classes) & outputs.isfinite().all(2)
        return right.sum(1).to(outputs.dtype)


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of one weight decay, all seeds side by side."""
    point, seeds = cell.point, np.array(cell.seeds)
    problem, weights = _problem(point, context)
    measured = problem.parts(point.curvature_images)
    kept = context.restore()
    if kept is None:
        done = 0
        krylov = normal(context.streams("eigenvector"), (1, *weights.shape[1:]), context.dtype, context.device)
    else:
        done, weights, krylov = kept["done"], *(kept[name].to(context.device) for name in ("weights", "krylov"))
    for step in range(done, point.steps, point.every):
        accuracies, seen = problem.accuracies(weights), []
        for _ in range(2):
            found, krylov = _measured(point, measured, weights, krylov)
            loss, gradient = problem.loss_and_gradient(weights)
            seen.append({"train_loss": loss, **found})
            weights = decayed_step(weights, gradient, point.lr, point.weight_decay)
        both = {name: torch.stack([one[name] for one in seen]) for name in seen[0]}
        columns = {
            "train_accuracy": accuracies[0],
            "test_accuracy": accuracies[1],
            "residual": both.pop("residual").amax(0),
            "diverged": ~both["train_loss"].isfinite().all(0),
            **{name: values.mean(0) for name, values in both.items()},
        }
        rows = {name: values.cpu().numpy() for name, values in columns.items()}
        time = point.lr * point.clock * step
        yield "records", {"seed": seeds, "step": step, "time": time, **rows}
        for _ in range(min(point.every, point.steps - step) - 2):
            weights = decayed_step(weights, problem.loss_and_gradient(weights)[1], point.lr, point.weight_decay)
        context.save({"done": step + point.every, "weights": weights, "krylov": krylov})
        context.progress(min(1.0, (step + point.every) / point.steps))


def _measured(
    point: Point, parts: list[Losses], weights: torch.Tensor, start: torch.Tensor
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Sharpness, effective step and their product over 2, `(seeds,)` each, and the start for the next sharpness."""
    direction = weights / weights.norm(dim=1, keepdim=True)
    here: Operator = Hessian(parts[0], direction) if len(parts) == 1 else SummedHessian(parts, direction)
    ritz = largest(here, start, point.tolerance)
    sharpness, step = ritz.values[:, 0], effective_step(weights, point.lr, point.weight_decay)[:, 0]
    found = {"sharpness": sharpness, "residual": ritz.residuals[:, 0], "effective_step": step}
    return {**found, "edge_ratio": sharpness * step / 2}, ritz.start


def _problem(point: Point, context: Context) -> tuple[Problem, torch.Tensor]:
    """The problem, and the weights `(seeds, size)` to start from."""
    place = TensorPlace(context.dtype, context.device)
    train, test = train_and_test_images(point.data, context.data_root, place, SCALINGS[point.data], point.images)
    network: NormalisedPerceptron | Vgg
    if point.model.kind == "normalised-vgg":
        network = Vgg(train.inputs.shape[1], CLASSES, normalised=True)
    else:
        network = NormalisedPerceptron((train.inputs[0].numel(), *point.model.hidden, CLASSES))
    drawn = network.initial(lambda name: context.streams("weights", name))
    weights, head = (part.to(context.device, context.dtype) for part in drawn)
    return Problem(network, head, train, test, point.micro_batch, point.logit_scale), weights
