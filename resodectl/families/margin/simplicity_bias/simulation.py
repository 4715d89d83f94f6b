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
    plus, minus = (np.linalg.norm(pull(points, point.slope, sign)) for sign in (1, -1))
    best = best_network(points, point.slope)
    neuron = linear_margin(points, neuron_scales(points, point.slope))[1] / 2
    known = {"certified": best.lower / best.upper, "predicted_slope": 2 * (1 - minus / plus)}
    stages = _stages(start, points, point, context)
    for stage, neurons in stages.items():
        margin = leaky_relu.normalised_margin(neurons, points, point.slope)
        ends = {"of_best": margin / best.upper, "of_neuron": margin / neuron, "log_odds": _log_odds(neurons)}
        yield "outcomes", runs | known | ends | {"moment": stage, "norm": np.sqrt(neurons.square_norm())}
    single = np.abs(margin / neuron - 1) < NEAR
    for rule, predicted in _predictions(start, points).items():
        yield "predictions", runs | {"rule": rule, "single": predicted, "right": predicted == single}


def _stages(start: Neurons, points: Labelled, point: Point, context: Context) -> dict[str, Neurons]:
    """The weights at the start and after training."""
    if point.norm is not None:
        return {"start": start, "grown": _grown(start, points, point, point.norm)}
    early, late = leaky_relu.train(start, points, point.slope, point.training, context.progress, point.ablation)
    return {"start": start, "early": early, "late": late}


def _starts(point: Point, context: Context) -> Neurons:
    """The starts of all seeds, copy after copy, and that at one scale after the other."""
    drawn = [
        leaky_relu.draw(context.streams("start", copy), point.width, scale)
        for scale in point.scales
        for copy in range(point.copies)
    ]
    return Neurons(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))


def _grown(start: Neurons, points: Labelled, point: Point, norm: float) -> Neurons:
    """The weights of each run when |theta| first reaches the norm."""
    neurons = start
    for _ in range(point.training.steps):
        growing = neurons.square_norm() < norm**2
        if not growing.any():
            break
        down, _ = leaky_relu.gradient(neurons, points, point.slope, ablation=point.ablation)
        neurons = leaky_relu.moved(neurons, down, np.where(growing, point.training.lr, 0.0))
    return neurons


def _log_odds(neurons: Neurons) -> Floats:
    """Logit of the share of neurons with a < 0; infinite where there are none, or no others."""
    mass = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
    with np.errstate(divide="ignore"):
        negative, positive = (np.log(np.where(side, mass, 0).sum(1)) for side in (neurons.a < 0, neurons.a > 0))
    return negative - positive


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
