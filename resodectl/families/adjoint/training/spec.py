"""Learning curves by scheme, gradient, depth and tying: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 3."""

from typing import Annotated

from pydantic import Field

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, setting
from resodectl.families.adjoint.models import GradientName, SchemeName, Trained, Tying
from resodectl.training.settings import SgdTraining

Depth = Annotated[int, Field(ge=2)]


class Params(Trained):
    """What a recipe sets."""

    schemes: tuple[SchemeName, ...] = setting("how the residual layers are integrated", min_length=1)
    gradients: tuple[GradientName, ...] = setting("how the network is differentiated", min_length=1)
    weights: tuple[Tying, ...] = setting("whether the residual layers share their weights", min_length=1)
    depths: tuple[Depth, ...] = setting("residual layers N (of the stages that the model leaves open)", min_length=1)
    training: SgdTraining = setting("the training")
    seeds: int = setting("independent repetitions", ge=1)
    dtype: Dtype = setting("the precision of all tensors")


class Point(Trained):
    """What determines a cell."""

    scheme: SchemeName
    gradient: GradientName
    weights: Tying
    depth: Depth
    training: SgdTraining
    dtype: Dtype


LOG = {
    "curves": (
        Column("scheme", "string", "", "euler (residual network) or heun (Heun network)"),
        Column("gradient", "string", "", "backprop or the memory-free adjoint"),
        Column("weights", "string", "", "tied or untied residual layers"),
        Column("depth", "int64", "layers", "number N of residual layers"),
        Column("seed", "int64", "", "seed of the repetition"),
        Column("epoch", "int64", "epochs", "epochs of training done"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the epoch's batches"),
        Column("test_loss", "float64", "nats", "mean cross-entropy over the test set after the epoch"),
        Column("test_error", "float64", "%", "share of wrong answers on the test set after the epoch"),
        Column("diverged", "bool", "", "whether a loss is no longer finite"),
    )
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each network and gradient."""
    shared = ("data", "model", "residual_exponent", "training", "dtype")
    fixed = {name: getattr(params, name) for name in shared}
    return [
        Point(scheme=scheme, gradient=gradient, weights=weights, depth=depth, **fixed)
        for weights in params.weights
        for depth in params.depths
        for scheme in params.schemes
        for gradient in params.gradients
    ]
