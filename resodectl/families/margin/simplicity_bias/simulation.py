"""All starts of a cell at once: where runs end, which neurons lead, and what the signs of the start predict.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905). While f is small, the neurons with a > 0 grow along mu_+ at the rate
|mu_+| / 2, those with a < 0 along -mu_- at the rate |mu_-| / 2. On symmetric points both are one rate; a neuron gets
the sign of b = (a + <w, mu>) / 2, mu the direction of the mean, and a network needs both signs to become linear.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin import leaky_relu
from resodectl.families.margin.certificate import best_network
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.planar import Floats, Labelled, labelled, linear_margin, neuron_scales, pull
from resodectl.families.margin.simplicity_bias.spec import NEAR, Point


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, points = cell.point, labelled(cell.point.data, cell.point.hints)
    start = _starts(point, context)
    shape = (len(point.scales), point.copies, len(cell.seeds))
    runs = {
        "scale": np.repeat(point.scales, shape[1] * shape[2]),
        "copy": np.tile(np.repeat(np.arange(point.copies), shape[2]), shape[0]),
        "seed": np.tile(np.array(cell.seeds), shape[0] * shape[1]),
    }
    if point.norm is not None:
        plus, minus = (np.linalg.norm(pull(points, point.slope, sign)) for sign in (1, -1))
        yield (
            "shares",
            runs | {"log_odds": _log_odds(start, points, point, point.norm), "predicted_slope": 2 * (1 - minus / plus)},
        )
        return
    best = best_network(points, point.slope)
    neuron = linear_margin(points, neuron_scales(points, point.slope))[1] / 2
    early, late = leaky_relu.train(start, points, point.slope, point.training, context.progress, point.ablation)
    for stage, neurons in {"start": start, "early": early, "late": late}.items():
        margin = leaky_relu.normalised_margin(neurons, points, point.slope)
        ends = {"of_best": margin / best.upper, "certified": best.lower / best.upper, "of_neuron": margin / neuron}
        yield "outcomes", runs | {"stage": stage} | ends
    if point.part == "signs":
        single = np.abs(leaky_relu.normalised_margin(late, points, point.slope) / neuron - 1) < NEAR
        for rule, predicted in _predictions(start, points).items():
            yield "predictions", runs | {"rule": rule, "single": predicted, "right": predicted == single}


def _starts(point: Point, context: Context) -> Neurons:
    """The starts of all seeds, copy after copy, and that at one scale after the other."""
    drawn = [
        leaky_relu.draw(context.streams("start", copy), point.width, scale)
        for scale in point.scales
        for copy in range(point.copies)
    ]
    return Neurons(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))


def _log_odds(neurons: Neurons, points: Labelled, point: Point, norm: float) -> Floats:
    """Logit of the share of neurons with a < 0, when |theta| first reaches the norm; NaN where it never does."""
    found = np.full(len(neurons.a), np.nan)
    for _ in range(point.training.steps):
        mass = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
        negative, positive = (np.where(side, mass, 0).sum(1) for side in (neurons.a < 0, neurons.a > 0))
        reached = np.isnan(found) & (neurons.square_norm() >= norm**2)
        with np.errstate(divide="ignore"):
            found[reached] = np.log(negative[reached]) - np.log(positive[reached])
        if not np.isnan(found).any():
            break
        neurons = leaky_relu.descend(neurons, points, point.slope, point.training.lr, point.ablation)
    return found


def _predictions(start: Neurons, points: Labelled) -> dict[str, np.ndarray]:
    """Whether all neurons of a run have one sign, by each rule."""
    mean = points.y @ points.x
    svm, _ = linear_margin(points, np.ones(len(points.y)))
    signs = {
        "amplitudes": leaky_relu.predicted_amplitudes(start, mean / np.linalg.norm(mean)) > 0,
        "outputs": start.a > 0,
        "svm": leaky_relu.predicted_amplitudes(start, svm) > 0,
    }
    return {rule: (positive == positive[:, :1]).all(1) for rule, positive in signs.items()}
