"""Train residual networks of basic blocks, all seeds side by side, and measure their convolutions block by block.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245), the figures on CIFAR-10. As there, a convolution's norm is that of
the periodic convolution on images of the size that it reads, which is not exactly that of the zero-padded layer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.engine.cells import Cell
from resodectl.engine.context import Context
from resodectl.families.scaling.conv_weights.spec import BLOCKS, Point
from resodectl.fitting.epochs import at_rest, learning_rate, restored
from resodectl.fitting.images import standardised
from resodectl.fitting.settings import CLASSES, SHAPES
from resodectl.numerics.networks import Params, Place, Solver
from resodectl.numerics.networks_basic import Basic, circular_norms
from resodectl.numerics.schemes import EULER
from resodectl.numerics.training import Descent, Images, batches, crop_and_flip, descend, evaluate, gradients

SOLVER = Solver(EULER)  # plain backpropagation: the blocks are no steps of a scheme
TESTED = 500  # test images at a time


def simulate(cell: Cell, context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, place = cell.point, Place(context.dtype, context.device)
    train, test = standardised(point.data, context.data_root, place)
    network = network_of(point)
    start = network.initial(lambda name: context.streams("weights", name), place)
    params, losses = _trained(network, start, train, point, context)
    # No layer normalises, so that the one training image that passes with the test images changes nothing.
    test_loss, test_error = evaluate(network, params, test, train.inputs[:1], SOLVER, TESTED)
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


def _trained(network: Basic, start: Params, train: Images, point: Point, context: Context) -> tuple[Params, np.ndarray]:
    """The trained parameters and the mean loss over the batches of the last epoch, of each seed."""
    training, size = point.training, len(train.classes)
    descent = Descent(training.momentum, training.weight_decay)
    kept = context.restore()
    if kept is None:
        kept = {"done": 0, "losses": torch.full((len(context.seeds),), torch.nan)}
        state = at_rest({name: value.clone() for name, value in start.items()})
    else:
        state = restored(kept["params"], kept["momenta"], context.device)
    names, values, momenta = list(state.params), list(state.params.values()), list(state.momenta.values())
    losses = kept["losses"]
    for epoch in range(kept["done"], training.epochs):
        lr, found = learning_rate(training, epoch), []
        streams = context.streams("augmentation", epoch)
        augment = crop_and_flip(streams, size, context.device) if training.augment else None
        for chosen in batches(context.streams("order", epoch), size, training.batch, context.device):
            inputs = train.inputs[chosen] if augment is None else augment(train.inputs[chosen], chosen)
            loss, slopes = gradients(network, state.params, names, inputs, train.classes[chosen], SOLVER)
            descend(values, slopes, momenta, lr, descent)
            found.append(loss)
        losses = torch.stack(found).mean(0)
        context.save({"done": epoch + 1, "losses": losses, "params": state.params, "momenta": state.momenta})
        context.progress((epoch + 1) / training.epochs)
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
