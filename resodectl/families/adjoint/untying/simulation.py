"""Pretrain a network with tied weights, give every layer its copy, and fine-tune the copies.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Table 2. Stages that are not fine-tuned stay as they were pretrained.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.models import BottleneckModel
from resodectl.families.adjoint.networks import network_of, solver_of
from resodectl.families.adjoint.untying.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.network import Params, untied
from resodectl.training.images import train_and_test_images
from resodectl.training.networks import Fit, State, moved, train_and_test
from resodectl.training.scalings import STANDARDISED

NETWORKS = {"pretrained": "untied", "fresh": "fresh"}  # what the log calls what is fine-tuned from each start


class Phase(NamedTuple):
    """One training: what the log calls its network and gradient, and how the names of all that it trains begin."""

    network: str
    gradient: str
    fit: Fit
    trained: str


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The curves of the pretraining and of each fine-tuning, with the roughness that it leaves."""
    point, place, seeds = cell.point, TensorPlace(context.dtype, context.device), np.array(cell.seeds)
    phases = _phases(point, context, place)
    kept = context.restore()
    if kept is None:
        first, done = 0, 0
        pretrained = phases[0].fit.network.initial(lambda name: context.streams("weights", name), place)
        state = State.start(_copied(pretrained), phases[0].trained)
    else:
        first, done = kept["phase"], kept["done"]
        pretrained = moved(kept["pretrained"], context.device)
        state = State.restored(kept["state"], context.device)
    for index in range(first, len(phases)):
        network, gradient, fit, _ = phases[index]
        labels = {"network": network, "gradient": gradient, "seed": seeds}
        for epoch in range(done, fit.training.epochs):
            found = train_and_test(fit, state, epoch, context)
            yield "curves", {**labels, "epoch": epoch + 1, **found.columns()}
            context.save({"phase": index, "done": epoch + 1, "pretrained": pretrained, "state": state.kept()})
            context.progress((index + (epoch + 1) / fit.training.epochs) / len(phases))
        if network == "tied":
            pretrained = _untied(point, state.params)
        else:
            yield "layers", {**labels, "roughness": roughness(state.params, _stages(point)).cpu()}
        if index + 1 < len(phases):
            start = _start(phases[index + 1], pretrained, context, place)
            state, done = State.start(start, phases[index + 1].trained), 0


def roughness(params: Params, stages: dict[str, int]) -> torch.Tensor:
    """N rms(theta_{n+1} - theta_n) / rms(theta_n) over the weights of a stage, `(seeds,)`.

    The mean over the stages that have several layers.
    """
    found = []
    for prefix, depth in stages.items():
        if depth < 2:
            continue
        names = [name for name in params if name.startswith(prefix) and name.endswith("weight")]
        stacks = torch.cat([params[name].flatten(2) for name in names], 2)
        jumps, sizes = (part.square().sum(2).mean(0).sqrt() for part in (stacks.diff(dim=0), stacks))
        found.append(depth * jumps / sizes)
    return torch.stack(found).mean(0)


def _phases(point: Point, context: Context, place: TensorPlace) -> list[Phase]:
    train, test = train_and_test_images(point.data, context.data_root, place, STANDARDISED[point.data])
    tied, copies = (network_of(point.model, point.data, point.depth, shared) for shared in (True, False))
    solvers = {
        gradient: solver_of(point.scheme, gradient, point.ablation, point.residual_exponent)
        for gradient in ("backprop", *point.gradients)
    }
    pretraining = Fit(tied, solvers["backprop"], train, test, point.pretraining, ("pretraining",))
    finetunings = {
        gradient: Fit(copies, solvers[gradient], train, test, point.finetuning, ("fine-tuning",))
        for gradient in point.gradients
    }
    return [
        Phase("tied", "backprop", pretraining, ""),
        *(
            Phase(NETWORKS[start], gradient, fit, _trained(point))
            for start in point.starts
            for gradient, fit in finetunings.items()
        ),
    ]


def _start(phase: Phase, pretrained: Params, context: Context, place: TensorPlace) -> Params:
    """What a fine-tuning starts from: copies of the untied network, of which a fresh one trains new layers."""
    if phase.network != "fresh":
        return _copied(pretrained)
    drawn = phase.fit.network.initial(lambda name: context.streams("fresh", name), place)
    return {
        name: drawn[name] if name.startswith(phase.trained) else value.clone() for name, value in pretrained.items()
    }


def _stages(point: Point) -> dict[str, int]:
    """The stages that are untied: how the names of their residual layers' tensors begin, and how many layers."""
    in_stages = isinstance(point.model, BottleneckModel)
    return {f"stage{n}.residual." if in_stages else "residual.": depth for n, depth in point.untied_stages().items()}


def _trained(point: Point) -> str:
    """How the names of all tensors that are fine-tuned begin; a stage includes its first block."""
    if point.trained_stage is None:
        return ""
    return f"stage{point.trained_stage}." if isinstance(point.model, BottleneckModel) else "residual."


def _untied(point: Point, params: Params) -> Params:
    for prefix, depth in _stages(point).items():
        params = untied(params, prefix, depth)
    return params


def _copied(params: Params) -> Params:
    return {name: value.clone() for name, value in params.items()}
