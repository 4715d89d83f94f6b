"""The hidden units |a_j| b_j of two-layer ReLU networks on the plane, by the scale tau of the first weights.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 1a and b.
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.lazy.choices import InitScale, Layers


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    init_scales: Distinct[InitScale] = setting("init scales tau, by which all weights are multiplied at the start")
    trained: Distinct[Layers] = setting(
        "which layers are trained, run by run: both, or for controls the hidden one alone", default=("both",)
    )
    samples: int = setting("training samples", unit="samples", ge=1, default=15)
    width: Width = setting("hidden units m, copies with the opposite output weight included", unit="units", default=16)
    lr: Rate = setting("learning rate", default=0.005)
    steps: int = setting("steps of full-batch gradient descent", unit="steps", ge=1)
    records: int = setting("moments at which the weights are kept, in equal ratios of steps; the start besides", ge=2,
                           default=100)  # fmt: skip
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def units_are_doubled(self) -> Self:
        """Refuse an odd number of units."""
        if self.width % 2:
            raise ValueError(f"width: {self.width} units cannot be doubled; give an even number")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("draws of teacher, samples and first weights", ge=1)


class Point(Shared):
    """What determines a cell: all runs of a block of seeds are one program."""


_RUN = (
    Column("init_scale", "float64", "", "init scale tau"),
    Column("trained", "string", "", "which layers are trained: both, or hidden"),
    Column("seed", "int64", "", "draw of teacher, samples and first weights"),
    Column("step", "int64", "steps", "steps done"),
)
_PLACE = (
    Column("unit", "int64", "", "number of the hidden unit"),
    Column("x_1", "float64", "", "first coordinate of |a_j| b_j"),
    Column("x_2", "float64", "", "second coordinate"),
    Column("positive", "bool", "", "whether a_j > 0"),
)
LOG = {
    "runs": (
        *_RUN,
        Column("train_loss", "float64", "", "half the mean squared error on the training samples"),
        Column("movement", "float64", "", "|w - w0| / |w0| of all weights of a network"),
        Column("lazy_movement", "float64", "", "the same of descent on its linearisation, in closed form"),
        Column("lazy_distance", "float64", "", "|w - wbar| / |wbar - w0|, wbar being the weights of the linearisation"),
        Column(
            "directions",
            "float64",
            "",
            "effective number of directions: 1 / sum_jk p_j p_k over units of one sign of a that are at most 5 degrees "
            "apart, p_j being the share of |a_j| |b_j|",
        ),
        Column("alignment", "float64", "", "cosine with the nearest teacher unit of its sign, mean by |a_j| |b_j|"),
        Column(
            "drift", "float64", "", "sum_j |change of a_j^2 - |b_j|^2| since the start, over lr (first loss - loss)"
        ),
    ),
    "paths": (*_RUN, *_PLACE),
    "teachers": (Column("seed", "int64", "", "draw of teacher, samples and first weights"), *_PLACE),
}
SEED_BLOCK = 12


def cells(params: Params) -> list[Point]:
    """One cell: all init scales side by side."""
    return [point(Point, params)]
