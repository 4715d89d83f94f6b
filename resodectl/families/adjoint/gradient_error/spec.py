"""Gradient errors by scheme and depth: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 4."""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting
from resodectl.families.adjoint.models import SchemeName, TinyConvModel, Trained
from resodectl.training.settings import DigitsOrCifar10, SgdTraining

Depth = Annotated[int, Field(ge=2)]


class TrainedWeights(Settings):
    """Layers of a trained network: layer i of N is its layer int(depth * i / N), as in the paper."""

    kind: Literal["trained"]
    depth: Depth = setting("residual layers of the network that is trained", unit="layers")
    training: SgdTraining = setting("its training, by backpropagation")


class FieldWeights(Settings):
    """Random weights that are functions of n/N; batch normalisations scale by 1, and pixels run from -1/2 to 1/2."""

    kind: Literal["field"]
    smoothness: Literal["smooth", "tied", "iid", "alternating"] = setting("how the weights vary with depth")


class Experiment(Trained):
    """What the recipe and the cell have in common."""

    data: DigitsOrCifar10 = setting("the data set")
    model: TinyConvModel = setting("the network")
    weights: Annotated[TrainedWeights | FieldWeights, Field(discriminator="kind")] = setting("where weights come from")
    depths: tuple[Depth, ...] = setting("residual layers N", min_length=1, unit="layers")
    batch: int = setting("images in the one batch of which the gradient is taken", ge=2)
    dtype: Dtype = setting("the precision of all tensors")


class Params(Experiment):
    """What a recipe sets."""

    schemes: tuple[SchemeName, ...] = setting("how the residual layers are integrated", min_length=1)
    seeds: int = setting("independent repetitions", ge=1)


class Point(Experiment):
    """What determines a cell: one training serves all depths."""

    scheme: SchemeName


LOG = {
    "gradients": (
        Column("scheme", "string", "", "euler (residual network) or heun (Heun network)"),
        Column("depth", "int64", "layers", "number N of residual layers"),
        Column("seed", "int64", "", "seed of the repetition"),
        Column("tensor", "string", "", "the tensor's name; biases and the last linear layer are left out"),
        Column("layer", "int64", "", "its residual layer, from 0; -1 before the first"),
        Column("squared_error", "float64", "", "mean((adjoint - backprop)^2) / mean(backprop^2) over its entries"),
    )
}
SEED_BLOCK = 10


def cells(params: Params) -> list[Point]:
    """One cell for each scheme."""
    fixed = {name: getattr(params, name) for name in Experiment.model_fields}
    return [Point(scheme=scheme, **fixed) for scheme in params.schemes]
