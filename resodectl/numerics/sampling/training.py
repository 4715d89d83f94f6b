"""Training of the field of a flow: less second moment of the weights, by normalised gradients, all runs at once.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908). The i-th of S steps is theta -= lr / (1 + decay i) g / |g|, with fresh
samples, the norm over all weights of a run, and decay = (1 / last - 1) / S, so that the last step is `last` times as
long as the first. While training is assisted, some samples do not start from the base: they are first carried uphill,
along dx/dt = -grad U1, to where the target is. Without that, no sample ever sees a far mode.
"""

import math
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from resodectl.numerics.draws import Streams, uniform
from resodectl.numerics.ode.runge_kutta import runge_kutta
from resodectl.numerics.sampling import velocities
from resodectl.numerics.sampling.gradients import second_moment
from resodectl.numerics.sampling.targets import Target
from resodectl.numerics.sampling.velocities import Trainable

Field = TypeVar("Field", bound=Trainable)


class Plan(NamedTuple):
    """How a field is trained."""

    training_steps: int  # S; the last one is not made: its weights are those of the trained field
    samples: int  # M, fresh for each step
    time_steps: int  # N, Runge-Kutta steps for a unit of time
    start: float  # t- in [-1, 0]
    lr: float  # length of a step of all weights together, falling as 1 / (1 + decay i)
    last_lr: float  # what lr is multiplied by at the end
    assisted: float = 0.0  # p, the probability that a sample is carried uphill first, at the beginning
    assisted_until: float = 1.0  # share of the steps by which that has fallen to 0


class State(NamedTuple, Generic[Field]):
    """A field on its way, before the step of this number; the first is 1."""

    velocity: Field
    step: int
    queries: Tensor  # of U1 and its gradient so far, `(runs,)`


def begin(velocity: Field) -> State[Field]:
    """The state before the first step."""
    first = next(iter(velocity))
    return State(velocity, 1, torch.zeros(first.shape[0], dtype=torch.int64, device=first.device))


def train_step(
    state: State[Field], plan: Plan, target: Target, x: Tensor, uniforms: Tensor
) -> tuple[State[Field], Tensor]:
    """One step.

    Args:
        state: the field before it.
        plan: how it is trained.
        target: the target.
        x: samples of the base, `(runs, samples, dim)`.
        uniforms: in [0, 1), `(runs, samples)`: a sample is carried uphill where its own is below the probability.

    Returns:
        The next state, and log A of the samples with the field before the step, `(runs, samples)`.
    """
    carried = uniforms < assist_probability(plan, state.step)
    x = uphill(target, x, carried, plan.time_steps)
    log_weights, gradients = second_moment(state.velocity, target, x, plan.time_steps, plan.start)
    decay = (1 / plan.last_lr - 1) / plan.training_steps
    length = plan.lr / (1 + decay * state.step)
    norm = torch.cat([of.reshape(x.shape[0], -1) for of in gradients], 1).norm(dim=1)
    scale = torch.where(norm > 0, length / norm, 0.0)  # a run that has lost every sample stays where it is
    moved = [
        of - scale.reshape(-1, *[1] * (of.ndim - 1)) * gradient
        for of, gradient in zip(state.velocity, gradients, strict=True)
    ]
    queries = 2 * (plan.time_steps + 1) * x.shape[1] + 4 * plan.time_steps * carried.sum(-1)
    return State(type(state.velocity)(*moved), state.step + 1, state.queries + queries), log_weights


def assist_probability(plan: Plan, step: int) -> float:
    """p (1 - i / (upsilon S)) at the step i, or 0 from where that is negative.

    >>> plan = Plan(50, 200, 50, 0.0, lr=0.3, last_lr=0.2, assisted=0.1, assisted_until=0.6)
    >>> [round(assist_probability(plan, step), 3) for step in (0, 15, 30, 50)]
    [0.1, 0.05, 0.0, 0.0]
    """
    return max(0.0, plan.assisted * (1 - step / (plan.assisted_until * plan.training_steps)))


def uphill(target: Target, x: Tensor, carried: Tensor, steps: int) -> Tensor:
    """The samples, those that are `carried` replaced by the end, after a unit of time, of dx/dt = -grad U1."""
    ends = runge_kutta(lambda places, _: target.with_gradient(places)[1], x[carried], 0.0, 1.0, steps)
    return x.masked_scatter(carried.unsqueeze(-1), ends)


def gradient_field(streams: Streams, dim: int, units: int, scale: float) -> velocities.Gradient:
    """A gradient field before training, float64: Glorot's uniform weights, those of the output times `scale`."""
    return velocities.Gradient(_glorot(streams, units, dim), _glorot(streams, units), scale * _glorot(streams, units))


def generic_field(streams: Streams, dim: int, units: int, scale: float) -> velocities.Generic:
    """A generic field before training, float64: Glorot's uniform weights, those of the output times `scale`."""
    inner, bias = _glorot(streams, units, dim), _glorot(streams, units)
    return velocities.Generic(inner, bias, scale * _glorot(streams, dim, units), scale * _glorot(streams, dim))


def linear_field(streams: Streams, dim: int, scale: float) -> velocities.Linear:
    """A linear field before training, float64: Glorot's uniform matrix times `scale`, and no shift."""
    return velocities.Linear(scale * _glorot(streams, dim, dim), torch.zeros(len(streams), dim, dtype=torch.float64))


def funnel_field(runs: int, first: float) -> velocities.Funnel:
    """The field of two weights before training, float64: beta = alpha = `first`."""
    return velocities.Funnel(*(torch.full((runs,), first, dtype=torch.float64) for _ in range(2)))


def _glorot(streams: Streams, *shape: int) -> Tensor:
    """Uniform weights with |w| <= sqrt(6 / (rows + columns)), `(runs, *shape)`; a vector is one column."""
    limit = math.sqrt(6 / (sum(shape) if len(shape) > 1 else shape[0] + 1))
    return uniform(streams, shape, -limit, limit)
