"""Descent with weight decay on the sphere toy, all starts at once, and its sharpness-reduction flow.

Lyu, Li & Arora 2022 (arXiv 2206.07085). A step is a dozen operations on as many numbers: numpy's overhead is a third
of torch's, and what is measured on the way is computed for whole intervals of steps afterwards.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.eos.sphere.spec import Point
from resodectl.numerics.curvature.sharpness_reduction import reduction_flow
from resodectl.numerics.laws.thresholds import gradient_threshold

Floats = NDArray[np.floating[Any]]


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of `curves` and `path`, interval by interval."""
    point = cell.point
    a, lr, decay = point.anisotropy, point.lr, point.decay
    shrink = 1.0 if point.ablation == "no-decay" else 1 - lr * decay
    drawn = np.array([stream.uniform(-1, 1) for stream in context.streams("longitude")])
    start = point.longitude + point.spread * drawn
    w = initial(start, a, lr, decay, point.norm, point.height).astype(point.dtype)
    edge_time = np.log((w**2).sum(0) / (lr * sharpness_on_circle(start, a) / 2)) / 2
    steps = round(point.duration / (lr * decay))
    cuts = np.linspace(0, steps, point.records + 1).astype(int)
    flow = flow_longitudes(start, cuts[:-1] * lr * decay, a, point.ablation)
    moment: Floats | None = None
    for index, (first, last) in enumerate(pairwise(cuts)):
        path = descend(w, int(last - first), a, lr, shrink)
        norm2 = (path**2).sum(1)
        u = path / np.sqrt(norm2)[:, None]
        eta = lr / (shrink * (np.sqrt(norm2) if point.ablation == "linear-norm" else norm2))
        step_of_rmsprop, moment = _rmsprop(u, eta, moment, a, lr * decay, point.ablation)
        longitude = np.arctan2(u[:, 1], u[:, 0])
        slope = log_sharpness_slope(longitude, a)
        squared = slope**2 * (point.ablation != "no-denominator")
        yield (
            "curves",
            {
                "seed": np.array(cell.seeds),
                "step": int(first),
                "time": first * lr * decay,
                "loss": loss(u[:2], a).mean(0),
                "longitude": longitude[:2].mean(0),
                "flow": flow[index],
                "sharpness": spherical_sharpness(u[:2], a).mean(0),
                "threshold": gradient_threshold(eta[:2]).mean(0),
                "ratio": (sharpness_on_circle(longitude, a) * eta / 2).mean(0),
                "oscillation": (u[:, 2] ** 2).mean(0),
                "predicted_oscillation": (2 * lr * decay / (4 + squared)).mean(0),
                "rmsprop_error": step_of_rmsprop[-1] / eta[-1] - 1,
                "time_to_edge": edge_time,
            },
        )
        pair = u[:2].transpose(1, 0, 2).reshape(3, -1)
        step = np.repeat(first + np.arange(2), len(start))
        yield "path", {"seed": np.tile(cell.seeds, 2), "step": step, **dict(zip(("u1", "u2", "u3"), pair, strict=True))}
        context.progress((index + 1) / point.records)


def initial(longitude: Floats, a: float, lr: float, decay: float, norm: float | None, height: float = 0.5) -> Floats:
    """Weights `(3, seeds)` over the circle by `height` e, e = sqrt(2 h l): of a given norm, or at the edge if None."""
    over = np.full_like(longitude, height * math.sqrt(2 * lr * decay))
    u = np.stack([np.cos(longitude), np.sin(longitude), over])
    size = np.sqrt(lr * sharpness_on_circle(longitude, a) / 2) if norm is None else norm
    return u / np.sqrt((u**2).sum(0)) * size


def descend(w: Floats, steps: int, a: float, lr: float, shrink: float) -> Floats:
    """Take steps w <- shrink w - lr grad L(w), in place; the weights before each step, `(steps, 3, seeds)`.

    With A = 1 + a u_1^2 and c = (2 A - 1) u_3^2, grad L = (a u_3^2 - c, -c, A - c) w / |w|^2.
    """
    path, factor = np.empty((steps, *w.shape), w.dtype), np.empty_like(w)
    for place in path:
        place[:] = w
        squares = w * w
        norm2 = squares[0] + squares[1] + squares[2]
        above = a * squares[0] / norm2
        height = squares[2] / norm2
        np.multiply(height, above + above + 1, out=factor[1])
        np.subtract(factor[1], a * height, out=factor[0])
        np.subtract(factor[1], above + 1, out=factor[2])
        factor *= lr / norm2
        factor += shrink
        w *= factor
    return path


