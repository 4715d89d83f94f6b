"""Learning curves by scheme, gradient, depth and tying: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 3."""

from typing import Literal

from resodectl.experiment.choices import Depth, Dtype, GradientName, SchemeName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import point, setting
from resodectl.families.adjoint.models import Trained
from resodectl.training.settings import SgdTraining

Tying = Literal["tied", "untied"]


class Shared(Trained):
    """The settings of a recipe that each of its cells has too."""

    training: SgdTraining = setting("the training")
    dtype: Dtype = setting("floating-point type")


class Params(Shared):
    """What a recipe sets."""

    schemes: tuple[SchemeName, ...] = setting("how the residual layers are integrated", min_length=1)
    gradients: tuple[GradientName, ...] = setting("how the network is differentiated", min_length=1)
    weights: tuple[Tying, ...] = setting("whether the residual layers share their weights", min_length=1)
    depths: tuple[Depth, ...] = setting(
        "depths N: residual layers, of every stage whose number of layers is 'depth'", min_length=1
    )
    seeds: int = setting("independent repetitions", ge=1)


class Point(Shared):
    """What determines a cell."""

    scheme: SchemeName
    gradient: GradientName
    weights: Tying
    depth: Depth


LOG = {
    "curves": (
        Column("scheme", "string", "", "euler (residual network) or heun (Heun network)"),
        Column("gradient", "string", "", "backprop or the memory-free adjoint"),
        Column("weights", "string", "", "tied or untied residual layers"),
        Column("depth", "int64", "layers", "depth N"),
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
    return [
        point(Point, params, scheme=scheme, gradient=gradient, weights=weights, depth=depth)
        for weights in params.weights
        for depth in params.depths
        for scheme in params.schemes
        for gradient in params.gradients
    ]
