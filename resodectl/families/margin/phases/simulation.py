"""All seeds of a path at once: plain descent through phases I and II, then normalised steps with the time of the flow.

Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905). Phase I: |f| is small at all points, each neuron grows along the mean of
y x. Phase II: f grows until every point is fitted, n L = log 2. Phase III: the normalised margin grows; along gradient
flow the smoothed one, -log(exp(n L) - 1) / |theta|^2, never falls.
"""

import math
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.margin import leaky_relu
from resodectl.families.margin.certificate import best_network
from resodectl.families.margin.leaky_relu import Neurons
from resodectl.families.margin.leaky_settings import Training
from resodectl.families.margin.phases.spec import Point
from resodectl.families.margin.planar import Floats, Labelled, labelled, linear_margin, pull
from resodectl.numerics.margins.variation_norm import MaxMargin

Block = tuple[str, dict[str, Any]]
Rows = Iterator[Block]
LOWER = 0.5  # the loss at which the alignment of neurons is measured
FORMS = ("full", "no-decay", "no-rest")


class Mean(NamedTuple):
    """The direction `(2,)` of the mean of y x, and lambda_0, the rate of phase I on symmetric points."""

    direction: Floats
    rate: float


class Scene(NamedTuple):
    """What the phases of a path share."""

    point: Point
    training: Training
    points: Labelled
    mean: Mean
    best: MaxMargin
    seeds: np.ndarray
    start: Neurons
    context: Context

    @property
    def symmetric(self) -> bool:
        """Whether the closed form of phase I holds."""
        return self.point.data == "symmetric"

    def references(self) -> dict[str, float]:
        """The columns that are the same in all rows."""
        known = {"certified": self.best.lower / self.best.upper}
        return known | {"growth_rate": self.mean.rate if self.symmetric else math.nan}


class Caught(NamedTuple):
    """The weights of all runs when they first reach something, and the times `(runs,)`; NaN before."""

    neurons: Neurons
    times: Floats

    def or_now(self, neurons: Neurons, reached: np.ndarray, time: float) -> "Caught":
        """The same, with those of now where runs have just reached it."""
        now = reached & np.isnan(self.times)
        if not now.any():
            return self
        w = np.where(now[:, None, None], neurons.w, self.neurons.w)
        return Caught(Neurons(w, np.where(now[:, None], neurons.a, self.neurons.a)), np.where(now, time, self.times))


def simulate(cell: Cell[Point], context: Context) -> Rows:
    point, seeds = cell.point, np.array(cell.seeds)
    points = labelled(point.data, point.hints)
    start = leaky_relu.draw(context.streams("start"), point.width, point.scale)
    best = best_network(points, point.slope)
    scene = Scene(point, point.training, points, _mean(points, point.slope), best, seeds, start, context)
    first, second, lower = yield from _plain(scene)
    fitted = np.isfinite(second.times)
    before, start_of_late = (Neurons(of.w[fitted], of.a[fitted]) for of in (start, second.neurons))
    end, fall, growth = yield from _late(scene, start_of_late, second.times[fitted], seeds[fitted])
    later = {"drift": _drift(before, start_of_late), "fall": fall, "growth": growth}
    ended = {"first_end": first.times, "predicted_first_end": _predicted_end(scene), "second_end": second.times}
    yield "runs", {"seed": seeds} | ended | {name: _of_fitted(column, fitted) for name, column in later.items()}
    moments = {
        "start": (start, seeds),
        "phase I": (first.neurons, seeds),
        "phase II": (start_of_late, seeds[fitted]),
        "end": (end, seeds[fitted]),
    }
    for moment, (neurons, of) in moments.items():
        yield "neurons", _neurons(neurons, of) | {"moment": moment}
    svm, _ = linear_margin(points, np.ones(len(points.y)))
    for reference, direction in {"mean": scene.mean.direction, "svm": svm}.items():
        yield "directions", {"seed": seeds, "reference": reference, "angle": math.atan2(direction[1], direction[0])}
    yield "alignment", {"seed": seeds, "moment": "start", "misalignment": _misalignment(scene, start)}
    aligned = np.where(np.isfinite(lower.times), _misalignment(scene, lower.neurons), math.nan)
    yield "alignment", {"seed": seeds, "moment": "phase I", "misalignment": aligned}


