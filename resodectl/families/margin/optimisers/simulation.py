"""Run all optimisers from all first weights on all sets of points side by side, and keep runs that separate the points.

Wang, Meng, Chen & Liu 2021 (arXiv 2012.06244), toy study.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin.optimisers.spec import Point
from resodectl.families.margin.toy import Points, first_weights, points, rates, rules
from resodectl.numerics.descent.adaptive import at_rest, conditioner, step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.margins.leaky_unit import losses, max_margin, normalised_margin, outputs

Columns = dict[str, Any]


class Found(NamedTuple):
    """What runs give: tensors `(sets, optimisers, runs)` by name, one dict for each recorded step."""

    runs: list[dict[str, torch.Tensor]]
    conditioners: list[dict[str, torch.Tensor]]
    right: torch.Tensor  # share of right answers, (times, sets, optimisers, runs)
    passed: dict[str, torch.Tensor]  # at the given loss


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, Columns]]:
    """The runs that are kept, those rejected left out, and the points."""
    of, seeds = cell.point, np.array(cell.seeds)
    place = TensorPlace(context.dtype, context.device)
    data = points(context.streams("points"), of.points, place)
    first = first_weights(context.streams("weights"), of.drawn, place)
    founds: list[Found] = []
    kept = torch.zeros(len(seeds), 0, dtype=torch.bool)
    while (missing := min(of.runs - int(kept.sum(1).min()), of.drawn - kept.shape[1])) > 0:
        begin = kept.shape[1]
        share = 0.5 ** len(founds)  # of the progress, for this round and all later ones

        def report(done: float, share: float = share) -> None:
            context.progress(1 - share + share * done / 2)

        founds.append(run(first[..., begin : begin + missing], data, of, report))
        kept = torch.cat([kept, (founds[-1].runs[-1]["margin"] > 0).all(1).cpu()], 1)
    kept &= kept.cumsum(1) <= of.runs  # of each set, the first ones
    yield from _rows(founds, kept, seeds, of)
    inputs = data.inputs.flatten(0, 1)
    yield (
        "points",
        {
            "seed": seeds.repeat(of.points),
            "x_1": inputs[:, 0],
            "x_2": inputs[:, 1],
            "label": data.labels.repeat(len(seeds)),
        },
    )
    looked_at = torch.where(kept.sum(1) == of.runs, (kept * torch.arange(1, kept.shape[1] + 1)).amax(1), of.drawn)
    yield "counts", {"seed": seeds, "drawn": looked_at, "kept": kept.sum(1)}


def run(first: torch.Tensor, data: Points, of: Point, report: Callable[[float], None]) -> Found:
    """All optimisers from the first weights `(sets, 3, runs)`."""
    optimisers, count = len(of.optimisers), first.shape[2]
    weights = first.repeat(1, 1, optimisers)
    chosen = rules(of.optimisers, count, of.epsilon, of.beta, of.variant, weights)
    rate, moments = rates(of.optimisers, count, of.lr, of.gd_lr, weights), at_rest(weights)
    change = torch.zeros_like(weights)
    runs, conditioners, right = [], [], []
    passing = _Passing(of.level, weights)

    def by_optimiser(columns: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: values.unflatten(-1, (optimisers, count)) for name, values in columns.items()}

    for done in range(of.steps + 1):
        here = losses(weights, *data)
        passing.look(done, weights, here.log_loss, data)
        if done % of.every == 0:
            right.append((outputs(weights, *data) > 0).to(weights.dtype).mean(1))
        if done in (0, *of.shown, of.steps):
            margins = {"log_loss": here.log_loss, "margin": normalised_margin(weights, *data)}
            runs.append(by_optimiser(margins | _best(weights[:, 2].sign(), data)))
            conditioners.append(by_optimiser(_seen(conditioner(chosen, moments), change, of)))
        if done < of.steps:
            change, moments = step(chosen, here.log_loss.exp().unsqueeze(1) * here.log_gradient, moments)
            weights = weights - rate * change
        if done % 500 == 0:
            report(done / (of.steps + 1))
    passed = passing.found | _best(passing.found.pop("sign"), data)
    (curves,) = by_optimiser({"right": torch.stack(right)}).values()
    return Found(runs, conditioners, curves, by_optimiser(passed))


class _Passing:
    """Where each run is when its log loss first falls to a level: `found`, `(sets, runs)` by name."""

    def __init__(self, level: float, weights: torch.Tensor) -> None:
        self.level = level
        self.waiting = torch.ones_like(weights[:, 0], dtype=torch.bool)
        nowhere = {"step": -1.0, "log_loss": torch.nan, "margin": torch.nan, "sign": 1.0}
        self.found = {name: torch.full_like(weights[:, 0], value) for name, value in nowhere.items()}

    def look(self, done: int, weights: torch.Tensor, log_loss: torch.Tensor, data: Points) -> None:
        new = (log_loss <= self.level) & self.waiting
        if not new.any():
            return
        self.waiting &= ~new
        at = {
            "step": torch.tensor(float(done), dtype=weights.dtype, device=weights.device),
            "log_loss": log_loss,
            "margin": normalised_margin(weights, *data),
            "sign": weights[:, 2].sign(),
        }
        self.found = {name: torch.where(new, at[name], values) for name, values in self.found.items()}


def _best(sign: torch.Tensor, data: Points) -> dict[str, torch.Tensor]:
    """The exact largest margins with v of the given sign and of the opposite sign, `(sets, runs)`."""
    both = max_margin(*data, sign.new_tensor([[1.0, -1.0]]).expand(len(sign), 2)).margin
    positive = sign > 0
    own, other = (torch.where(positive, both[:, [place]], both[:, [1 - place]]) for place in (0, 1))
    return {"best": own, "opposite": other}


def _seen(h: torch.Tensor, change: torch.Tensor, of: Point) -> dict[str, torch.Tensor]:
    roots = h.rsqrt()
    return {
        **{f"h_{index + 1}": h[:, index] for index in range(3)},
        "cosine": roots.sum(1) / (roots.norm(dim=1) * 3**0.5),
        "anisotropy": (h * of.epsilon**0.5 - 1).abs().amax(1),
        "moved": change.abs().median(1).values,
    }


def _rows(founds: list[Found], kept: torch.Tensor, seeds: np.ndarray, of: Point) -> Iterator[tuple[str, Columns]]:
    """The rows of the runs that are kept, `(sets, drawn)`."""
    chosen = kept.unsqueeze(1).expand(-1, len(of.optimisers), -1).numpy()
    place, optimiser, run = np.nonzero(chosen)
    labels = {"seed": seeds[place], "optimiser": np.array(of.optimisers)[optimiser], "trial": run}

    def picked(parts: list[dict[str, torch.Tensor]]) -> Columns:
        return {name: torch.cat([part[name] for part in parts], -1).cpu().numpy()[chosen] for name in parts[0]}

    times = sorted({0, *of.shown, of.steps})
    for index, time in enumerate(times):
        columns = picked([found.runs[index] for found in founds])
        opposite = columns.pop("opposite")
        yield "runs", {**labels, "at": "steps", "step": time, **columns}
    for sign, bound in (("same", columns["best"]), ("opposite", opposite)):
        yield "certificates", {**labels, "optimum_sign": sign, "ratio": columns["margin"] / bound}
    passed = picked([found.passed for found in founds])
    del passed["opposite"]
    yield "runs", {**labels, "at": "loss", **passed, "step": passed["step"].astype(np.int64)}
    for index, time in enumerate(times):
        seen = picked([found.conditioners[index] for found in founds])
        yield "conditioners", {**labels, "step": time, **seen}
    right = torch.cat([found.right for found in founds], -1).cpu()
    mean = torch.where(kept.unsqueeze(1), right, torch.nan).nanmean(-1)  # (times, sets, optimisers)
    shape = mean.shape
    yield (
        "curves",
        {
            "step": np.repeat(np.arange(shape[0]) * of.every, shape[1] * shape[2]),
            "seed": np.tile(np.repeat(seeds, shape[2]), shape[0]),
            "optimiser": np.tile(of.optimisers, shape[0] * shape[1]),
            "accuracy": mean.flatten(),
        },
    )
