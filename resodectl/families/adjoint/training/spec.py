"""Learning curves by scheme, gradient, depth and tying: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Figure 3."""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import AdjointAblation, Depth, Distinct, Dtype, GradientName, SchemeName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import point, setting
from resodectl.families.adjoint.models import Trained
from resodectl.training.settings import SgdTraining

Tying = Literal["tied", "untied"]


class Shared(Trained):
    """The settings of a recipe that each of its cells has too."""

    training: SgdTraining = setting("the training")
    ablation: AdjointAblation = setting("what is wrong on purpose with the adjoint", default="none")
    dtype: Dtype = setting("floating-point type")


class Params(Shared):
    """What a recipe sets."""

    schemes: Distinct[SchemeName] = setting("how the residual layers are integrated")
    gradients: Distinct[GradientName] = setting("how the network is differentiated")
    weights: Distinct[Tying] = setting("whether the residual layers share their weights")
    depths: Distinct[Depth] = setting("depths N: residual layers, of every stage whose number of layers is 'depth'")
    seeds: int = setting("independent repetitions", ge=1)

    @model_validator(mode="after")
    def schemes_have_layers(self) -> Self:
        """Refuse a scheme that needs more layers than a stage has."""
        for depth in self.depths:
            self.check_stages(self.schemes, depth)
        return self


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
        Column("train_loss", "float64", "nats", "cross-entropy of the first 2000 training images after the epoch"),
        Column("test_loss", "float64", "nats", "mean cross-entropy over the test set after the epoch"),
        Column("test_error", "float64", "%", "share of wrong answers on the test set after the epoch"),
        Column("diverged", "bool", "", "whether a loss is no longer finite"),
    )
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each network and gradient."""
    ablation = {"backprop": "none", "adjoint": params.ablation}
    return [
        point(
            Point, params, scheme=scheme, gradient=gradient, weights=weights, depth=depth, ablation=ablation[gradient]
        )
        for weights in params.weights
        for depth in params.depths
        for scheme in params.schemes
        for gradient in params.gradients
    ]
