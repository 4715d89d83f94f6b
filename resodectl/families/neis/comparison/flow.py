"""Flows trained independently for one target, and how samples are weighed along them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from resodectl.experiment.context import Context
from resodectl.families.neis.comparison.spec import Collapse, Example
from resodectl.families.neis.learned import first_field, plan_of
from resodectl.numerics.draws import Streams, normal, uniform
from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.joint_ode import joint_log_weights
from resodectl.numerics.sampling.targets import Mixture, Target
from resodectl.numerics.sampling.training import State, begin, train_step
from resodectl.numerics.sampling.velocities import Trainable


class Learned(NamedTuple):
    """Flows that were trained for a target, and how their samples are weighed."""

    velocity: Trainable
    target: Target
    queries: float  # of U1 and its gradient, by the training of a flow in the mean
    time_steps: int
    start: float
    joint: bool  # by the joint ODE, not along a path

    @property
    def queries_each(self) -> int:
        """Queries of U1 by a sample."""
        return 4 * self.time_steps if self.joint else self.time_steps + 1

    @torch.no_grad()
    def log_weights(self, x: Tensor) -> Tensor:
        """log A of samples of the base, `(trainings, samples)`."""
        weigh = joint_log_weights if self.joint else log_weights
        return weigh(self.velocity, self.target.log_density, x, self.time_steps, start=self.start)


def learn(example: Example, collapse: Collapse | None, target: Target, context: Context) -> Learned:
    """The flows of an example, trained side by side; each has its own draws, whatever makes them collapse."""
    plan = plan_of(example.flow)
    if collapse == "unassisted":
        plan = plan._replace(assisted=0.0)
    on = heaviest_mode(target) if collapse == "one mode" else target
    last = 1 if collapse == "untrained" else plan.training_steps
    state, kept = _begin(example, target.dim, context), context.restore()
    if kept is not None:
        weights = (of.to(context.device) for of in kept["weights"])
        state = State(type(state.velocity)(*weights), kept["step"], kept["queries"].to(context.device))
    while state.step < last:
        streams = _streams(example, context, state.step)
        x = normal(streams, (plan.samples, target.dim), context.dtype, context.device)
        drawn = uniform(streams, (plan.samples,), 0.0, 1.0, context.dtype, context.device)
        state, _ = train_step(state, plan, on, x, drawn)
        context.save({"weights": list(state.velocity), "step": state.step, "queries": state.queries})
        context.progress(0.8 * state.step / last)
    queries = state.queries.double().mean().item()
    return Learned(state.velocity, target, queries, plan.time_steps, plan.start, example.estimator == "joint-ode")


def _streams(example: Example, context: Context, step: int) -> Streams:
    """A stream of each training, fresh for each step."""
    return [of for run in range(example.trainings) for of in context.streams(example.name, "training", run, step)]


def heaviest_mode(target: Target) -> Mixture:
    """The mode of a mixture with the largest share of R, as a target of its own.

    >>> from resodectl.numerics.sampling.targets import two_modes
    >>> heaviest_mode(two_modes()).centres.tolist()
    [[0.0, -5.0]]

    Raises:
        TypeError: the target is no mixture.
    """
    if not isinstance(target, Mixture):
        raise TypeError("only a mixture has modes that a flow could be trained on alone")
    shares = target.weights.log() + 0.5 * target.variances.log().sum(1)
    only = slice(int(shares.argmax()), int(shares.argmax()) + 1)
    return Mixture(target.weights[only], target.centres[only], target.variances[only])


def _begin(example: Example, dim: int, context: Context) -> State[Any]:
    """The fields before training."""
    fields = first_field(example.flow.velocity, _streams(example, context, 0), dim)
    return begin(type(fields)(*(weights.to(context.device, context.dtype) for weights in fields)))
