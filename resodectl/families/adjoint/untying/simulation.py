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
from resodectl.families.adjoint.networks import network_of
from resodectl.families.adjoint.untying.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.network import Params, Solver, untied
from resodectl.numerics.ode.schemes import SCHEMES
from resodectl.training.images import train_and_test_images
from resodectl.training.networks import Fit, State, moved, train_and_test
from resodectl.training.scalings import STANDARDISED


class Phase(NamedTuple):
    """One training: what the log calls its network, and the prefix of the names of what it trains."""

    network: str
    fit: Fit
    trained: str


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The curves of the pretraining, if any, and of each fine-tuning, with the roughness that it leaves."""
    point, place, seeds = cell.point, TensorPlace(context.dtype, context.device), np.array(cell.seeds)
    phases = _phases(point, context, place)
    kept = context.restore()
    if kept is None:
        first, done = 0, 0
        start = phases[0].fit.network.initial(lambda name: context.streams("weights", name), place)
        state = State.start(_copied(start), phases[0].trained)
    else:
        first, done = kept["phase"], kept["done"]
        start = moved(kept["start"], context.device)
        state = State.restored(kept["state"], context.device)
    for index in range(first, len(phases)):
        network, fit, _ = phases[index]
        labels = {"network": network, "gradient": fit.solver.gradient, "seed": seeds}
        for epoch in range(done, fit.training.epochs):
            found = train_and_test(fit, state, epoch, context)
            yield "curves", {**labels, "epoch": epoch + 1, **found.columns()}
            context.save({"phase": index, "done": epoch + 1, "start": start, "state": state.kept()})
            context.progress((index + (epoch + 1) / fit.training.epochs) / len(phases))
        if network == "tied":
            start = _untied(point, state.params)
        else:
            yield "layers", {**labels, "roughness": roughness(state.params, _stages(point)).cpu()}
        if index + 1 < len(phases):
            state, done = State.start(_copied(start), phases[index + 1].trained), 0


def roughness(params: Params, stages: dict[str, int]) -> torch.Tensor:
    """N rms(theta_{n+1} - theta_n) / rms(theta_n) over the weights of a stage, `(seeds,)`; the mean over stages."""
    found = []
    for prefix, depth in stages.items():
        names = [name for name in params if name.startswith(prefix) and name.endswith("weight")]
        stacks = torch.cat([params[name].flatten(2) for name in names], 2)
        jumps, sizes = (part.square().sum(2).mean(0).sqrt() for part in (stacks.diff(dim=0), stacks))
        found.append(depth * jumps / sizes)
    return torch.stack(found).mean(0)


def _phases(point: Point, context: Context, place: TensorPlace) -> list[Phase]:
    train, test = train_and_test_images(point.data, context.data_root, place, STANDARDISED[point.data])
    scheme, exponent = SCHEMES[point.scheme], point.residual_exponent
    tied, own = (network_of(point.model, point.data, point.depth, shared) for shared in (True, False))
    phases = []
    if point.pretraining is not None:
        fit = Fit(tied, Solver(scheme, "backprop", exponent), train, test, point.pretraining, ("pretraining",))
        phases.append(Phase("tied", fit, ""))
    for gradient in point.gradients:
        fit = Fit(own, Solver(scheme, gradient, exponent), train, test, point.finetuning, ("fine-tuning",))
        phases.append(Phase("untied" if point.pretraining else "fresh", fit, _trained(point)))
    return phases


def _stages(point: Point) -> dict[str, int]:
    """The stages that are untied: how the names of their residual layers' tensors begin, and how many layers."""
    depths = point.model.stages(point.depth)
    if not isinstance(point.model, BottleneckModel):
        return {"residual.": depths[0]}
    chosen = range(1, len(depths) + 1) if point.trained_stage is None else [point.trained_stage]
    return {f"stage{index}.residual.": depths[index - 1] for index in chosen}


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
