"""Descent with weight decay on matrix completion with batch normalisation.

Lyu, Li & Arora 2022 (arXiv 2206.07085): the prediction is Z = A B^T, normalised by its observed entries.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 8

Ablation = Literal["none", "no-decay", "linear-norm"]


class Experiment(Settings):
    """What the recipe and the cell have in common."""

    dim: int = setting("rows and columns of the matrix", ge=2)
    rank: int = setting("rank of the truth", ge=1)
    observed: int = setting("entries that are observed", ge=3)
    width: int = setting("columns of A and B", ge=1)
    lr: float = setting("step size h", gt=0.0)
    decay: float = setting("weight decay l", gt=0.0)
    steps: int = setting("length of a run", unit="steps", ge=2)
    records: int = setting("rows of a run", ge=10, default=121)
    tolerance: float = setting("relative residual at which an eigenvalue is accepted", gt=0.0, default=1e-4)
    dtype: Dtype = setting("floating-point type; float32 ends the plateau early", default="float64")


class Params(Experiment):
    """What a recipe sets."""

    ablations: tuple[Ablation, ...] = setting(
        "descents or formulas with one thing wrong: no-decay descends without weight decay, linear-norm takes |w| for "
        "|w|^2 in the effective step; none",
        min_length=1,
        default=("none",),
    )
    seeds: int = setting("independent truths, observed entries and starts", ge=1)

    @model_validator(mode="after")
    def something_is_left_to_complete(self) -> Self:
        """Refuse problems without test entries, ranks above the dimension, and unstable weight decay."""
        if self.observed >= self.dim**2:
            raise ValueError(f"observed: of {self.dim**2} entries at least one must be left out")
        if self.rank > self.dim:
            raise ValueError(f"rank: at most {self.dim}, the dimension")
        if self.lr * self.decay >= 1:
            raise ValueError(f"decay: h l must be below 1, and is {self.lr * self.decay:g}")
        if self.steps < 2 * self.records:
            raise ValueError(f"records: {self.records} pairs of steps do not fit into {self.steps} steps")
        return self


class Point(Experiment):
    """What determines a cell."""

    ablation: Ablation


LOG = {
    "curves": (
        Column("lr", "float64", "", "step size h"),
        Column("decay", "float64", "", "weight decay l"),
        Column("ablation", "string", "", "what is deliberately wrong, or none"),
        Column("seed", "int64", "", "seed of the truth, the observed entries and the start"),
        Column("step", "int64", "steps", "t"),
        Column("train_loss", "float64", "", "mean squared error on the observed entries, standardised"),
        Column("test_loss", "float64", "", "that on the others, by the statistics of the observed ones"),
        Column("sharpness", "float64", "", "largest eigenvalue of the spherical Hessian, mean of steps t and t + 1"),
        Column("sharpness_error", "float64", "", "residual bound of that eigenvalue, relative"),
        Column("threshold", "float64", "", "2 / eta, mean of steps t and t + 1"),
        Column("edge_reached", "bool", "", "whether the sharpness has been 2 / eta or more at this row or before"),
    ),
}


def cells(params: Params) -> list[Point]:
    """A cell for each ablation."""
    fixed = {name: getattr(params, name) for name in Experiment.model_fields}
    return [Point(ablation=ablation, **fixed) for ablation in params.ablations]
