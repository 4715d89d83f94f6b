"""Accuracies of linearised networks, of linear classifiers on fixed features, and of the networks trained as usual.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3b. The paper takes the accuracies of both kinds of features from
others; here prior features are moduli of oriented wavelets, and random features rectified products with random patches.
"""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.choices import Distinct, Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.lazy.rectified_settings import Alpha, Fitting, NetworkChoice


class _Trained(Settings):
    """A network and its training."""

    network: NetworkChoice = setting("the network")
    gain: float = setting("gain of Xavier's law of the first weights", gt=0.0)
    lr: Rate = setting("learning rate of the increment alpha (w - w0)")
    epochs: Distinct[int] = setting("epochs after which the network is tested, in rising order", unit="epochs")


class Linearised(_Trained):
    """The centred network with a large scale alpha."""

    kind: Literal["linearised"]
    alpha: Alpha = setting("scale of the outputs", default=1e7)


class Standard(_Trained):
    """The network itself: alpha is 1, and nothing is taken out."""

    kind: Literal["standard"]


class PriorFeatures(Settings):
    """A linear classifier on moduli of wavelets, averaged over a grid of cells."""

    kind: Literal["prior-features"]
    scales: int = setting("octaves of the wavelets", ge=1)
    orientations: int = setting("orientations of the wavelets of a scale", ge=1)
    grid: int = setting("cells in a row of the grid", ge=1)
    ridge: float = setting("penalty of the classifier, relative to the mean square of a standardised feature", gt=0.0)


class RandomFeatures(Settings):
    """A linear classifier on rectified products with whitened random patches, averaged over a grid of cells."""

    kind: Literal["random-features"]
    patches: int = setting("random patches of the training images", ge=1)
    side: int = setting("side of a patch", unit="pixels", ge=1)
    grid: int = setting("cells in a row of the grid", ge=1)
    ridge: float = setting("penalty of the classifier, relative to the mean square of a standardised feature", gt=0.0)


Method = Annotated[Linearised | Standard | PriorFeatures | RandomFeatures, Field(discriminator="kind")]


class Shared(Fitting):
    """The settings of a recipe that each of its cells has too."""

    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    methods: tuple[Method, ...] = setting("the rows of the table", min_length=1)
    seeds: int = setting("independent draws of weights, patches and orders of the images", ge=1)


class Point(Shared):
    """What determines a cell."""

    method: Method


LOG = {
    "table": (
        Column("method", "string", "", "linearised, prior-features, random-features, or standard"),
        Column("network", "string", "", "plain or residual; none for features"),
        Column("seed", "int64", "", "draw of weights, patches and order of the images"),
        Column("epoch", "int64", "epochs", "epochs done; 0 for classifiers in closed form"),
        Column("train_accuracy", "float64", "", "share of right answers on the training images"),
        Column("test_accuracy", "float64", "", "share of right answers on the test images"),
    ),
}
SEED_BLOCK = 3


def cells(params: Params) -> list[Point]:
    """One cell for each row of the table."""
    return [point(Point, params, method=method) for method in params.methods]
