"""Training of flows for importance sampling: what is logged of each step, and of the trained flow on fresh samples.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), examples 1 to 3.
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.neis.flow_settings import Flow
from resodectl.families.neis.target_settings import FunnelInBall, TargetChoice


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    target: TargetChoice = setting("the target")
    fresh: int = setting("fresh samples of the tests before the first step and before the last", unit="samples", ge=10)
    joint: int = setting(
        "fresh samples among them that are weighed by the joint ODE, too", unit="samples", ge=0, default=0
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    flows: Distinct[Flow] = setting("the fields that are trained, and how")
    seeds: int = setting("independent trainings of each flow", ge=1)

    @model_validator(mode="after")
    def settings_fit(self) -> Self:
        """Refuse flows that the log could not tell apart, and the field of the funnel for another target."""
        if self.joint > self.fresh:
            raise ValueError("joint: no more than the fresh samples can be weighed by the joint ODE, too")
        if len({(of.velocity.kind, of.units) for of in self.flows}) < len(self.flows):
            raise ValueError("flows: two fields of one kind must have different numbers of units")
        if any(of.velocity.kind == "funnel" for of in self.flows) and not isinstance(self.target, FunnelInBall):
            raise ValueError("flows: the field 'funnel' is for the target 'funnel' alone")
        return self


class Point(Shared):
    """What determines a cell."""

    flow: Flow


_RUN = (
    Column("ansatz", "string", "", "generic, gradient, linear or funnel: the form of the field"),
    Column("units", "int64", "units", "hidden units of the field; 0 where it has none"),
    Column("seed", "int64", "", "seed of the first weights and of the samples"),
    Column("step", "int64", "steps", "number of the training step; weights are those before it"),
)
_VALUES = (
    Column("relative_mean", "float64", "", "mean of A / R over the samples; of A where R is unknown"),
    Column("relative_variance", "float64", "", "Var(A) / R^2 over the samples, with 1 / n"),
)
LOG = {
    "steps": (
        *_RUN,
        *_VALUES,
        Column("assisted", "float64", "", "share of the step's samples that follow -grad U1 first"),
        Column(
            "beta", "float64", "", "weight of the funnel's own field: its speed along the neck; NaN of other fields"
        ),
        Column("alpha", "float64", "", "the other one: how fast the other coordinates shrink; NaN of other fields"),
        Column("queries", "float64", "queries", "queries of U1 and its gradient by all steps so far and this one"),
        Column("vanilla_variance", "float64", "", "Var / R^2 of plain importance sampling; NaN without a closed form"),
    ),
    "fresh": (
        *_RUN,
        Column(
            "ablation",
            "string",
            "",
            "none; no-jacobian (J = 1); fixed-window (B = int F0 over [-1/2, 1/2]); no-ball (R of the whole funnel)",
        ),
        *_VALUES,
        Column("mean_error", "float64", "", "standard error of the mean; NaN where the tail is too heavy for one"),
        Column("largest_share", "float64", "", "largest weight over the sum of all"),
        Column("ess", "float64", "samples", "effective sample size"),
        Column("nans", "int64", "samples", "weights that are NaN"),
        Column("tail_index", "float64", "", "index k of the generalised Pareto tail of the weights"),
        Column("joint_gap", "float64", "", "|mean - mean by the joint ODE| / R on the same samples; NaN without them"),
        Column("vanilla_variance", "float64", "", "Var / R^2 of plain importance sampling; NaN without a closed form"),
    ),
}
SEED_BLOCK = 5


def cells(params: Params) -> list[Point]:
    """One cell for each flow."""
    return [point(Point, params, flow=flow) for flow in params.flows]
