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
from resodectl.families.margin.leaky_settings import Hints
from resodectl.families.margin.phases.spec import Alignment, Path, Point
from resodectl.families.margin.planar import Floats, Labelled, labelled, linear_margin, pull

Block = tuple[str, dict[str, Any]]
Rows = Iterator[Block]
FORMS = ("full", "no-decay", "no-rest")


class Mean(NamedTuple):
    """The direction `(2,)` of the mean of y x, and lambda_0, the rate of phase I on symmetric points."""

    direction: Floats
    rate: float


def simulate(cell: Cell[Point], context: Context) -> Rows:
    point, seeds = cell.point, np.array(cell.seeds)
    if point.aligned:
        yield from _alignment(point, point.aligned, seeds, context)
    if point.followed:
        yield from _follow(point, point.followed, seeds, context)


def _mean(points: Labelled, slope: float) -> Mean:
    mean = points.y @ points.x / len(points.y)
    size = float(np.linalg.norm(mean))
    return Mean(mean / size, (1 + slope) / 4 * size)


def _follow(point: Point, path: Path, seeds: np.ndarray, context: Context) -> Rows:
    points, training = labelled(path.data, path.hints), path.training
    start = leaky_relu.draw(context.streams("start"), path.width, path.scale)
    mean, best = _mean(points, point.slope), best_network(points, point.slope)
    symmetric = point.path == "symmetric"
    known = {"certified": best.lower / best.upper, "rate": mean.rate if symmetric else math.nan}
    first = second = start
    ends = np.full((2, len(seeds)), math.nan)
    neurons = start
    for at in range(training.steps + 1):
        down, margins = leaky_relu.gradient(neurons, points, point.slope, ablation=point.ablation)
        small = np.abs(margins).max(1) <= point.small_output
        first, ends[0] = _caught(first, ends[0], neurons, ~small, at * training.lr)
        second, ends[1] = _caught(second, ends[1], neurons, _fits(margins), at * training.lr)
        if at % point.record_every == 0:
            time, norm = at * training.lr, np.sqrt(neurons.square_norm())
            closed = leaky_relu.alignment_phase(start, mean.direction, mean.rate, time)
            before = np.isnan(ends[1])  # afterwards the normalised steps go on
            curve = {
                "seed": seeds,
                "phase": np.where(small, 1, 2),
                "time": time,
                "log10_time": math.log10(time) if time else math.nan,
                "norm": norm,
                "closed_norm": np.where(small & symmetric, np.sqrt(closed.square_norm()), math.nan),
                "of_best": margins.min(1) / norm**2 / best.upper,
            }
            yield (
                "curves",
                {name: np.broadcast_to(column, len(seeds))[before] for name, column in curve.items()} | known,
            )
            if symmetric and small.all():
                yield from _errors(start, neurons, mean, time, training.lr, seeds)
            yield from _signs(neurons, points, point.slope, time, seeds)
        if np.isfinite(ends[1]).all():
            break
        context.progress(at / (training.steps + training.late_steps + 1))
        neurons = leaky_relu.moved(neurons, down, np.full(len(seeds), training.lr))
    fitted = np.isfinite(ends[1])
    second, third = (Neurons(of.w[fitted], of.a[fitted]) for of in (second, start))
    end, fall, growth = yield from _late(
        point, path, points, second, ends[1][fitted], seeds[fitted], best.upper, known, context
    )
    later = {"drift": _drift(third, second), "fall": fall, "growth": growth}
    predicted = _predicted_end(start, points, mean, point) if symmetric else math.nan
    ended = {"first_end": ends[0], "predicted_first_end": predicted, "second_end": ends[1]}
    yield "runs", {"seed": seeds} | ended | {name: _of_fitted(column, fitted) for name, column in later.items()}
    for moment, of in {"start": start, "phase I": first, "phase II": second, "end": end}.items():
        yield "neurons", _neurons(of, seeds if len(of.a) == len(seeds) else seeds[fitted]) | {"moment": moment}
    svm, _ = linear_margin(points, np.ones(len(points.y)))
    for reference, direction in {"mean": mean.direction, "svm": svm}.items():
        yield "directions", {"seed": seeds, "reference": reference, "angle": math.atan2(direction[1], direction[0])}


def _fits(margins: Floats) -> np.ndarray:
    return np.logaddexp(0.0, -margins).sum(1) < math.log(2)


def _of_fitted(values: Floats, fitted: np.ndarray) -> Floats:
    """Values of the runs that fit their points; NaN for the others."""
    found = np.full(len(fitted), math.nan)
    found[fitted] = values
    return found


