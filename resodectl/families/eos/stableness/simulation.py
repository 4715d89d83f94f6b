"""Train networks by full-batch descent and record their curvature, two steps in a row at a time.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745), Figure 3; see the spec for the algorithms.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.images import drawn_images
from resodectl.families.eos.stableness.spec import Point, recorded
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.curvature.operators import Losses, Operator, SquareRootHessian, SummedHessian
from resodectl.numerics.descent.full_batch import gradient_step, normalised_step, square_root_step
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.networks.perceptron import Perceptron, torch_default
from resodectl.numerics.networks.vgg import Vgg
from resodectl.training.settings import CLASSES


class Problem(NamedTuple):
    """The weights `(seeds, size)` to start from, and loss, gradient and Hessian at any others."""

    start: torch.Tensor
    at: Callable[[torch.Tensor], Operator]


class State(NamedTuple):
    """Where training is: the weights, and what the next eigenvalues of L and of sqrt(L) are sought from."""

    weights: torch.Tensor
    krylov: torch.Tensor
    krylov_root: torch.Tensor


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of one algorithm with one learning rate, all seeds side by side."""
    point, labels = cell.point, {"seed": np.array(cell.seeds)}
    if point.model.kind == "perceptron":
        problem = _perceptron(point, point.model.hidden, context)
    else:
        problem = _vgg(point, point.model.micro_batch, context)
    kept = context.restore()
    if kept is None:
        shape = 2, *problem.start.shape[1:]
        start = normal(context.streams("eigenvectors"), shape, context.dtype, context.device)
        done, state = 0, State(problem.start, start, start[:, :1])
    else:
        done, state = kept["done"], State(*(kept[name].to(context.device) for name in State._fields))
    pairs = recorded(point.steps, point.every)
    for pair in range(done, len(pairs)):
        first = problem.at(state.weights)
        found, state = _measured(point, problem, first, state)
        weights = _stepped(point, state.weights, first)
        second = problem.at(weights)
        again, state = _measured(point, problem, second, state._replace(weights=weights))
        where = labels | {"pair": pair, "fraction": pairs[pair] / point.steps}
        turn = torch.cosine_similarity(first.gradient, second.gradient)
        yield "steps", where | {"step": pairs[pair]} | found | {"turn": turn.cpu().numpy()}
        yield "steps", where | {"step": pairs[pair] + 1} | again | {"turn": np.full(len(turn), np.nan)}
        if pair + 1 < len(pairs):
            weights = _stepped(point, weights, second)
            for _ in range(pairs[pair + 1] - pairs[pair] - 2):
                weights = _stepped(point, weights, problem.at(weights))
            state = state._replace(weights=weights)
        context.save({"done": pair + 1, **state._asdict()})
        context.progress((pair + 1) / len(pairs))


def _stepped(point: Point, weights: torch.Tensor, here: Operator) -> torch.Tensor:
    """The weights after one step."""
    if point.algorithm == "normalised":
        return normalised_step(weights, here.gradient, point.lr)
    if point.algorithm == "square-root":
        return square_root_step(weights, here.loss, here.gradient, point.lr)
    return gradient_step(weights, here.gradient, point.lr)


def _measured(point: Point, problem: Problem, here: Operator, state: State) -> tuple[dict[str, np.ndarray], State]:
    """The columns of one step, and the starts for the next."""
    ritz = largest(here, state.krylov, point.tolerance)
    state = state._replace(krylov=ritz.start)
    norm = here.gradient.norm(dim=1)
    unit = here.gradient / norm.unsqueeze(1)
    sharpness, second = ritz.values.unbind(1)
    top = sharpness
    if point.algorithm == "square-root":
        of_root = largest(SquareRootHessian(here), state.krylov_root, point.tolerance)
        state = state._replace(krylov_root=of_root.start)
        top = of_root.values[:, 0]
    if point.segment > 1:
        top = torch.stack([top, *_on_the_way(point, problem, here, state)]).amax(0)
    columns = {
        "train_loss": here.loss,
        "gradient_norm": norm,
        "sharpness": sharpness,
        "second": second,
        "residual": ritz.residuals.amax(1),
        "rayleigh": ((here @ unit) * unit).sum(1),
        "stableness": top * point.lr / (norm if point.algorithm == "normalised" else 1.0),
        "diverged": ~here.loss.isfinite(),
    }
    return {name: value.cpu().numpy() for name, value in columns.items()}, state


def _on_the_way(point: Point, problem: Problem, here: Operator, state: State) -> Iterator[torch.Tensor]:
    """lambda_1 of what is descended, `(seeds,)`, at evenly spaced points of the step but for its start."""
    root = point.algorithm == "square-root"
    step = _stepped(point, state.weights, here) - state.weights
    for index in range(1, point.segment):
        there = problem.at(state.weights + index / (point.segment - 1) * step)
        descended, start = (SquareRootHessian(there), state.krylov_root) if root else (there, state.krylov)
        yield largest(descended, start.sum(1, keepdim=True), point.tolerance).values[:, 0]


def _perceptron(point: Point, hidden: tuple[int, ...], context: Context) -> Problem:
    place = TensorPlace(context.dtype, context.device)
    images, _ = drawn_images(point.data, context.data_root, point.images, place)
    inputs, targets = images.inputs.flatten(1), images.one_hot()
    network = Perceptron((inputs.shape[1], *hidden, CLASSES), ACTIVATIONS["gelu"])
    start = torch_default(network, lambda name: context.streams("weights", name)).to(context.device, context.dtype)
    return Problem(start, lambda weights: MeanSquareHessian(network, weights, inputs, targets, factor=1.0))


def _vgg(point: Point, micro_batch: int, context: Context) -> Problem:
    train, _ = drawn_images(point.data, context.data_root, point.images, TensorPlace(context.dtype, context.device))
    images, targets = train.inputs, train.one_hot()
    network = Vgg(images.shape[1], CLASSES, normalised=False)
    drawn = network.initial(lambda name: context.streams("weights", name))
    start, head = (part.to(context.device, context.dtype) for part in drawn)

    def part_of(inputs: torch.Tensor, wanted: torch.Tensor) -> Losses:
        def losses(weights: torch.Tensor) -> torch.Tensor:
            return (network.outputs(weights, head, inputs) - wanted).square().sum((1, 2)) / point.images

        return losses

    cut = zip(images.split(micro_batch), targets.split(micro_batch), strict=True)
    parts = [part_of(inputs, wanted) for inputs, wanted in cut]
    return Problem(start, lambda weights: SummedHessian(parts, weights))
