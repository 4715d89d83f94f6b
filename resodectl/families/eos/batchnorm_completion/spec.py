"""Descent with weight decay on matrix completion with batch normalisation.

Lyu, Li & Arora 2022 (arXiv 2206.07085): the prediction is Z = A B^T, normalised by its observed entries.
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import DecayAblation, Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dim: int = setting("rows and columns of the matrix", ge=2)
    rank: int = setting("rank of the true matrix", ge=1)
    observed: int = setting("entries that are observed", ge=3)
    width: int = setting("columns of A and B", ge=1)
    lr: float = setting("learning rate h", gt=0.0)
    decay: float = setting("weight decay l", ge=0.0)
    steps: int = setting("length of a run", unit="steps", ge=2)
    records: int = setting("steps of a run of which a row is kept, evenly spaced", ge=10, default=121)
    tolerance: float = setting("residual of the sharpness, relative to it", gt=0.0, default=1e-4)
    dtype: Dtype = setting("floating-point type; float32 ends the plateau early", default="float64")


class Params(Shared):
    """What a recipe sets."""

    ablations: Distinct[DecayAblation] = setting(
        "what is wrong on purpose, or none: no-decay descends without weight decay, linear-norm takes |w| for |w|^2 in "
        "the effective step",
        default=("none",),
    )
    seeds: int = setting("independent true matrices, with their observed entries and starts", ge=1)

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


class Point(Shared):
    """What determines a cell."""

    ablation: DecayAblation


LOG = {
    "curves": (
        Column("lr", "float64", "", "learning rate h"),
        Column("decay", "float64", "", "weight decay l"),
        Column("ablation", "string", "", "what is wrong on purpose, or none"),
        Column("seed", "int64", "", "seed of the true matrix, the observed entries and the start"),
        Column("step", "int64", "steps", "steps done, t"),
        Column("train_loss", "float64", "", "mean squared error on the observed entries, standardised"),
        Column(
            "test_loss",
            "float64",
            "",
            "the same on the other entries, standardised by the statistics of the observed ones",
        ),
        Column("sharpness", "float64", "", "largest eigenvalue of the spherical Hessian, mean of steps t and t + 1"),
        Column(
            "sharpness_error", "float64", "", "bound on the distance of the sharpness to an eigenvalue, relative to it"
        ),
        Column("threshold", "float64", "", "2 / eta, eta the effective step, mean of steps t and t + 1"),
        Column("edge_reached", "bool", "", "whether the sharpness has reached 2 / eta at this row or before"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each ablation."""
    return [point(Point, params, ablation=ablation) for ablation in params.ablations]
