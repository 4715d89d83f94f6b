"""Descend with all seeds and step sizes side by side, and take the sharpness every few steps.

Cohen, Kaur, Li, Kolter & Talwalkar 2021 (arXiv 2103.00065). Sharpness by Lanczos, started from the last record.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.descent.spec import Method, Point
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.mean_square import MeanSquareHessian
from resodectl.numerics.descent.full_batch import (
    flow_step,
    gradient_step,
    nesterov_step,
    polyak_step,
    stable_flow_step,
)
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.laws.thresholds import gradient_threshold, nesterov_threshold, polyak_threshold
from resodectl.numerics.networks.perceptron import Perceptron, torch_default, xavier_normal
from resodectl.training.images import training_images
from resodectl.training.scalings import by_pixel, by_root_mean_square

FACTOR = 0.5  # of the squared error
SCALINGS = {"global": by_root_mean_square, "pixel": by_pixel}


class Task(NamedTuple):
    """A network, what it is to fit, and the step size of each run, `(runs, 1)`."""

    network: Perceptron
    inputs: torch.Tensor
    targets: torch.Tensor
    lr: torch.Tensor

    def at(self, weights: torch.Tensor) -> MeanSquareHessian:
        """Losses, gradients and Hessians of the runs at their weights."""
        return MeanSquareHessian(self.network, weights, self.inputs, self.targets, FACTOR)

    def accuracy(self, here: MeanSquareHessian) -> torch.Tensor:
        """The share of right answers of each run, `(runs,)`; NaN if there is only one output."""
        if self.targets.shape[1] == 1:
            return torch.full_like(here.loss, torch.nan)
        return (here.outputs.argmax(2) == self.targets.argmax(1)).double().mean(1)


State = dict[str, torch.Tensor]


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of one cell: `curves`, a block a record."""
    point, method = cell.point, cell.point.method
    task, first = prepared(point, context)
    threshold = _threshold(method, task.lr)
    labels = {
        "problem": point.problem.name,
        "method": method.kind,
        "run": method.name,
        "momentum": method.momentum,
        "lr": np.repeat(method.lrs, len(cell.seeds)),
        "seed": np.tile(cell.seeds, len(method.lrs)),
        "threshold": threshold,
    }
    advance = _advance(point, task)
    kept = context.restore()
    begin = 0 if kept is None else kept["step"]
    state: State = first if kept is None else {name: value.to(context.device) for name, value in kept["state"].items()}
    here = task.at(state["weights"])
    if kept is None:
        record = _record(task, here, state, threshold, point.tolerance)
        yield "curves", labels | record | {"step": 0, "mean_loss": here.loss, "rises": 0.0}
    for done in range(begin, method.steps, point.every):
        steps = min(point.every, method.steps - done)
        total, rises = torch.zeros_like(here.loss), torch.zeros_like(here.loss)
        for _ in range(steps):
            state |= advance(here, state)
            before, here = here.loss, task.at(state["weights"])
            total += here.loss
            rises += ~(here.loss <= before)  # a loss that is no number has not fallen
        record = _record(task, here, state, threshold, point.tolerance)
        yield "curves", labels | record | {"step": done + steps, "mean_loss": total / steps, "rises": rises / steps}
        context.save({"step": done + steps, "state": state})
        context.progress((done + steps) / method.steps)
        if point.stop_accuracy is not None and bool((record["accuracy"] >= point.stop_accuracy).all()):
            return


def prepared(point: Point, context: Context) -> tuple[Task, State]:
    """The task of a cell and the state that it starts from: all seeds for the first step size, then the next one."""
    place, problem, lrs = TensorPlace(context.dtype, context.device), point.problem, point.method.lrs
    if problem.kind == "chebyshev":
        network = Perceptron((1, problem.width, 1), output_bias=False)
        inputs = torch.linspace(-1, 1, problem.points, dtype=torch.float64).unsqueeze(1)
        targets = torch.cos(problem.degree * torch.acos(inputs))
        inputs, targets = inputs.to(**place._asdict()), targets.to(**place._asdict())
        weights = xavier_normal(network, lambda name: context.streams("weights", name), (problem.gain, 1.0))
    else:
        assert point.data is not None
        scaling = SCALINGS[problem.scaling]
        images = training_images(point.data, context.data_root, place, scaling, problem.samples).flat()
        inputs, targets = images.inputs, images.one_hot()
        network = Perceptron((inputs.shape[1], *problem.hidden, targets.shape[1]))
        weights = torch_default(network, lambda name: context.streams("weights", name))
    start = normal(context.streams("lanczos"), (1, network.size), *place).repeat(len(lrs), 1, 1)
    weights = weights.to(start).repeat(len(lrs), 1)
    lr = torch.tensor(lrs, dtype=start.dtype).repeat_interleave(len(context.seeds)).unsqueeze(1).to(start.device)
    state = {"weights": weights, "momentum": torch.zeros_like(weights), "start": start}
    state |= {"sharpness": torch.zeros_like(lr[:, 0]), "crossed": torch.zeros_like(lr[:, 0], dtype=torch.bool)}
    return Task(network, inputs, targets, lr), state


def _record(
    task: Task, here: MeanSquareHessian, state: State, threshold: torch.Tensor, tolerance: float
) -> dict[str, Any]:
    """What is seen at the weights of the state, whose start for Lanczos, sharpness and phase it renews."""
    found = largest(here, state["start"], tolerance)
    sharpness = found.values[:, 0]
    phase = np.where(state["crossed"].cpu().numpy(), "after", "before")
    state |= {"start": found.start, "sharpness": sharpness, "crossed": state["crossed"] | (sharpness >= threshold)}
    return {
        "loss": here.loss,
        "accuracy": task.accuracy(here),
        "sharpness": sharpness,
        "residual": found.residuals[:, 0],
        "products": found.products,
        "phase": phase,
        "diverged": ~(torch.isfinite(here.loss) & torch.isfinite(sharpness)),
    }


def _threshold(method: Method, lr: torch.Tensor) -> torch.Tensor:
    """The largest stable curvature of each run; for a flow, that of gradient descent at its times, `(runs,)`."""
    rates = lr[:, 0]
    if method.kind == "polyak":
        return polyak_threshold(rates, method.momentum)
    if method.kind == "nesterov":
        return nesterov_threshold(rates, method.momentum)
    return gradient_threshold(rates)


def _advance(point: Point, task: Task) -> Callable[[MeanSquareHessian, State], State]:
    """One step of the method: what of the state it renews."""
    kind, beta = point.method.kind, point.method.momentum

    def gradient(here: MeanSquareHessian, state: State) -> State:
        return {"weights": gradient_step(state["weights"], here.gradient, task.lr)}

    def momentum(here: MeanSquareHessian, state: State) -> State:
        step = polyak_step if kind == "polyak" else nesterov_step
        weights, moved = step(state["weights"], here.gradient, state["momentum"], task.lr, beta)
        return {"weights": weights, "momentum": moved}

    def flow(here: MeanSquareHessian, state: State) -> State:
        weights = state["weights"]
        stable = stable_flow_step(state["sharpness"], point.flow_alpha, point.flow_cap)
        parts = (task.lr / stable).ceil().nan_to_num(1.0).clamp(min=1.0)  # of each run, whatever those beside it need
        for part in range(int(parts.max().item())):
            weights = flow_step(lambda w: -task.at(w).gradient, weights, (part < parts) * task.lr / parts)
        return {"weights": weights}

    return {"gradient": gradient, "flow": flow}.get(kind, momentum)
