"""Train residual networks of basic blocks, all seeds side by side, and measure their convolutions block by block.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245), the figures on CIFAR-10. As there, a convolution's norm is that of
the periodic convolution on images of the size that it reads, which is not exactly that of the zero-padded layer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.conv_weights.spec import BLOCKS, Point
from resodectl.numerics.curvature.convolution_norms import circular_norms
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.basic import Basic
from resodectl.numerics.networks.network import Params, Solver
from resodectl.numerics.ode.schemes import EULER
from resodectl.training.classifiers import AT_ONCE, evaluate
from resodectl.training.images import train_and_test_images
from resodectl.training.networks import Fit, State, sgd_epoch
from resodectl.training.scalings import STANDARDISED
from resodectl.training.settings import CLASSES, SHAPES

SOLVER = Solver(EULER)  # plain backpropagation: the blocks are no steps of a scheme


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    train, test = train_and_test_images(point.data, context.data_root, place, STANDARDISED[point.data])
    network = network_of(point)
    start = network.initial(lambda name: context.streams("weights", name), place)
    fit = Fit(network, SOLVER, train, test, point.training)
    params, losses = _trained(fit, start, context)
    # No layer normalises, so that the one training image that passes with the test images changes nothing.
    test_loss, test_error = evaluate(network, params, test, train.inputs[:1], SOLVER, AT_ONCE)
    seeds = np.array(cell.seeds)
    for tensor in ("A", "Delta"):
        yield from _layers(network, tensor, start, params, point, seeds)
    finite = torch.isfinite(test_loss).cpu().numpy() & np.isfinite(losses)
    about = {"test_loss": test_loss, "test_error": test_error, "diverged": ~finite}
    yield "networks", {"seed": seeds, "train_loss": losses, **about}


def network_of(point: Point) -> Basic:
    """The network of a point for its images."""
    model = point.model
    rest = (model.strides, model.width, model.doubling, model.initial == "equal")
    return Basic(SHAPES[point.data][0], CLASSES, BLOCKS[point.depth], *rest)


def _trained(fit: Fit, start: Params, context: Context) -> tuple[Params, np.ndarray]:
    """The trained parameters and the mean loss over the batches of the last epoch, of each seed."""
    epochs = fit.training.epochs
    kept = context.restore()
    if kept is None:
        kept = {"done": 0, "losses": torch.full((len(context.seeds),), torch.nan)}
        state = State.start({name: value.clone() for name, value in start.items()})
    else:
        state = State.restored(kept["state"], context.device)
    losses = kept["losses"]
    for epoch in range(kept["done"], epochs):
        losses = sgd_epoch(fit, state, epoch, context)
        context.save({"done": epoch + 1, "losses": losses, "state": state.kept()})
        context.progress((epoch + 1) / epochs)
    return state.params, losses.double().cpu().numpy()


def _layers(
    network: Basic, tensor: str, start: Params, params: Params, point: Point, seeds: np.ndarray
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The norms of one convolution of every block."""
    size: tuple[int, ...] = SHAPES[point.data][1:]
    shapes = network.shapes()
    for k, (stage, _, _, stride) in enumerate(shapes):
        out = tuple(-(-side // stride) for side in size)
        read = size if tensor == "A" else out
        own, later = params[f"{tensor}.{k}"].double(), params.get(f"{tensor}.{k + 1}")
        columns = {"increment": torch.full((len(seeds),), torch.nan, dtype=torch.float64)}
        columns["increment_square"] = columns["increment"]
        if later is not None and shapes[k + 1][0] == stage and later.shape == own.shape:
            step = later.double() - own
            columns["increment"] = _norms(step, out)
            columns["increment_square"] = step.flatten(1).square().sum(1)
        yield (
            "layers",
            {
                "seed": seeds,
                "tensor": tensor,
                "stage": stage + 1,
                "layer": k,
                "initial_norm": _norms(start[f"{tensor}.{k}"].double(), read),
                "norm": _norms(own, read),
                "square": own.flatten(1).square().sum(1),
                **columns,
            },
        )
        size = out


def _norms(kernels: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """The operator norms of kernels `(seeds, out, in, kernel, kernel)`, NaN where a training diverged."""
    finite = kernels.flatten(1).isfinite().all(1)
    norms = circular_norms(torch.where(finite[:, None, None, None, None], kernels, 0.0), (size[0], size[1]))
    return torch.where(finite, norms, torch.nan)
