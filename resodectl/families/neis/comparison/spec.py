"""Estimates of Z1 / Z0 by vanilla, annealed and non-equilibrium importance sampling at an equal, counted budget.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), section 4.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.neis.flow_settings import Flow
from resodectl.families.neis.target_settings import FourModes, ModesGiven, TargetChoice, TwoModes

WARNED = 0.1  # unseen share of R from which a run is warned of
VANILLA, LEARNED = "vanilla", "NEIS"  # the names of two methods; those of annealing are given

Ablation = Literal["none", "no-rejection", "no-proposal-ratio", "previous-level"]
Collapse = Literal["untrained", "unassisted", "one mode"]
Estimator = Literal["path", "joint-ode"]
Interval = tuple[float, float]


class LangevinMoves(Settings):
    """A step of the Metropolis-adjusted Langevin algorithm (MALA)."""

    kind: Literal["langevin"]
    step: float = setting("step tau of the drift", gt=0.0, le=10.0, default=0.1)


class HamiltonianMoves(Settings):
    """A trajectory of Hamiltonian Monte Carlo."""

    kind: Literal["hamiltonian"]
    step: float = setting("step of the leapfrog method", gt=0.0, le=10.0)
    leaps: int = setting("leapfrog steps of a trajectory", unit="steps", ge=1, le=1000)


class Annealing(Settings):
    """Annealed importance sampling, a move at each level."""

    name: str = setting("what the method is called", min_length=1, max_length=20)
    levels: int = setting("number K of levels beta_k = k / K", ge=1, le=100_000)
    moves: Annotated[LangevinMoves | HamiltonianMoves, Field(discriminator="kind")] = setting("the move of a level")

    @property
    def queries(self) -> int:
        """Queries of U1 and of its gradient by a sample."""
        return 2 + self.levels * (2 if isinstance(self.moves, LangevinMoves) else self.moves.leaps + 1)


class Example(Settings):
    """A target, a flow that is trained for it, and the budget of an estimate."""

    name: str = setting("what the example is called", min_length=1, max_length=30)
    target: TargetChoice = setting("the target")
    flow: Flow = setting("the field and its training")
    estimator: Estimator = setting("the trapezoidal rule along a path (`int` in the paper), or one joint ODE (`ode`)")
    budget: int = setting("queries of U1 and of its gradient for an estimate, training included", ge=100)
    reduction: float = setting(
        "what the budget and the queries of training are divided by; 1 in the paper", ge=1.0, default=1.0
    )
    trainings: int = setting("flows that are trained independently", ge=1, le=100)
    collapses: tuple[Collapse, ...] = setting(
        "flows that are to miss modes: not trained, trained without assistance, or on the heaviest mode alone",
        default=(),
    )
    view: tuple[Interval, Interval] = setting("range of the first two coordinates in the picture")

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        """Refuse one mode of a target whose modes nobody knows, a budget that training uses up, and empty intervals."""
        if "one mode" in self.collapses and not isinstance(self.target, TwoModes | FourModes | ModesGiven):
            raise ValueError("collapses: only a mixture has modes that one could train on alone; take 'unassisted'")
        flow = self.flow
        carried = 2 * flow.time_steps * flow.assisted * flow.assisted_until * flow.training_steps
        training = flow.samples * (2 * (flow.time_steps + 1) * (flow.training_steps - 1) + carried)
        if training > 0.95 * self.budget:
            raise ValueError(f"budget: training takes about {training:.0f} queries, which leaves none for estimates")
        each = 4 * flow.time_steps if self.estimator == "joint-ode" else flow.time_steps + 1
        if (self.budget - training) / self.reduction < 2 * each:
            raise ValueError(f"budget: after training and its reduction it is less than two samples of {each} queries")
        if any(low >= high for low, high in self.view):
            raise ValueError("view: each interval needs a lower and a higher end")
        return self


class Check(Settings):
    """The independent annealing that tells what a run has not seen."""

    chains: int = setting("annealed samples", unit="samples", ge=10, le=100_000)
    annealing: Annealing = setting("how they are annealed")


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    repeats: int = setting("independent estimates of each trained flow", ge=2, le=1000)
    check: Check = setting("the independent annealing that tells what a run has not seen")
    lines: int = setting("flow lines in the picture", ge=1, le=1000, default=200)
    ablation: Ablation = setting(
        "what is wrong on purpose with annealing: nothing is rejected, proposals are taken for symmetric, or moves "
        "keep the density of the level before",
        default="none",
    )
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    examples: tuple[Example, ...] = setting("targets, flows and budgets", min_length=1)
    rivals: tuple[Annealing, ...] = setting("annealed importance sampling, in several ways", default=())
    rival_repeats: int = setting("independent estimates of each method that trains no flow", ge=2, le=1000)
    vanilla: bool = setting("whether vanilla importance sampling is a method, too", default=True)
    learned: bool = setting("whether flows are trained; without them only the rivals are run", default=True)
    seeds: int = setting("independent repetitions of everything, trainings included", ge=1)

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        """Refuse two examples or two methods of one name, and budgets that are too small for a method."""
        for what, names in (("examples", self.examples), ("rivals", self.rivals)):
            given = [of.name for of in names]
            if len(set(given)) < len(given) or {VANILLA, LEARNED} & set(given):
                raise ValueError(f"{what}: give each another name; '{VANILLA}' and '{LEARNED}' are taken")
        for example in self.examples:
            for rival in self.rivals:
                if example.budget / example.reduction < 2 * rival.queries:
                    raise ValueError(f"budget of {example.name}: it is less than two samples of {rival.name}")
        return self


class Point(Shared):
    """What determines a cell."""

    example: Example
    method: str
    annealing: Annealing | None
    collapse: Collapse | None


_RUN = (
    Column("example", "string", "", "target and flow"),
    Column("method", "string", "", "vanilla, an annealing by its name, NEIS, or NEIS with what makes it collapse"),
    Column("seed", "int64", "", "seed of everything"),
    Column("training", "int64", "", "which of the flows that are trained independently; 0 of other methods"),
)
LOG = {
    "estimates": (
        *_RUN,
        Column("repeat", "int64", "", "which of the independent estimates"),
        Column("log_estimate", "float64", "", "logarithm of the estimate of R = Z1 / Z0"),
        Column("log_exact", "float64", "", "logarithm of R; NaN where nobody knows it"),
        Column("samples", "int64", "samples", "samples of the estimate"),
        Column("queries", "float64", "queries", "queries of U1 and its gradient, the share of the training included"),
        Column("training_queries", "float64", "queries", "the share of the training among them"),
        Column("queries_each", "int64", "queries", "queries of U1 and its gradient that a sample makes"),
        Column("variance", "float64", "", "variance of the weights over R^2, or over mean^2 where R is unknown"),
        Column("acceptance", "float64", "", "accepted share of annealing moves; NaN of other methods"),
        Column("warned", "bool", "", "whether the check warns of the run; never of annealing, which is not checked"),
    ),
    "weights": (
        *_RUN,
        Column("mean", "float64", "", "mean weight of all estimates together, over R; NaN where R is unknown"),
        Column("mean_error", "float64", "", "standard error of the mean; NaN where the tail is too heavy for one"),
        Column("variance", "float64", "", "variance of these weights over R^2, or over mean^2 where R is unknown"),
        Column("largest_share", "float64", "", "largest weight over the sum of all"),
        Column("ess", "float64", "samples", "effective sample size"),
        Column("weights_seen", "int64", "samples", "weights that are numbers"),
        Column("nans", "int64", "samples", "weights that are NaN"),
        Column("tail_index", "float64", "", "index k of the generalised Pareto tail of the weights"),
    ),
    "warnings": (
        *_RUN,
        Column("mean", "float64", "", "mean weight of all estimates together, over R; NaN where R is unknown"),
        Column("warned", "bool", "", "whether the unseen share is above a tenth or not a number; never of annealing"),
        Column("unseen_share", "float64", "", "share of R in weights above the largest one seen; NaN of annealing"),
        Column("unseen_error", "float64", "", "its standard error"),
        Column("annealed_ratio", "float64", "", "independent annealed estimate over the estimate of the run"),
        Column("annealed_error", "float64", "", "relative standard error of the annealed estimate"),
        Column("annealed_ess", "float64", "samples", "effective sample size of the annealed samples"),
        Column("check_queries", "float64", "queries", "queries of U1 and its gradient that the check makes"),
    ),
    "potential": (
        Column("example", "string", "", "target and flow"),
        Column("method", "string", "", "vanilla, an annealing by its name, NEIS, or NEIS with what makes it collapse"),
        Column("seed", "int64", "", "seed of everything"),
        Column("x", "float64", "", "first coordinate"),
        Column("y", "float64", "", "second coordinate; the others are 0"),
        Column("log_density", "float64", "", "-U1"),
    ),
    "lines": (
        Column("example", "string", "", "target and flow"),
        Column("method", "string", "", "vanilla, an annealing by its name, NEIS, or NEIS with what makes it collapse"),
        Column("seed", "int64", "", "seed of everything"),
        Column("line", "int64", "", "which sample of the base; one, which stands still, of methods without a flow"),
        Column("node", "int64", "", "place along the flow line, from t = -1 to t = 1"),
        Column("x", "float64", "", "first coordinate"),
        Column("y", "float64", "", "second coordinate"),
    ),
}
SEED_BLOCK = 1


def cells(params: Params) -> list[Point]:
    """One cell for each example and method."""
    found = []
    for example in params.examples:
        rivals: list[Annealing | None] = [None, *params.rivals] if params.vanilla else [*params.rivals]
        for annealing in rivals:
            method, repeats = VANILLA if annealing is None else annealing.name, params.rival_repeats
            swept = {"example": example, "method": method, "annealing": annealing, "repeats": repeats}
            found.append(point(Point, params, **swept, collapse=None))
        for collapse in (None, *example.collapses) if params.learned else ():
            method = LEARNED if collapse is None else f"{LEARNED} {collapse}"
            found.append(point(Point, params, example=example, method=method, annealing=None, collapse=collapse))
    return found