def _mean(points: Labelled, slope: float) -> Mean:
    mean = points.y @ points.x / len(points.y)
    size = float(np.linalg.norm(mean))
    return Mean(mean / size, (1 + slope) / 4 * size)


def _misalignment(scene: Scene, neurons: Neurons) -> Floats:
    sizes = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
    return 1 - (np.abs(neurons.a) * np.abs(neurons.w @ scene.mean.direction)).sum(1) / sizes.sum(1)


def _plain(scene: Scene) -> Generator[Block, None, tuple[Caught, Caught, Caught]]:
    """Plain descent until all runs fit their points. Returns the ends of the phases I and II, and where L < 1/2."""
    point, points, training = scene.point, scene.points, scene.training
    neurons, never = scene.start, np.full(len(scene.seeds), math.nan)
    first = second = lower = Caught(neurons, never)
    for at in range(training.steps + 1):
        time = at * training.lr
        down, margins = leaky_relu.gradient(neurons, points, point.slope, ablation=point.ablation)
        small = np.abs(margins).max(1) <= point.small_output
        first = first.or_now(neurons, ~small, time)
        losses = np.logaddexp(0.0, -margins)
        second = second.or_now(neurons, losses.sum(1) < math.log(2), time)
        lower = lower.or_now(neurons, losses.mean(1) < LOWER, time)
        if at % point.record_every == 0:
            yield "curves", _plain_curve(scene, neurons, margins, small, np.isnan(second.times), time)
            for row in _errors(scene, neurons, time):
                yield "errors", row | {"phase": "I" if small.all() else "II"}
            yield from _signs(scene, neurons, time)
        if np.isfinite(second.times).all():
            break
        scene.context.progress(at / (training.steps + training.late_steps + 1))
        neurons = leaky_relu.moved(neurons, down, np.full(len(scene.seeds), training.lr))
    return first, second, lower


def _plain_curve(
    scene: Scene, neurons: Neurons, margins: Floats, small: np.ndarray, shown: np.ndarray, time: float
) -> dict[str, Any]:
    """Rows of the runs that normalised steps have not taken over."""
    norm2 = neurons.square_norm()
    closed = leaky_relu.alignment_phase(scene.start, scene.mean.direction, scene.mean.rate, time)
    return scene.references() | {
        "seed": scene.seeds[shown],
        "phase": np.where(small, "I", "II")[shown],
        "time": time,
        "log10_time": math.log10(time) if time else math.nan,
        "norm": np.sqrt(norm2)[shown],
        "closed_norm": np.where(small & scene.symmetric, np.sqrt(closed.square_norm()), math.nan)[shown],
        "of_best": (margins.min(1) / norm2 / scene.best.upper)[shown],
    }


def _of_fitted(values: Floats, fitted: np.ndarray) -> Floats:
    """Values of the runs that fit their points; NaN for the others."""
    found = np.full(len(fitted), math.nan)
    found[fitted] = values
    return found


def _errors(scene: Scene, neurons: Neurons, time: float) -> Iterator[dict[str, Any]]:
    """The distance from the closed form of phase I, and from two that lack a part of it."""
    start, mean = scene.start, scene.mean
    full = leaky_relu.alignment_phase(start, mean.direction, mean.rate, time)
    grown = np.exp(mean.rate * time) * leaky_relu.predicted_amplitudes(start, mean.direction)
    rest = start.w - (start.w @ mean.direction)[..., None] * mean.direction
    along = grown[..., None] * mean.direction
    forms = dict(zip(FORMS, (full, Neurons(rest + along, grown), Neurons(full.w - rest, full.a)), strict=True))
    for form, closed in forms.items():
        off = Neurons(neurons.w - closed.w, neurons.a - closed.a)
        error = np.sqrt(off.square_norm() / closed.square_norm())
        euler = scene.training.lr * mean.rate**2 * time / 2
        yield {"seed": scene.seeds, "time": time, "form": form, "error": error, "euler_error": euler}


