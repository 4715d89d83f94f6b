"""Gradient errors by scheme and depth: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 4."""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.choices import DataName, Depth, Distinct, Dtype, SchemeName, Smoothness
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.adjoint.models import TinyConvModel, Trained
from resodectl.training.settings import SgdTraining


class TrainedWeights(Settings):
    """The layers of a trained network: layer i of N is its layer int(depth * i / N), as in the paper."""

    kind: Literal["trained"]
    depth: Depth = setting("residual layers of the network that is trained", unit="layers")
    training: SgdTraining = setting("the training of that network, by backpropagation")


class FieldWeights(Settings):
    """Random weights that are functions of n/N; batch normalisations scale by 1, and pixels run from -1/2 to 1/2."""

    kind: Literal["field"]
    smoothness: Smoothness = setting("how the weights vary with depth")


class Shared(Trained):
    """The settings of a recipe that each of its cells has too."""

    data: DataName = setting("the data set")
    model: TinyConvModel = setting("the network")
    weights: Annotated[TrainedWeights | FieldWeights, Field(discriminator="kind")] = setting("where weights come from")
    depths: Distinct[Depth] = setting("depths N: residual layers", unit="layers")
    batch: int = setting("images in the one batch whose gradient is taken", ge=2)
    dtype: Dtype = setting("floating-point type")


class Params(Shared):
    """What a recipe sets."""

    schemes: Distinct[SchemeName] = setting("how the residual layers are integrated")
    seeds: int = setting("independent repetitions", ge=1)


class Point(Shared):
    """What determines a cell: one training serves all depths."""

    scheme: SchemeName


LOG = {
    "gradients": (
        Column("scheme", "string", "", "euler (residual network) or heun (Heun network)"),
        Column("depth", "int64", "layers", "depth N"),
        Column("seed", "int64", "", "seed of the repetition"),
        Column("tensor", "string", "", "name of the tensor; biases and the last linear layer are left out"),
        Column("layer", "int64", "", "residual layer of the tensor, from 0; -1 before the first residual layer"),
        Column("squared_error", "float64", "", "mean((adjoint - backprop)^2) / mean(backprop^2) over its entries"),
    )
}
SEED_BLOCK = 10


def cells(params: Params) -> list[Point]:
    """One cell for each scheme."""
    return [point(Point, params, scheme=scheme) for scheme in params.schemes]