def loss(u: Floats, a: float) -> Floats:
    """(1 + a u_1^2) u_3^2 / 2 of directions `(steps, 3, seeds)`."""
    return (1 + a * u[:, 0] ** 2) * u[:, 2] ** 2 / 2


def sharpness_on_circle(longitude: Floats, a: float) -> Floats:
    """lambda = 1 + a cos^2 p, of minimisers."""
    return 1 + a * np.cos(longitude) ** 2


def log_sharpness_slope(longitude: Floats, a: float) -> Floats:
    """G = d log lambda / dp = -a sin 2p / (1 + a cos^2 p)."""
    return -a * np.sin(2 * longitude) / sharpness_on_circle(longitude, a)


def squared_slope(u: Floats, a: float) -> Floats:
    """|grad L(u)|^2 of directions `(steps, 3, seeds)`."""
    above, height = a * u[:, 0] ** 2, u[:, 2] ** 2
    common = height * (2 * above + 1)
    return ((a * height - common) * u[:, 0]) ** 2 + (common * u[:, 1]) ** 2 + ((above + 1 - common) * u[:, 2]) ** 2


def spherical_sharpness(u: Floats, a: float) -> Floats:
    """The largest eigenvalue of the Hessian of L at directions `(steps, 3, seeds)`, off the circle too.

    With f = (1 + a u_1^2) u_3^2 / 2, a function of all of space, g its gradient, H its Hessian and P = I - u u^T, it is
    that of P H P - (g.u) P - P g u^T - u (P g)^T. By the trigonometric formula for symmetric 3 x 3 matrices.
    """
    x, z = u[:, 0], u[:, 2]
    zero = np.zeros_like(x)
    g = np.stack([a * x * z**2, zero, (1 + a * x**2) * z], -1)
    rows = [(a * z**2, zero, 2 * a * x * z), (zero, zero, zero), (2 * a * x * z, zero, 1 + a * x**2)]
    inner = np.stack([np.stack(row, -1) for row in rows], -2)
    unit = np.moveaxis(u, 1, -1)
    project = np.eye(3) - unit[..., :, None] * unit[..., None, :]
    along = (g * unit).sum(-1)[..., None, None]
    slope = (project @ g[..., None])[..., 0]
    cross = slope[..., :, None] * unit[..., None, :]
    return largest_eigenvalue(project @ inner @ project - along * project - cross - np.swapaxes(cross, -1, -2))


def largest_eigenvalue(matrices: Floats) -> Floats:
    """Of symmetric 3 x 3 matrices `(..., 3, 3)`: q + 2 p cos(arccos(det((A - q I) / p) / 2) / 3), q = tr A / 3."""
    q = np.trace(matrices, axis1=-2, axis2=-1) / 3
    centred = matrices - q[..., None, None] * np.eye(3)
    p = np.sqrt((centred**2).sum((-2, -1)) / 6)
    half = np.linalg.det(centred) / np.where(p > 0, 2 * p**3, 1)
    return q + 2 * p * np.cos(np.arccos(np.clip(half, -1, 1)) / 3)


def flow_longitudes(start: Floats, times: Floats, a: float, ablation: str) -> Floats:
    """The longitudes of the sharpness-reduction flow, `(times, seeds)`."""

    def gradient(u: torch.Tensor) -> torch.Tensor:
        sharpness = 1 + a * u[:, :1] ** 2
        return torch.cat([2 * a * u[:, :1] / sharpness, torch.zeros_like(sharpness)], 1)

    points = torch.from_numpy(np.stack([np.cos(start), np.sin(start)], 1))
    found = reduction_flow(gradient, points, torch.from_numpy(np.asarray(times)), ablation)
    return np.arctan2(found[..., 1].numpy(), found[..., 0].numpy())


def _rmsprop(
    u: Floats, eta: Floats, moment: Floats | None, a: float, rate: float, ablation: str
) -> tuple[Floats, Floats]:
    """The steps e / sqrt(v_t) of RMSprop on the gradients of these directions, and v at the next direction.

    It starts with the v of the first effective step; v' = b v + (1 - b) |grad L|^2 is a linear filter.
    """
    keep = (1 - rate) ** (1 if ablation == "no-power" else 4)
    if moment is None:
        moment = 2 * rate / eta[0] ** 2
    following, _ = lfilter([1 - keep], [1, -keep], squared_slope(u, a), axis=0, zi=keep * moment[None])
    moments = np.concatenate([moment[None], following])
    return np.sqrt(2 * rate / moments[:-1]), moments[-1]