def _signs(scene: Scene, neurons: Neurons, time: float) -> Rows:
    for sign in (1, -1):
        yield (
            "signs",
            {
                "seed": scene.seeds,
                "time": time,
                "sign": sign,
                "norm": np.sqrt(neurons.square_norm()),
                "largest": (sign * neurons.a).clip(min=0).max(1),
                "growth_rate": np.linalg.norm(pull(scene.points, scene.point.slope, sign)) / 2,
            },
        )


def _late(
    scene: Scene, neurons: Neurons, since: Floats, seeds: np.ndarray
) -> Generator[Block, None, tuple[Neurons, Floats, Floats]]:
    """Normalised steps from the end of phase II. Returns the weights, the worst fall and the growth of the margin."""
    point, points, training = scene.point, scene.points, scene.training
    log_time, fall = np.log(since), np.zeros(len(seeds))
    for at in range(training.late_steps + 1):
        down, margins = leaky_relu.gradient(neurons, points, point.slope, scaled=True, ablation=point.ablation)
        norm2 = neurons.square_norm()
        margin, smoothed = margins.min(1) / norm2, leaky_relu.smoothed_margin(margins, norm2)
        if at == 0:
            first, before = margin, smoothed
        fall, before = np.maximum(fall, 1 - smoothed / before), smoothed
        if at % point.late_record_every == 0:
            curve = {
                "seed": seeds,
                "log10_time": log_time / math.log(10),
                "norm": np.sqrt(norm2),
                "of_best": margin / scene.best.upper,
            }
            yield "curves", curve | scene.references() | {"phase": "III", "time": math.nan, "closed_norm": math.nan}
        if at < training.late_steps:
            step = leaky_relu.step_length(training.late_step, at, training.late_decay)
            lengths = step * np.sqrt(norm2 / down.square_norm())
            # The gradient was scaled by 1 / sigma(-q) of the smallest margin q.
            log_time = np.logaddexp(log_time, np.log(lengths) + np.logaddexp(0.0, margins.min(1)))
            neurons = leaky_relu.moved(neurons, down, lengths)
        scene.context.progress((training.steps + at + 1) / (training.steps + training.late_steps + 1))
    return neurons, fall, margin / first


def _predicted_end(scene: Scene) -> Floats | float:
    """The time at which |f| exceeds small_output at a point, of the part of the closed form that grows."""
    if not scene.symmetric:
        return math.nan
    b = leaky_relu.predicted_amplitudes(scene.start, scene.mean.direction)
    grown = Neurons(b[..., None] * scene.mean.direction, b)
    largest = np.abs(grown.outputs(scene.points.x, scene.point.slope)).max(1)
    return np.log(scene.point.small_output / largest) / (2 * scene.mean.rate)


def _drift(start: Neurons, end: Neurons) -> Floats:
    kept = [neurons.a**2 - (neurons.w**2).sum(2) for neurons in (start, end)]
    return np.abs(kept[1] - kept[0]).max(1) / (end.a**2 + (end.w**2).sum(2)).max(1)


def _neurons(neurons: Neurons, seeds: np.ndarray) -> dict[str, Any]:
    products = np.abs(neurons.a)[..., None] * neurons.w
    products = products / np.linalg.norm(products, axis=2).max(1)[:, None, None]
    return {
        "seed": np.repeat(seeds, neurons.a.shape[1]),
        "first": products[..., 0].ravel(),
        "second": products[..., 1].ravel(),
        "positive": neurons.a.ravel() > 0,
    }
