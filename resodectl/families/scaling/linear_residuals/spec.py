"""Linear residual networks in training by depth and initial weights.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612), section 3 and Figure 2: X = (I + A_0/N) ... (I + A_{N-1}/N) is fitted to
B by gradient descent on the mean square of the entries of X - B.
"""

from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from resodectl.experiment.choices import Depth, Distinct, Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

Init = Literal["zero", "smooth", "rough"]


class Balance(Settings):
    """Runs at several learning rates for the same time, in which the balance of neighbouring layers drifts."""

    lrs: Distinct[Rate] = setting("learning rates eta, other than `lr`")
    time: float = setting("training time, steps times eta", gt=0)
    depth: int = setting("depth N", unit="layers", ge=2)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    target: tuple[tuple[float, ...], ...] = setting("the matrix B to be learnt, row by row", min_length=1)
    depths: Distinct[int] = setting("depths N; each is compared with depth 2N", unit="layers")
    reference: int = setting("depth that stands for infinity where outputs are compared", unit="layers", ge=2)
    shown: Distinct[Depth] = setting("depths whose weights are logged layer by layer", unit="layers")
    steps: int = setting("steps of gradient descent", ge=1)
    lr: float = setting("learning rate eta; a network of depth N takes eta N^lr_exponent", gt=0, default=1.0)
    lr_exponent: float = setting("the power of N by which the learning rate is multiplied", default=1.0)
    levels: Distinct[Rate] = setting(
        "losses whose first passage is logged: the first step after which the loss is below",
        default=(1e-5,),
    )
    init_scale: float = setting("size of initial weights that are not zero", gt=0, default=0.25)
    dtype: Dtype = setting("floating-point type of weights and gradients", default="float64")


class Params(Shared):
    """What a recipe sets."""

    inits: Distinct[Init] = setting(
        "initial weights: zero; smooth in depth; rough, which are independent from layer to layer; smooth and rough "
        "entries are of order `init_scale`",
    )
    balance: Balance | None = setting("further runs, from zero weights", default=None)
    seeds: int = setting("independent initial weights", ge=1)

    @model_validator(mode="after")
    def networks_can_be_built(self) -> Self:
        """Refuse networks of one layer, and matrices that no flow from small weights reaches."""
        if min(self.depths) < 2:
            raise ValueError(f"depths: a network needs at least 2 layers, not {min(self.depths)}")
        if any(len(row) != len(self.target) for row in self.target):
            raise ValueError(f"target: a square matrix is needed, each of the {len(self.target)} rows as long")
        if np.linalg.det(self.target) <= 0:
            raise ValueError("target: a flow from small weights reaches only matrices of positive determinant")
        if self.balance is not None and self.lr in self.balance.lrs:
            raise ValueError(f"balance.lrs: {self.lr:g} is the learning rate of the other runs; give different ones")
        return self


class Point(Shared):
    """What determines a cell."""

    init: Init


_RUN = (
    Column("init", "string", "", "initial weights"),
    Column("lr", "float64", "", "learning rate eta, without the power of the depth"),
    Column("seed", "int64", "", "seed of the initial weights"),
    Column("depth", "int64", "layers", "depth N"),
)
_STEP = (*_RUN, Column("step", "int64", "steps", "steps of gradient descent done"))
LOG = {
    "training": (
        *_STEP,
        Column("loss", "float64", "", "mean square of the entries of X - B"),
        Column("doubling_distance", "float64", "", "sup over s of |A^N(s) - A^2N(s)|_F"),
        Column("output_distance", "float64", "", "|X^N - X^reference|_F"),
        Column("imbalance", "float64", "", "N max_n |D_n - D_n(0)|_F with D_n = M_n^T M_n - M_{n+1} M_{n+1}^T"),
        Column("change", "float64", "", "largest |A_n - A_n(0)|_F over n"),
    ),
    "passages": (
        *_RUN,
        Column("level", "float64", "", "a loss"),
        Column("passage", "int64", "steps", "first step after which the loss is below; steps + 1 if there is none"),
    ),
    "jumps": (
        *_STEP,
        Column("part", "string", "", "weights, or change: their difference from the start of training"),
        Column("jump", "float64", "", "largest |A_{n+1} - A_n|_F over n, of the weights or of their change"),
    ),
    "layers": (
        *_STEP,
        Column("layer", "int64", "", "layer n, from 0"),
        Column("row", "int64", "", "row of the entry, from 0"),
        Column("column", "int64", "", "column of the entry, from 0"),
        Column("weight", "float64", "", "the entry of A_n"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each kind of initial weights, and one for each learning rate at which balance is measured."""
    points = [point(Point, params, init=init) for init in params.inits]
    if params.balance is not None:
        depth = params.balance.depth
        for lr in params.balance.lrs:
            run = {"lr": lr, "steps": max(1, round(params.balance.time / lr))}
            points.append(point(Point, params, init="zero", depths=(depth,), reference=depth, shown=(depth,), **run))
    return points
