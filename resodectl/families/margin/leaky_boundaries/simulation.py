"""All seeds and initial scales of a width at once, with the exact references of their points.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905). On symmetric points the best network is linear, of normalised margin
(1 + slope) / 4 times the margin of the best line. One neuron with a > 0 reaches half the margin of the line that is
best for the points (x_i, y_i c_i), c_i = 1 for y_i = 1 and the slope otherwise.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin import certificate, leaky_relu
from resodectl.families.margin.leaky_boundaries.spec import Point
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.planar import Floats, Labelled, labelled, linear_margin, neuron_scales


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    point, seeds = cell.point, np.array(cell.seeds)
    points, slope = labelled(point.data, point.hints), point.slope
    start = _starts(point, context)
    early, late = leaky_relu.train(start, points, slope, point.training, context.progress, point.ablation)
    runs = {"seed": np.tile(seeds, len(point.scales)), "scale": np.repeat(point.scales, len(seeds))}
    mean = points.y @ points.x
    runs["signs"] = _signs(leaky_relu.predicted_amplitudes(start, mean / np.linalg.norm(mean)))
    best = certificate.best_network(points, slope)
    svm, margin = linear_margin(points, np.ones(len(points.y)))
    references = {
        "best_low": best.lower,
        "best_high": best.upper,
        "best_linear": (1 + slope) / 4 * margin,
        "best_neuron": linear_margin(points, neuron_scales(points, slope))[1] / 2,
    }
    for stage, neurons in {"start": start, "early": early, "late": late}.items():
        linear, bend = leaky_relu.linear_part(neurons, slope)
        yield "runs", runs | references | _ends(neurons, points, slope, svm) | {"moment": stage, "bend": bend}
        for reference, direction in {"svm": svm, "mean": mean}.items():
            cosine = linear @ direction / np.linalg.norm(linear, axis=1) / np.linalg.norm(direction)
            yield "directions", runs | {"moment": stage, "reference": reference, "cosine": cosine}
    yield "neurons", {name: np.repeat(column, point.width) for name, column in runs.items()} | _neurons(late)
    line = np.arctan2(svm[1], svm[0]) + np.pi / 2 * np.array([1.0, -1.0])
    optimum = certificate.zeros(certificate.as_neurons(best), slope)[0]
    for run, angles in enumerate(certificate.zeros(late, slope)):
        of_run = {name: column[run] for name, column in runs.items()} | {"moment": "late"}
        for curve, rays in {"network": angles, "best": optimum, "svm": line}.items():
            yield "rays", of_run | {"curve": curve, "angle": rays}
    for seed in seeds:
        yield "points", {"seed": seed, "x1": points.x[:, 0], "x2": points.x[:, 1], "label": points.y}


def _starts(point: Point, context: Context) -> Neurons:
    """The starts of all seeds at the first scale, then at the next: the same draws at each."""
    drawn = [leaky_relu.draw(context.streams("start"), point.width, scale) for scale in point.scales]
    return Neurons(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))


def _signs(amplitudes: Floats) -> np.ndarray:
    positive = (amplitudes > 0).mean(1)
    return np.select([positive == 1, positive == 0], ["positive", "negative"], "both")


def _ends(neurons: Neurons, points: Labelled, slope: float, svm: Floats) -> dict[str, Any]:
    mass = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
    return {
        "margin": leaky_relu.normalised_margin(neurons, points, slope),
        "positive_mass": np.where(neurons.a > 0, mass, 0).sum(1) / mass.sum(1),
        "off_line": [certificate.off_line(angles, svm) for angles in certificate.zeros(neurons, slope)],
    }


def _neurons(neurons: Neurons) -> dict[str, Any]:
    drawn = np.abs(neurons.a)[..., None] * neurons.w / neurons.square_norm()[:, None, None]
    return {
        "moment": "late",
        "first": drawn[..., 0].ravel(),
        "second": drawn[..., 1].ravel(),
        "positive": neurons.a.ravel() > 0,
    }
