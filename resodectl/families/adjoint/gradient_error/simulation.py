"""Gradients of one batch by backpropagation and by the memory-free adjoint, tensor by tensor.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 4. The gradient of the last linear layer is left out: it reads
the output, which the adjoint keeps.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.gradient_error.spec import FieldWeights, Point, TrainedWeights
from resodectl.families.adjoint.networks import network_of
from resodectl.numerics.draws import TensorPlace, normal
from resodectl.numerics.networks.network import Network, Params, Solver
from resodectl.numerics.ode.schemes import SCHEMES
from resodectl.numerics.weights.depth import weights
from resodectl.training.classifiers import gradients
from resodectl.training.images import Images, train_and_test_images, training_images
from resodectl.training.networks import Fit, State, sgd_epoch
from resodectl.training.scalings import STANDARDISED, halved

STAGE = "residual."


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The squared relative error of every tensor's gradient, a block of rows for every depth."""
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    if isinstance(point.weights, FieldWeights):
        images, base = training_images(point.data, context.data_root, place, halved), None
    else:
        images, base = _trained(point, place, context)
    chosen = np.stack([s.permutation(len(images.classes))[: point.batch] for s in context.streams("batch")])
    batch = Images(*(tensor[torch.from_numpy(chosen).to(context.device)] for tensor in images))
    for done, depth in enumerate(point.depths):
        network = network_of(point.model, point.data, depth, tied=False)
        params = _field(point, network, depth, place, context) if base is None else resampled(base, depth)
        for name, errors in squared_errors(network, params, batch, point.scheme, point.residual_exponent).items():
            layers, seeds = errors.shape
            yield (
                "gradients",
                {
                    "depth": depth,
                    "seed": np.tile(cell.seeds, layers),
                    "tensor": name,
                    "layer": np.repeat(np.arange(layers) if name.startswith(STAGE) else [-1], seeds),
                    "squared_error": errors.flatten().cpu(),
                },
            )
        context.progress((done + 1) / len(point.depths))


def squared_errors(
    network: Network, params: Params, batch: Images, scheme: str, residual_exponent: float
) -> dict[str, torch.Tensor]:
    """mean((g_adjoint - g_backprop)^2) / mean(g_backprop^2) of each tensor, `(layers, seeds)` by its name."""
    names = [name for name in params if not name.endswith("bias") and not name.startswith("head")]
    exact, adjoint = (
        gradients(network, params, names, *batch, Solver(SCHEMES[scheme], gradient, residual_exponent))[1]
        for gradient in ("backprop", "adjoint")
    )
    found = {}
    for name, right, wrong in zip(names, exact, adjoint, strict=True):
        lead = 2 if name.startswith(STAGE) else 1
        error, size = ((part**2).flatten(lead).mean(-1) for part in (wrong - right, right))
        found[name] = (error / size).view(-1, error.shape[-1])
    return found


def resampled(params: Params, depth: int) -> Params:
    """A network of `depth` layers from a deeper or shallower one: layer i is its layer int(i * its depth / depth)."""
    return {
        name: value[[i * len(value) // depth for i in range(depth)]] if name.startswith(STAGE) else value
        for name, value in params.items()
    }


def _field(point: Point, network: Network, depth: int, place: TensorPlace, context: Context) -> Params:
    """Convolutions of variance 2 / fan-in that vary with depth as asked, without biases; all BN at one and zero."""
    assert isinstance(point.weights, FieldWeights)
    params = network.initial(lambda name: context.streams("weights", name), place)
    for name, value in params.items():
        if name in ("residual.conv1.weight", "residual.conv2.weight"):
            shape = value.shape[2:]
            drawn = weights(point.weights.smoothness, context.streams("field", name), depth, shape, *place)
            params[name] = drawn * math.sqrt(2 / math.prod(shape[1:]))
        elif name == "head.weight":
            shape = value.shape[1:]
            params[name] = normal(context.streams("field", name), shape, *place) / math.sqrt(shape[1])
        elif name.endswith("bias"):
            params[name] = torch.zeros_like(value)
        elif name == "residual.bn2.weight":
            params[name] = torch.ones_like(value)
    return params


def _trained(point: Point, place: TensorPlace, context: Context) -> tuple[Images, Params]:
    """The training images, and a network trained on them; it goes on from a checkpoint if there is one."""
    origin = point.weights
    assert isinstance(origin, TrainedWeights)
    train, test = train_and_test_images(point.data, context.data_root, place, STANDARDISED[point.data])
    network = network_of(point.model, point.data, origin.depth, tied=False)
    solver = Solver(SCHEMES[point.scheme], "backprop", point.residual_exponent)
    fit = Fit(network, solver, train, test, origin.training, ("training",))
    kept = context.restore()
    if kept is None:
        done, state = 0, State.start(network.initial(lambda name: context.streams("weights", name), place))
    else:
        done, state = kept["done"], State.restored(kept["state"], context.device)
    for epoch in range(done, origin.training.epochs):
        sgd_epoch(fit, state, epoch, context)
        context.save({"done": epoch + 1, "state": state.kept()})
    return train, state.params
