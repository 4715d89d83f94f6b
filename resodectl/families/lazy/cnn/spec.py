"""Convolutional networks on R(alpha h) / alpha^2 by the scale alpha: accuracy, and how far they are from linearised.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3a.
"""

from typing import Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import point, setting
from resodectl.families.lazy.rectified_settings import Alpha, Fitting, NetworkChoice

SINGLE_UNTIL = 100.0  # in float32 the rounding error is 1e-7 alpha times the outputs


class Shared(Fitting):
    """The settings of a recipe that each of its cells has too."""

    network: NetworkChoice = setting("the network")
    gain: float = setting("gain of Xavier's law of the first weights", gt=0.0)
    lr: Rate = setting("learning rate of the increment alpha (w - w0), for every alpha")
    alphas: Distinct[Alpha] = setting("scales alpha of the outputs; the runs of all of them are one program")
    centred: bool = setting("whether the outputs at the start are taken out", default=True)
    epochs: Distinct[int] = setting("epochs after which the networks are tested, in rising order", unit="epochs")
    probed: int = setting("test images, the first ones, on which activations and linearisations are compared", ge=1)
    dtype: Dtype = setting("floating-point type", default="float64")

    @model_validator(mode="after")
    def alphas_and_epochs_fit(self) -> Self:
        """Refuse epochs out of order, and scales that single precision cannot resolve."""
        if list(self.epochs) != sorted(self.epochs) or self.epochs[0] < 0:
            raise ValueError("epochs: list the epochs in rising order, from 0 on")
        if self.dtype == "float32" and max(self.alphas) > SINGLE_UNTIL:
            raise ValueError(f"dtype: float32 has no digits left at alpha above {SINGLE_UNTIL:g}; take float64")
        return self


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent draws of the first weights and of the order of images", ge=1)


class Point(Shared):
    """What determines a cell."""


LOG = {
    "networks": (
        Column("alpha", "float64", "", "scale of the outputs"),
        Column("seed", "int64", "", "seed of the first weights and of the order of images"),
        Column("epoch", "int64", "epochs", "epochs done"),
        Column("train_accuracy", "float64", "", "share of right answers on the training images"),
        Column("test_accuracy", "float64", "", "share of right answers on the test images"),
        Column(
            "stability", "float64", "", "share of ReLUs in the same state as at the start, mean over the ReLU layers"
        ),
        Column("movement", "float64", "", "alpha |w - w0|"),
        Column("linearised_gap", "float64", "", "|alpha (h(w) - h(w0)) - J u| / |J u| of the outputs, J = Dh(w0)"),
        Column("frozen_gap", "float64", "", "the same for the network with its gates frozen as they were at the start"),
        Column("diverged", "bool", "", "whether the weights are no longer finite"),
    ),
}
SEED_BLOCK = 3


def cells(params: Params) -> list[Point]:
    """One cell: all alphas at once."""
    return [point(Point, params)]
