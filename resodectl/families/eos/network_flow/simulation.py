"""Sharpness along normalised descent and along the explicit flow of log lambda_1, several networks side by side.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745). On a path the sharpness differs by O(lr) from step to step, so it is read
on the manifold, where the retraction lands.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.images import drawn_images
from resodectl.families.eos.network_flow.spec import DescentWay, Point
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.minimisers import (
    Ambient,
    DescentRetraction,
    GaussNewton,
    NormalSpace,
    SharpnessFlow,
    Unretracted,
    retract,
    squared,
)
from resodectl.numerics.descent.full_batch import gradient_step, normalised_step
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.perceptron import Perceptron, torch_default
from resodectl.numerics.ode.tableaux import TABLEAUX
from resodectl.training.settings import CLASSES

TOLERANCE = {"float64": 1e-6, "float32": 1e-4}  # residual of lambda_1, relative


class Task(NamedTuple):
    """A network and its images; test classes are numbers."""

    network: Perceptron
    inputs: torch.Tensor
    targets: torch.Tensor
    test_inputs: torch.Tensor
    test_classes: torch.Tensor

    def operator(self, weights: torch.Tensor) -> MeanSquareHessian:
        """L = (1/n) sum_i |f(x_i) - y_i|^2, its gradient and Hessian."""
        return MeanSquareHessian(self.network, weights, self.inputs, self.targets, factor=1.0)

    def residuals(self, weights: torch.Tensor) -> torch.Tensor:
        """r with L = |r|^2, `(runs, n classes)`."""
        errors = self.network.outputs(weights, self.inputs) - self.targets
        return errors.flatten(1) / len(self.inputs) ** 0.5

    def rows(self, weights: torch.Tensor) -> torch.Tensor:
        """The Jacobian of `residuals`."""
        return self.network.jacobian(weights, self.inputs) / len(self.inputs) ** 0.5

    @torch.no_grad()
    def test_error(self, weights: torch.Tensor) -> torch.Tensor:
        """The share of wrong answers in per cent; answers that are not numbers are wrong."""
        outputs = self.network.outputs(weights, self.test_inputs)
        right = (outputs.argmax(2) == self.test_classes) & outputs.isfinite().all(2)
        return 100 * (1 - right.double().mean(1))


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    task = task_of(point, context.data_root, place)
    kept = context.restore()
    if kept is None:
        first = torch_default(task.network, lambda name: context.streams("weights", name)).to(**place._asdict())
        at = approached(task, point, first)
        at = landing(task, point, at) if point.path == "flow" else at
        done, start = 0, normal(context.streams("eigenvectors"), (2, at.shape[1]), *place)
    else:
        done, at, start = kept["done"], kept["at"].to(context.device), kept["start"].to(context.device)
    advance = _flow(task, point) if point.path == "flow" else _descent(task, point)
    for record in range(done, point.records + 1):
        if record:
            at, start = advance(at, start, record)
        row, start = _row(task, point, at, start)
        yield "curves", {"seed": np.array(cell.seeds), "s": record * point.horizon / point.records, **row}
        context.save({"done": record + 1, "at": at, "start": start})
        context.progress((record + 1) / (point.records + 1))


def task_of(point: Point, root: Path | None, place: TensorPlace) -> Task:
    """The network and the images that a recipe asks for.

    Raises:
        UserError: the data set is missing or damaged, or has too few images.
    """
    train, test = (part.flat() for part in drawn_images(point.data, root, point.samples, place))
    network = Perceptron((train.inputs.shape[1], *point.hidden, CLASSES), ACTIVATIONS["gelu"])
    return Task(network, train.inputs, train.one_hot(), *test)


def approached(task: Task, point: Point, weights: torch.Tensor) -> torch.Tensor:
    """After gradient descent; each network stops by itself where its loss is small enough."""
    until = point.approach.until if point.approach.until is not None else -1.0
    for _ in range(point.approach.steps):
        found = task.operator(weights)
        going = found.loss >= until
        if not going.any():
            break
        weights = torch.where(going[:, None], gradient_step(weights, found.gradient, point.approach.lr), weights)
    return weights


def landing(task: Task, point: Point, weights: torch.Tensor) -> torch.Tensor:
    """The minimisers near `weights`, found by the recipe's retraction."""
    if isinstance(point.retraction, DescentWay):
        return _descended(task, point.retraction).retract(weights)
    return retract(task.residuals, weights, task.rows)


def _descended(task: Task, retraction: DescentWay) -> DescentRetraction:
    return DescentRetraction(lambda at: task.operator(at).gradient, retraction.lr, retraction.steps)


Advance = Callable[[torch.Tensor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


def _flow(task: Task, point: Point) -> Advance:
    """From one record to the next along the flow."""

    def manifold(at: torch.Tensor) -> NormalSpace:
        by_descent = isinstance(point.retraction, DescentWay)
        if point.ablation == "ambient-flow" or (point.ablation == "no-retraction" and by_descent):
            return Ambient()
        if isinstance(point.retraction, DescentWay):
            return _descended(task, point.retraction)
        space = GaussNewton(task.residuals, at, task.rows)
        return Unretracted(space) if point.ablation == "no-retraction" else space

    flow = SharpnessFlow(squared(task.residuals), "log-sharpness", manifold, TOLERANCE[point.dtype])
    tableau = TABLEAUX[point.flow.scheme]
    steps = round(point.horizon / point.records / point.flow.step)
    speed = 2 if point.ablation == "double-time" else 1

    def advance(at: torch.Tensor, start: torch.Tensor, record: int) -> tuple[torch.Tensor, torch.Tensor]:
        one = start.sum(1, keepdim=True)
        for _ in range(steps * speed):
            at, one = flow.advance(at, one, point.flow.step, tableau)
        return at, torch.cat([one, start[:, 1:]], 1)

    return advance


def _descent(task: Task, point: Point) -> Advance:
    """From one record to the next by normalised steps, 4 s / lr^2 of them to the time s."""

    def advance(at: torch.Tensor, start: torch.Tensor, record: int) -> tuple[torch.Tensor, torch.Tensor]:
        before, after = (round(4 * k * point.horizon / point.records / point.lr**2) for k in (record - 1, record))
        for _ in range(after - before):
            gradient = task.operator(at).gradient
            if point.ablation == "plain-descent":
                at = gradient_step(at, gradient, point.approach.lr)
            else:
                at = normalised_step(at, gradient, point.lr)
        return at, start

    return advance


def _row(task: Task, point: Point, at: torch.Tensor, start: torch.Tensor) -> tuple[dict[str, Any], torch.Tensor]:
    """What is logged of a path, and the start of the next Lanczos iteration."""
    on_path = point.path == "flow"  # the flow has landed already, or is not meant to
    landed = at if on_path else landing(task, point, at)
    found = task.operator(landed)
    ritz = largest(found, start, TOLERANCE[point.dtype])
    loss = task.operator(at).loss
    row = {
        "sharpness": ritz.values[:, 0].double(),
        "gap": (ritz.values[:, 1] / ritz.values[:, 0]).double(),
        "residual": (ritz.residuals[:, 0] / ritz.values[:, 0]).double(),
        "landed_loss": found.loss.double(),
        "loss": loss.double(),
        "test_error": task.test_error(at),
        "diverged": ~loss.isfinite(),
    }
    return row, ritz.start
