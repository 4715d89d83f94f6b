"""Run on when plain steps stall: steps along h grad log L of a given length in units of |w|, all runs side by side.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244). In the log domain: the loss is below the smallest number soon, and |w|
reaches 1e18. The conditioner h goes on to see the true gradients.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.late_phase.spec import Point
from resodectl.families.margin.toy import Points, first_weights, points, rates, rules
from resodectl.numerics.descent.adaptive import at_rest, conditioner, seen
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.margins.leaky_unit import losses, max_margin, outputs

WEIGHTINGS = (0.0, 1.0)  # in every record: the ordinary problem, and that of the run's own conditioner
MORE = (-1.0, 0.5, 2.0)  # in the last one: problems that theory does not name


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of all runs, a block for each step and weighting."""
    of, seeds, optimisers = cell.point, np.array(cell.seeds), cell.point.optimisers
    place = TensorPlace(context.dtype, context.device)
    data = points(context.streams("points"), of.points, place)
    weights = first_weights(context.streams("weights"), of.runs, place).repeat(1, 1, len(optimisers))
    chosen = rules(optimisers, of.runs, of.epsilon, of.beta, of.variant, weights)
    signs = weights.new_tensor([name == "sign" for name in optimisers]).repeat_interleave(of.runs) > 0
    rate, moments = rates(optimisers, of.runs, of.lr, of.gd_lr, weights), at_rest(weights)
    labels = {
        "seed": seeds.repeat(len(optimisers) * of.runs),
        "optimiser": np.tile(np.repeat(optimisers, of.runs), len(seeds)),
        "trial": np.tile(np.arange(of.runs), len(seeds) * len(optimisers)),
    }
    for t in range(-of.plain_steps, of.scaled_steps + 1):
        here = losses(weights, *data, tiny=True)
        if t == -of.plain_steps or t in (0, *of.shown, of.scaled_steps):
            h, length = conditioner(chosen, moments), np.degrees(_length(of, t)) if t >= 0 else np.nan
            for weighting in (*WEIGHTINGS, *(MORE if t == of.scaled_steps else ())):
                found = compared(weights, data, h**weighting, here.log_loss)
                columns = {name: values.flatten() for name, values in found.items()}
                columns |= {"log_loss": here.log_loss.flatten(), "norm": weights.norm(dim=1).flatten()}
                yield "runs", {**labels, "step": max(t, -1), "length": length, "weighting": weighting, **columns}
        gradient = here.log_loss.exp().unsqueeze(1) * here.log_gradient
        moments = seen(chosen, gradient, moments)
        along = conditioner(chosen, moments) * here.log_gradient
        along = torch.where(signs, here.log_gradient.sign(), along)
        if t < 0:
            change = rate * torch.where(signs, 1.0, here.log_loss.exp().unsqueeze(1)) * along
        else:
            change = _length(of, t) * (_squares(weights) / _squares(along)).sqrt() * along
        weights = weights - change
        if t % 1000 == 0:
            context.progress((t + of.plain_steps) / (of.plain_steps + of.scaled_steps + 1))


def _length(of: Point, t: int) -> float:
    """The length of the scaled step after `t` of them, in units of |w|."""
    return of.angle * (1 + t / of.slowing) ** -of.power


def _squares(vectors: torch.Tensor) -> torch.Tensor:
    """|w|^2, `(sets, 1, runs)`; the norm of torch is slow along an axis that is not the last one."""
    return vectors.square().sum(1, keepdim=True)


def compared(
    weights: torch.Tensor, data: Points, conditioner: torch.Tensor, log_loss: torch.Tensor
) -> dict[str, torch.Tensor]:
    """How far runs are from the max-margin point of min |h^(-1/2) w|^2 with their sign of v, `(sets, runs)` each.

    The surrogate margin takes log(1 / sum_i exp(-q_i)), from the `log_loss` of the mean, in place of min q: it is at
    most the margin, and less than log n / |h^(-1/2) w|^2 below it.
    """
    norm = weights.norm(dim=1, keepdim=True)
    unit = weights / norm
    optimum = max_margin(*data, unit[:, 2].sign(), conditioner)
    squares = (unit.square() / conditioner).sum(1) * optimum.margin
    margin, sum_loss = outputs(unit, *data).amin(1), log_loss + math.log(len(data.labels))
    chord = (unit - optimum.direction).norm(dim=1) / 2
    return {
        "ratio": margin / squares,
        "surrogate_ratio": -sum_loss / norm.square().squeeze(1) / squares,
        "degrees": torch.rad2deg(2 * chord.clamp(max=1.0).asin()),
    }
