"""Descent with weight decay on linear regression with batch normalisation, from two kinds of start.

Lyu, Li & Arora 2022 (arXiv 2206.07085). The minimisers are w = c (w* + u), w* the one of least norm and u in the null
space of the centred inputs; with T = |u| / |w*| their spherical sharpness is lambda_min (1 + T^2).
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, ReductionAblation
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Start = Literal["edge", "plateau"]
Ablation = Literal[ReductionAblation, "reduced-step"]


class Run(Settings):
    """How a run starts and how long it takes."""

    start: Start = setting("edge: at a minimiser with |w|^2 = h lambda / 2; plateau: large weights of random direction")
    decay: float = setting("weight decay l", ge=0.0)
    duration: float | None = setting("length of the run in the time tau = h l t", gt=0.0, default=None)
    steps: int | None = setting("its length in steps, in place of duration", ge=2, default=None)

    @model_validator(mode="after")
    def the_length_is_given_once(self) -> Self:
        """Refuse a run of no length or of two, and one of a time that never passes."""
        if (self.duration is None) == (self.steps is None):
            raise ValueError("a run needs its duration or its steps, and not both")
        if self.decay == 0 and self.steps is None:
            raise ValueError("duration: without weight decay no time h l t passes; give the steps of the run")
        return self

    def length(self, lr: float) -> int:
        """The run's length in steps."""
        return self.steps if self.duration is None else round(self.duration / (lr * self.decay))  # type: ignore[return-value]


class Reduction(Settings):
    """When the ablation reduced-step lowers the learning rate, and by how much."""

    time: float = setting("time tau from which on the learning rate is lower", ge=0.0, default=0.15)
    factor: float = setting("what the learning rate is multiplied by", gt=0.0, lt=1.0, default=0.1)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    lr: float = setting("learning rate h", gt=0.0)
    examples: int = setting("training examples n", ge=3)
    dim: int = setting("input dimension d", ge=4)
    distance: float = setting("T of the minimiser at the start edge", gt=0.0)
    norm: float = setting("norm of the weights at the start plateau", gt=0.0)
    reduction: Reduction = setting("the lower learning rate of the ablation reduced-step", default=Reduction())
    records: int = setting("steps of a run of which a row is kept, evenly spaced", ge=20, default=160)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    runs: tuple[Run, ...] = setting("starts with their weight decays and durations", min_length=1)
    ablations: Distinct[Ablation] = setting(
        "what is wrong on purpose, or none: no-decay descends without weight decay, reduced-step lowers the learning "
        "rate at some time; linear-norm takes |w| for |w|^2 in the effective step; the flow is computed with "
        "no-denominator (-G / 2), no-projection (to the tangent space of the sphere) or in double-time (2 h l t)",
        default=("none",),
    )
    seeds: int = setting("independent problems with their starts", ge=1)

    @model_validator(mode="after")
    def minimisers_form_a_manifold(self) -> Self:
        """Refuse problems with a single minimiser, and runs too short for their rows."""
        if self.dim <= self.examples:
            raise ValueError(f"dim: interpolation needs more dimensions than {self.examples} examples, not {self.dim}")
        for run in self.runs:
            if self.lr * run.decay >= 1:
                raise ValueError(f"runs: h l must be below 1, and is {self.lr * run.decay:g}")
            steps = run.length(self.lr)
            if steps < 2 * self.records:
                raise ValueError(f"records: {self.records} pairs of steps do not fit into {steps} steps")
            if run.decay == 0 and "reduced-step" in self.ablations:
                raise ValueError("ablations: reduced-step lowers the step at a time h l t, so no run's decay may be 0")
        return self

    @model_validator(mode="after")
    def the_log_tells_runs_apart(self) -> Self:
        """Refuse runs that differ in their length alone."""
        if len({(run.start, run.decay) for run in self.runs}) < len(self.runs):
            raise ValueError("runs: two have the same start and decay, so that their rows could not be told apart")
        return self


class Point(Shared, Run):
    """What determines a cell."""

    ablation: Ablation


LOG = {
    "curves": (
        Column("start", "string", "", "edge or plateau"),
        Column("decay", "float64", "", "weight decay l"),
        Column("lr", "float64", "", "learning rate h"),
        Column("ablation", "string", "", "what is wrong on purpose, or none"),
        Column("seed", "int64", "", "seed of the problem and the start"),
        Column("step", "int64", "steps", "steps done, t"),
        Column("time", "float64", "tau", "h l t, of the given h and l under every ablation"),
        Column("train_loss", "float64", "", "mean squared error on the examples"),
        Column("test_loss", "float64", "", "expected squared error on new standard Gaussian inputs"),
        Column("sharpness", "float64", "", "largest eigenvalue of the spherical Hessian, mean of steps t and t + 1"),
        Column("threshold", "float64", "", "2 / eta, eta the effective step, mean of steps t and t + 1"),
        Column("distance", "float64", "", "T = |part of w in the null space| / |part of w along w*|"),
        Column("predicted", "float64", "", "T of the sharpness-reduction flow that starts at edge_time"),
        Column("predicted_sharpness", "float64", "", "lambda_min (1 + predicted T^2)"),
        Column(
            "edge_time", "float64", "", "tau at which the sharpness first reaches 2 / eta; infinite if it never does"
        ),
        Column("edge_reached", "bool", "", "whether the sharpness has reached 2 / eta at this row or before"),
        Column(
            "step_factor",
            "float64",
            "",
            "factor of the learning rate h at this step, below 1 once reduced-step lowered it",
        ),
        Column("null_error", "float64", "", "|u(t) - (1 - h l)^t u(0)| / |u(0)|, u(t) the part of w in the null space"),
        Column("null_drift", "float64", "", "|u(t) - u(0)| / |u(0)|, u(t) the part of w in the null space"),
    ),
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each run and ablation."""
    return [
        point(Point, params, **dict(run), ablation=ablation) for run in params.runs for ablation in params.ablations
    ]
