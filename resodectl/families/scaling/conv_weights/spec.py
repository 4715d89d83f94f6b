"""Convolutions of trained residual networks of basic blocks by depth.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245), the figures on CIFAR-10: A is the first convolution of a block and
Delta the second, the depth L the number of blocks.
"""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import DataName, Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import SgdTraining

BLOCKS = {  # the paper's blocks of each stage, by their sum
    8: (2, 2, 2, 2),
    11: (2, 3, 4, 2),
    12: (2, 3, 5, 2),
    14: (3, 3, 5, 3),
    16: (3, 4, 6, 3),
    20: (3, 4, 10, 3),
    24: (3, 4, 14, 3),
    28: (3, 4, 18, 3),
    33: (3, 4, 23, 3),
    42: (3, 8, 28, 3),
    50: (3, 8, 36, 3),
    65: (3, 8, 51, 3),
    80: (4, 12, 60, 4),
    100: (4, 18, 74, 4),
    121: (4, 31, 82, 4),
}


class Model(Settings):
    """Four stages of blocks relu(conv2(relu(conv1 h)) + shortcut(h)) without batch normalisation."""

    width: int = setting("channels of the first stage", ge=1)
    doubling: bool = setting("whether each stage has twice the channels of the one before")
    strides: tuple[int, int, int, int] = setting("stride of the first block of each stage")
    initial: Literal["independent", "equal"] = setting(
        "weights at the start: each block draws its own, or all blocks of a stage have the same where shapes allow",
        default="independent",
    )

    @model_validator(mode="after")
    def strides_are_positive(self) -> Self:
        """Refuse strides that no convolution has."""
        if min(self.strides) < 1:
            raise ValueError(f"a stride is at least 1, not {min(self.strides)}")
        return self


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: DataName = setting("the data set")
    model: Model = setting("the network")
    training: SgdTraining = setting("the training")
    dtype: Dtype = setting("floating-point type", default="float32")


class Params(Shared):
    """What a recipe sets."""

    depths: Distinct[int] = setting("depths L, of those for which the paper gives the blocks of each stage")
    seeds: int = setting("independent repetitions", ge=1)

    @model_validator(mode="after")
    def depths_are_the_paper_s(self) -> Self:
        """Refuse depths without known stages."""
        unknown = [depth for depth in self.depths if depth not in BLOCKS]
        if unknown:
            raise ValueError(f"depths: no stages are known for {unknown[0]}; known: {', '.join(map(str, BLOCKS))}")
        return self


class Point(Shared):
    """What determines a cell."""

    depth: int


_SHARED = (
    Column("depth", "int64", "blocks", "depth L"),
    Column("seed", "int64", "", "seed of the weights and of the order of batches"),
)
LOG = {
    "layers": (
        *_SHARED,
        Column("tensor", "string", "", "A (first convolution of a block) or Delta (second)"),
        Column("stage", "int64", "", "stage of the block, from 1"),
        Column("layer", "int64", "", "block k, from 0"),
        Column(
            "initial_norm", "float64", "", "|T_k| before training: operator norm of the convolution of periodic images"
        ),
        Column("norm", "float64", "", "|T_k| after training"),
        Column("increment", "float64", "", "|T_{k+1} - T_k|; NaN where a stage ends or the shape changes"),
        Column("square", "float64", "", "squared Frobenius norm of T_k"),
        Column("increment_square", "float64", "", "squared Frobenius norm of T_{k+1} - T_k; NaN where increment is"),
    ),
    "networks": (
        *_SHARED,
        Column("train_loss", "float64", "nats", "mean cross-entropy over the last epoch's batches"),
        Column("test_loss", "float64", "nats", "mean cross-entropy over the test set after training"),
        Column("test_error", "float64", "%", "share of wrong answers on the test set after training"),
        Column("diverged", "bool", "", "whether a loss is no longer finite"),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each depth."""
    return [point(Point, params, depth=depth) for depth in params.depths]
