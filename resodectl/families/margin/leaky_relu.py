"""Two-layer leaky-ReLU networks on points in the plane, many runs at once, trained far past the fit of the data.

f(x) = sum_k a_k phi(<w_k, x>), phi(z) = max(z, slope z), without biases, under the logistic loss: gradient descent,
then normalised steps on the gradient in log domain, which go on when plain steps have stalled logarithmically.
Lyu, Li, Wang & Arora 2021 (arXiv 2110.13905).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from resodectl.families.margin.leaky_settings import GradientAblation, Training
from resodectl.families.margin.planar import Floats, Labelled

DECAY = 0.8  # the power with which normalised steps shrink
LARGE = 40.0  # margins for which e^-q is below the rounding of 1


class Neurons(NamedTuple):
    """The weights of all runs: `w` `(runs, width, 2)` and `a` `(runs, width)`."""

    w: Floats
    a: Floats

    def square_norm(self) -> Floats:
        """|theta|^2 of all weights, both layers, `(runs,)`."""
        return np.einsum("rkd,rkd->r", self.w, self.w) + np.einsum("rk,rk->r", self.a, self.a)

    def outputs(self, x: Floats, slope: float) -> Floats:
        """f at points `(n, 2)`: `(runs, n)`."""
        z = self.w @ x.T
        return (self.a[:, None] @ np.maximum(z, slope * z))[:, 0]


def draw(streams: Sequence[np.random.Generator], width: int, scale: float) -> Neurons:
    """Normal weights of one scale, a run a stream; wider networks and other scales begin with the same draws."""
    drawn = scale * np.stack([stream.standard_normal((width, 3)) for stream in streams])
    return Neurons(drawn[..., :2].copy(), drawn[..., 2].copy())


def gradient(
    neurons: Neurons, points: Labelled, slope: float, *, scaled: bool = False, ablation: GradientAblation = "none"
) -> tuple[Neurons, Floats]:
    """The gradient of the mean logistic loss, and the margins y f(x) `(runs, n)`.

    `scaled`: up to a positive factor of each run, exact where the loss itself is too small for a float.
    The ablation no-derivative has phi' = 1 in the gradient of w.
    """
    z = neurons.w @ points.x.T
    steep = np.where(z > 0, 1.0, slope)
    margins = points.y * (neurons.a[:, None] @ (steep * z))[:, 0]
    log_pull = -np.logaddexp(0.0, margins)  # log of minus the derivative of log(1 + e^-q)
    if scaled:
        log_pull -= log_pull.max(1, keepdims=True)
    pull = points.y * np.exp(log_pull) / len(points.y)
    steep *= pull[:, None]
    along = steep @ points.x
    toward_a = -np.einsum("rkd,rkd->rk", neurons.w, along)
    if ablation == "no-derivative":
        along = np.broadcast_to((pull @ points.x)[:, None], along.shape)
    return Neurons(-neurons.a[..., None] * along, toward_a), margins


def descend(
    neurons: Neurons, points: Labelled, slope: float, lr: float, ablation: GradientAblation = "none"
) -> Neurons:
    """One step of gradient descent."""
    down, _ = gradient(neurons, points, slope, ablation=ablation)
    return moved(neurons, down, np.full(len(neurons.a), lr))


def descend_normalised(
    neurons: Neurons, points: Labelled, slope: float, step: float, ablation: GradientAblation = "none"
) -> Neurons:
    """One step of length `step` |theta| against the gradient, whatever the size of the gradient."""
    down, _ = gradient(neurons, points, slope, scaled=True, ablation=ablation)
    return moved(neurons, down, step * np.sqrt(neurons.square_norm() / down.square_norm()))


def moved(neurons: Neurons, down: Neurons, lr: Floats) -> Neurons:
    """theta - lr grad, with a rate `(runs,)` of each run."""
    return Neurons(neurons.w - lr[:, None, None] * down.w, neurons.a - lr[:, None] * down.a)


def step_length(first: float, at: int, decay_time: float) -> float:
    """The relative length of normalised step `at`: first / (1 + at / decay_time)^0.8.

    >>> step_length(0.1, 0, 50), round(step_length(0.1, 50, 50), 4)
    (0.1, 0.0574)
    """
    return first / (1 + at / decay_time) ** DECAY


def train(
    start: Neurons,
    points: Labelled,
    slope: float,
    training: Training,
    progress: Callable[[float], None],
    ablation: GradientAblation = "none",
) -> tuple[Neurons, Neurons]:
    """The weights after plain descent, and after the normalised steps that follow it."""
    total, neurons = training.steps + training.late_steps, start
    for at in range(training.steps):
        neurons = descend(neurons, points, slope, training.lr, ablation)
        progress((at + 1) / total)
    early = neurons
    for at in range(training.late_steps):
        step = step_length(training.late_step, at, training.late_decay)
        neurons = descend_normalised(neurons, points, slope, step, ablation)
        progress((training.steps + at + 1) / total)
    return early, neurons


def normalised_margin(neurons: Neurons, points: Labelled, slope: float) -> Floats:
    """min_i y_i f(x_i) / |theta|^2, `(runs,)`."""
    return (points.y * neurons.outputs(points.x, slope)).min(1) / neurons.square_norm()


def smoothed_margin(margins: Floats, square_norm: Floats) -> Floats:
    """-log(exp(n L) - 1) / |theta|^2, `(runs,)`, from the margins `(runs, n)`: gradient flow never lets it fall.

    With n L = sum_i log(1 + e^-q_i).

    >>> smoothed_margin(np.array([[2000.0, 2000.0]]), np.array([1.0])).round(3)
    array([1999.307])
    """
    least = margins.min(1)
    # Where all margins are large, exp(n L) - 1 is the sum of the e^-q_i up to its square.
    far = np.log(np.exp(least[:, None] - margins).sum(1)) - least
    with np.errstate(divide="ignore", over="ignore"):
        near = np.log(np.expm1(np.logaddexp(0.0, -margins).sum(1)))
    log_excess = np.where(least > LARGE, far, near)
    return -log_excess / square_norm


def predicted_amplitudes(start: Neurons, direction: Floats) -> Floats:
    """b_k = (a_k + <w_k, u>) / 2 of the initial weights, `(runs, width)`: its sign is that of a_k after phase I."""
    return (start.a + start.w @ direction) / 2


def alignment_phase(start: Neurons, direction: Floats, rate: float, time: float) -> Neurons:
    """The weights at a time of phase I, while f is small, on symmetric points.

    a + p grows as e^(rate t), a - p decays as e^(-rate t), p = <w, u>, and the rest of w stays as it is.
    """
    p = start.w @ direction
    growing = predicted_amplitudes(start, direction) * np.exp(rate * time)
    decaying = (start.a - p) / 2 * np.exp(-rate * time)
    along = (growing - decaying - p)[..., None] * direction
    return Neurons(start.w + along, growing + decaying)


def linear_part(neurons: Neurons, slope: float, count: int = 200) -> tuple[Floats, Floats]:
    """The best linear approximation of f on the circle, `(runs, 2)`, and |f - it| / |f|, `(runs,)`."""
    angles = 2 * np.pi * np.arange(count) / count
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    values = neurons.outputs(circle, slope)
    linear = 2 * values @ circle / count
    return linear, np.linalg.norm(values - linear @ circle.T, axis=1) / np.linalg.norm(values, axis=1)