def _caught(kept: Neurons, times: Floats, neurons: Neurons, reached: np.ndarray, time: float) -> tuple[Neurons, Floats]:
    """The weights and times at which runs first reach something: those of now where they have just done so."""
    now = reached & np.isnan(times)
    if not now.any():
        return kept, times
    chosen = Neurons(np.where(now[:, None, None], neurons.w, kept.w), np.where(now[:, None], neurons.a, kept.a))
    return chosen, np.where(now, time, times)


def _errors(start: Neurons, neurons: Neurons, mean: Mean, time: float, lr: float, seeds: np.ndarray) -> Rows:
    """The distance from the closed form of phase I, and from two that lack a part of it."""
    full = leaky_relu.alignment_phase(start, mean.direction, mean.rate, time)
    grown = np.exp(mean.rate * time) * leaky_relu.predicted_amplitudes(start, mean.direction)
    rest = start.w - (start.w @ mean.direction)[..., None] * mean.direction
    along = grown[..., None] * mean.direction
    forms = dict(zip(FORMS, (full, Neurons(rest + along, grown), Neurons(full.w - rest, full.a)), strict=True))
    for form, closed in forms.items():
        off = Neurons(neurons.w - closed.w, neurons.a - closed.a)
        error = np.sqrt(off.square_norm() / closed.square_norm())
        euler = lr * mean.rate**2 * time / 2
        yield "errors", {"seed": seeds, "time": time, "form": form, "error": error, "euler_error": euler}


def _signs(neurons: Neurons, points: Labelled, slope: float, time: float, seeds: np.ndarray) -> Rows:
    for sign in (1, -1):
        yield (
            "signs",
            {
                "seed": seeds,
                "time": time,
                "sign": sign,
                "norm": np.sqrt(neurons.square_norm()),
                "largest": (sign * neurons.a).clip(min=0).max(1),
                "rate": np.linalg.norm(pull(points, slope, sign)) / 2,
            },
        )


def _late(
    point: Point, path: Path, points: Labelled, neurons: Neurons, since: Floats, seeds: np.ndarray, best: float,
    known: dict[str, float], context: Context,
) -> Generator[Block, None, tuple[Neurons, Floats, Floats]]:  # fmt: skip
    """Normalised steps from the end of phase II. Returns the weights, the worst fall and the growth of the margin."""
    training = path.training
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
                "of_best": margin / best,
            }
            yield "curves", curve | known | {"phase": 3, "time": math.nan, "closed_norm": math.nan}
        if at < training.late_steps:
            step = leaky_relu.step_length(training.late_step, at, training.late_decay)
            lengths = step * np.sqrt(norm2 / down.square_norm())
            # The gradient was scaled by 1 / sigma(-q) of the smallest margin q.
            log_time = np.logaddexp(log_time, np.log(lengths) + np.logaddexp(0.0, margins.min(1)))
            neurons = leaky_relu.moved(neurons, down, lengths)
        context.progress((training.steps + at + 1) / (training.steps + training.late_steps + 1))
    return neurons, fall, margin / first


def _predicted_end(start: Neurons, points: Labelled, mean: Mean, point: Point) -> Floats:
    """The time at which |f| exceeds small_output at a point, of the part of the closed form that grows."""
    b = leaky_relu.predicted_amplitudes(start, mean.direction)
    grown = Neurons(b[..., None] * mean.direction, b)
    return np.log(point.small_output / np.abs(grown.outputs(points.x, point.slope)).max(1)) / (2 * mean.rate)


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


def _alignment(point: Point, aligned: Alignment, seeds: np.ndarray, context: Context) -> Rows:
    points = labelled(aligned.data, Hints())
    direction = _mean(points, point.slope).direction
    drawn = [leaky_relu.draw(context.streams("start"), point.width, scale) for scale in aligned.scales]
    neurons = Neurons(*(np.concatenate(parts) for parts in zip(*drawn, strict=True)))
    runs = {"seed": np.tile(seeds, len(aligned.scales)), "scale": np.repeat(aligned.scales, len(seeds))}

    def misalignment(neurons: Neurons) -> Floats:
        sizes = np.abs(neurons.a) * np.linalg.norm(neurons.w, axis=2)
        return 1 - (np.abs(neurons.a) * np.abs(neurons.w @ direction)).sum(1) / sizes.sum(1)

    yield "alignment", runs | {"moment": "start", "misalignment": misalignment(neurons)}
    found = np.full(len(neurons.a), math.nan)
    for at in range(aligned.steps):
        down, margins = leaky_relu.gradient(neurons, points, point.slope, ablation=point.ablation)
        reached = np.isnan(found) & (np.logaddexp(0.0, -margins).mean(1) < 0.5)
        found[reached] = misalignment(neurons)[reached]
        if not np.isnan(found).any():
            break
        neurons = leaky_relu.moved(neurons, down, np.full(len(found), aligned.lr))
        context.progress(at / aligned.steps)
    yield "alignment", runs | {"moment": "phase I", "misalignment": found}
