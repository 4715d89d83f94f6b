"""All trainings of a field as one program, tested on fresh samples now and then.

A test weighs its samples in parts, and in several ways: by the estimator, and by what is wrong on purpose with it.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.neis.learned import first_field, plan_of
from resodectl.families.neis.targets import target_of
from resodectl.families.neis.training.spec import Point
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling import velocities
from resodectl.numerics.sampling.diagnostics import diagnose, relative
from resodectl.numerics.sampling.flows import log_terms, path, window_start
from resodectl.numerics.sampling.joint_ode import joint_log_weights
from resodectl.numerics.sampling.targets import NECK_VARIANCE, Funnel, Target, log_base
from resodectl.numerics.sampling.training import State, assist_probability, begin, train_step
from resodectl.numerics.sampling.velocities import Trainable, Velocity

PART = 400  # samples of a run that are weighed at once, so that what a field computes stays in the cache

Rows = tuple[str, dict[str, Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The rows of every training step, and of the tests."""
    point, flow = cell.point, cell.point.flow
    label = (flow.velocity.kind, flow.units)  # flows have no samples in common, so that their runs are independent
    target, plan = target_of(point.target, context), plan_of(flow)
    field = first_field(flow.velocity, context.streams("field", *label), target.dim)
    state = begin(_on(field, list(field), context))
    if (kept := context.restore()) is not None:
        state = State(_on(field, kept["weights"], context), kept["step"], kept["queries"].to(context.device))
    while state.step <= plan.training_steps:
        run = {
            "ansatz": flow.velocity.kind,
            "units": flow.units,
            "seed": list(cell.seeds),
            "step": state.step,
        }
        if state.step in (1, plan.training_steps):
            yield from _tested(point, context, target, state.velocity, run)
        streams = context.streams("training", *label, state.step)
        x = normal(streams, (flow.samples, target.dim), context.dtype, context.device)
        uniforms = uniform(streams, (flow.samples,), device=context.device)
        before, (state, log_weights) = state, train_step(state, plan, target, x, uniforms)
        found = relative(diagnose(log_weights), _log_ratio(target))
        yield (
            "steps",
            {
                **run,
                "relative_mean": found.mean.cpu(),
                "relative_variance": found.variance.cpu(),
                "assisted": assist_probability(plan, before.step),
                **_weights(before.velocity),
                "queries": state.queries.double().cpu(),
                "vanilla_variance": target.vanilla_variance or math.nan,
            },
        )
        context.save({"weights": list(state.velocity), "step": state.step, "queries": state.queries})
        context.progress(before.step / plan.training_steps)


def _on(field: Trainable, weights: list[Tensor], context: Context) -> Trainable:
    """A field of the same form with these weights, where the context computes."""
    return type(field)(*(of.to(context.device, context.dtype) for of in weights))


def _weights(field: Trainable) -> dict[str, Any]:
    """The two weights of the funnel's own field."""
    if isinstance(field, velocities.Funnel):
        return {"beta": field.beta.cpu(), "alpha": field.alpha.cpu()}
    return {"beta": math.nan, "alpha": math.nan}


def _tested(point: Point, context: Context, target: Target, velocity: Velocity, run: dict[str, Any]) -> Iterator[Rows]:
    """A row for each seed and each way of weighing."""
    flow = point.flow
    streams = context.streams("fresh", flow.velocity.kind, flow.units, run["step"])
    x = normal(streams, (point.fresh, target.dim), context.dtype, context.device)
    parts = [weighed(velocity, target, part, flow.time_steps, flow.start) for part in x.split(PART, 1)]
    joint = [
        joint_log_weights(velocity, target.log_density, part, flow.time_steps, start=flow.start)
        for part in x[:, : point.joint].split(PART, 1)
    ]
    references = dict.fromkeys(parts[0], _log_ratio(target))
    if isinstance(target, Funnel):
        references["no-ball"] = 0.5 * math.log(NECK_VARIANCE)
    for ablation, reference in references.items():
        logs = torch.cat([part["none" if ablation == "no-ball" else ablation] for part in parts], 1)
        known = diagnose(logs)
        found = relative(known, reference)
        gap = found.mean.new_full(found.mean.shape, math.nan)
        if point.joint:
            means = [relative(diagnose(of), reference).mean for of in (logs[:, : point.joint], torch.cat(joint, 1))]
            gap = (means[0] - means[1]).abs()
        yield (
            "fresh",
            {
                **run,
                "ablation": ablation,
                "relative_mean": found.mean.cpu(),
                "relative_variance": found.variance.cpu(),
                "mean_error": found.mean_error.cpu(),
                "largest_share": known.largest_share.cpu(),
                "ess": known.ess.cpu(),
                "nans": known.nans.long().cpu(),
                "tail_index": known.tail_index.cpu(),
                "joint_gap": gap.cpu(),
                "vanilla_variance": target.vanilla_variance or math.nan,
            },
        )


def weighed(velocity: Velocity, target: Target, x: Tensor, steps: int, start: float) -> dict[str, Tensor]:
    """log A of samples `(runs, samples, dim)`, right (none) and wrong; `(runs, samples)` each."""
    first, nodes = window_start(start, steps), path(velocity, x, steps)
    divergence = velocity.divergence(nodes)
    density = target.log_density(nodes[first : first + steps + 1])
    terms = log_terms(divergence, density, nodes, first, log_base)
    without = log_terms(torch.zeros_like(divergence), density, nodes, first, log_base)
    fixed = terms.values + terms.b - terms.b[steps // 2]
    return {
        "none": terms.values.logsumexp(0),
        "no-jacobian": without.values.logsumexp(0),
        "fixed-window": fixed.logsumexp(0),
    }


def _log_ratio(target: Target) -> float:
    return 0.0 if target.ratio is None else math.log(target.ratio)
