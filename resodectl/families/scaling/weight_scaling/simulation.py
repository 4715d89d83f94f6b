"""Train residual networks of one depth, all seeds side by side, and measure their weights along the depth.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245). As in the official code, batches are fixed and only their order is
random, and a training stops at the end of an epoch; a seed whose training stopped takes no further part.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.errors import UserError
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.scaling.vector_pairs import Pairs, image_pairs, ode_pairs
from resodectl.families.scaling.weight_scaling.spec import Point
from resodectl.numerics.descent import adam
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.activations import InPlace, in_place
from resodectl.numerics.networks.delta import Passes, Stack, outputs
from resodectl.numerics.networks.network import layers_first
from resodectl.numerics.weights.statistics import bin_means, roughness, statistics

IMPROVEMENT = 0.99  # a loss below this times the best one so far counts as an improvement
ENTRIES = {"tanh": ((7, 9), 5), "relu": ((7, 7), 6)}  # of A and b; the paper's own, whose A is the transpose of ours
EVALUATED = 1024  # pairs at a time
RUNNING = "running"


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    train, test = _pairs(point, context, place)
    stack, outcome = _trained(point, train, context)
    scale = torch.ones_like(stack.steps) if stack.shared else stack.steps.abs()
    paths = {"A": stack.matrices * scale[..., None, None], "b": stack.biases * scale[..., None]}
    trends = {name: bin_means(path, point.bins) for name, path in paths.items()}
    seeds = np.array(cell.seeds)
    for name, path in paths.items():
        shared = stack.steps[0] if stack.shared else torch.ones_like(stack.steps[0])
        measured = statistics(path)
        squares = path.flatten(2).double().square().sum((0, 2))
        yield (
            "weights",
            {
                "seed": seeds,
                "tensor": name,
                **measured,
                "residual": measured["largest"] * shared.double(),
                "largest_share": path.flatten(2).double().square().sum(2).amax(0) / squares,
                "trend_share": trends[name].flatten(2).double().square().sum((0, 2)) / squares,
                "noise_roughness": _noise_roughness(path, trends[name], point.bins),
            },
        )
    pairs = {name: bin_means(path, -(-point.depth // 2)) for name, path in paths.items()}
    yield (
        "training",
        {
            "seed": seeds,
            **outcome,
            "largest_delta": stack.steps.abs().amax(0),
            "train_loss": _loss(stack, train, point),
            "test_loss": _loss(stack, test, point),
            "trend_loss": _loss(_with(stack, trends), train, point),
            "pair_loss": _loss(_with(stack, pairs), train, point),
        },
    )
    yield "entries", _entries(paths, stack.steps, point, seeds)


def _with(stack: Stack, means: dict[str, torch.Tensor]) -> Stack:
    """The network with other weights; where each layer has its delta, the weights have its size and keep its sign."""
    return Stack(means["A"], means["b"], stack.deltas if stack.shared else stack.deltas.sign())


def _pairs(point: Point, context: Context, place: TensorPlace) -> tuple[Pairs, Pairs]:
    """Training and test pairs; those of a seed are the same for all networks and depths."""
    if point.data is not None:
        return image_pairs(point.data, context.streams("convolutions"), context.data_root, place)
    sizes = [point.train_size, point.test_size]
    both = ode_pairs(context.streams("pairs"), sum(sizes), place)
    train, test = (Pairs(*parts) for parts in zip(*(tensor.split(sizes, 2) for tensor in both), strict=True))
    return train, test


def _initial(point: Point, dim: int, context: Context) -> Stack:
    """Fresh parameters; the layers are drawn in order, so that networks of all depths share the first ones."""
    depth, place = point.depth, (context.dtype, context.device)
    scale = point.initial.scale / (depth if point.initial.kind == "xavier-depth" else 1)
    matrices = layers_first(normal(context.streams("A"), (depth, dim, dim), *place)) * (scale / dim)
    biases = layers_first(normal(context.streams("b"), (depth, dim), *place)) * (scale / dim**0.5)
    if point.delta == "layers":
        deltas = layers_first(normal(context.streams("delta"), (depth,), *place)) / depth
    else:
        deltas = matrices.new_full((1, len(context.seeds)), 1 / depth)
    return Stack(matrices, biases, deltas)


def _trained(point: Point, train: Pairs, context: Context) -> tuple[Stack, dict[str, np.ndarray]]:
    """The weights of every seed when its training stopped, and what is known of the training."""
    training, seeds = point.training, len(context.seeds)
    batches = _batches(train, training.batch)
    kept = context.restore()
    if kept is None:
        stack = _initial(point, train.inputs.shape[1], context)
        moments = adam.at_rest(stack[: 2 if point.delta == "fixed" else 3], (seeds,))
        kept = {"done": 0, "best": [float("inf")] * seeds, "waited": [0] * seeds, "stopped": [RUNNING] * seeds}
        kept |= {"epochs": [0] * seeds, "losses": [float("nan")] * seeds}
    else:
        stack = Stack(*(tensor.to(context.device) for tensor in kept.pop("stack")))
        moments = adam.restored(kept.pop("moments"), context.device)
    for epoch in range(kept["done"], training.epochs):
        running = [place for place, why in enumerate(kept["stopped"]) if why == RUNNING]
        if not running:
            break
        losses = _epoch(stack, moments, batches, torch.tensor(running, device=context.device), epoch, point, context)
        _note(kept, dict(zip(running, losses, strict=True)), epoch, point)
        context.save({**kept, "done": epoch + 1, "stack": list(stack), "moments": moments.kept()})
        context.progress((epoch + 1) / training.epochs)
    return stack, {
        "epochs": np.array(kept["epochs"]),
        "stopped": np.array(kept["stopped"]),
        "epoch_loss": np.array(kept["losses"]),
    }


def _batches(train: Pairs, batch: int) -> Pairs:
    """The fixed batches, `(seeds, batches, dim, batch)`; a last incomplete one is left out."""
    count = train.inputs.shape[2] // batch
    if count == 0:
        raise UserError(f"a batch of {batch} does not fit into {train.inputs.shape[2]} training pairs")
    return Pairs(
        *(part[..., : count * batch].unflatten(2, (count, batch)).transpose(1, 2).contiguous() for part in train)
    )


def _epoch(
    stack: Stack,
    moments: adam.Moments,
    batches: Pairs,
    running: torch.Tensor,
    epoch: int,
    point: Point,
    context: Context,
) -> list[float]:
    """Train the seeds at the places `running` for one epoch, in place; returns the mean loss over batches of each."""
    orders = np.stack([stream.permutation(batches.inputs.shape[1]) for stream in context.streams("order", epoch)])
    order = torch.from_numpy(orders).to(context.device)[running]
    part = Stack(*(tensor[:, running] for tensor in stack))
    first, second = ([moment[:, running] for moment in both] for both in (moments.first, moments.second))
    own = adam.Moments(first, second, moments.steps[running])
    passes, trained = Passes(part, _activation(point), point.training.batch), len(own.first)
    total = torch.zeros(len(running), dtype=torch.float64, device=context.device)
    for chosen in order.unbind(1):
        loss, slopes = passes.gradients(batches.inputs[running, chosen], batches.targets[running, chosen])
        total += loss
        adam.step(part[:trained], slopes[:trained], own, point.training.lr, leading=(1, 1, 1))
    for whole, trained_part in zip((*stack, *moments.first, *moments.second), (*part, *first, *second), strict=True):
        whole[:, running] = trained_part
    moments.steps[running] = own.steps
    return (total / order.shape[1]).tolist()


def _activation(point: Point) -> InPlace:
    return in_place(point.activation, point.leak)


def _note(kept: dict[str, Any], losses: dict[int, float], epoch: int, point: Point) -> None:
    """Decide which seeds stop after an epoch; `losses` are those of the seeds that ran."""
    training = point.training
    for seed, loss in losses.items():
        kept["losses"][seed], kept["epochs"][seed] = loss, epoch + 1
        improved = loss < IMPROVEMENT * kept["best"][seed]
        kept["waited"][seed] = 0 if improved else kept["waited"][seed] + 1
        kept["best"][seed] = loss if improved else kept["best"][seed]
        if not np.isfinite(loss):
            kept["stopped"][seed] = "divergence"
        elif loss < training.tolerance:
            kept["stopped"][seed] = "tolerance"
        elif kept["waited"][seed] >= training.patience:
            kept["stopped"][seed] = "patience"
        elif epoch + 1 == training.epochs:
            kept["stopped"][seed] = "epochs"


def _noise_roughness(path: torch.Tensor, trend: torch.Tensor, bins: int) -> torch.Tensor:
    """The roughness of what the trend leaves, NaN where the trend is the path itself."""
    if bins >= len(path):
        return torch.full((path.shape[1],), torch.nan, dtype=torch.float64)
    return roughness(path - trend)


def _loss(stack: Stack, pairs: Pairs, point: Point) -> torch.Tensor:
    """The loss of each seed over all pairs, in chunks."""
    parts = zip(*(part.split(EVALUATED, 2) for part in pairs), strict=True)
    defects = (outputs(stack, _activation(point), inputs).sub_(targets).double() for inputs, targets in parts)
    return torch.stack([defect.square_().sum((1, 2)) for defect in defects]).sum(0) / pairs.targets[0].numel()


def _entries(paths: dict[str, torch.Tensor], steps: torch.Tensor, point: Point, seeds: np.ndarray) -> dict[str, Any]:
    """One entry of the matrices and of the biases and the trace, layer by layer, seed after seed."""
    (row, column), place = ENTRIES[point.activation]
    depth = point.depth
    return {
        "seed": seeds.repeat(depth),
        "layer": np.tile(np.arange(depth), len(seeds)),
        "matrix_entry": paths["A"][:, :, row, column].T.flatten(),
        "bias_entry": paths["b"][:, :, place].T.flatten(),
        "trace": paths["A"].diagonal(dim1=2, dim2=3).sum(2).T.flatten(),
        "step": steps.expand(depth, -1).T.flatten(),
    }
