"""Weights after training: Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 8.

h_{k+1} = h_k + L^-beta V_k relu(h_k); along the layers, the entries of V_k are smooth or independent at the start.
"""

from resodectl.experiment.choices import Distinct, Dtype, MnistDataName, WeightLaw
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.training.settings import AdamTraining


class Network(Settings):
    """How the layers of a network are drawn and scaled."""

    weights: WeightLaw = setting(
        "law of each entry along the layers: a smooth Gaussian process (rbf), or independent draws"
    )
    beta: float = setting("exponent beta of the residual scale L^-beta", ge=0.0)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: MnistDataName = setting("the data set")
    networks: Distinct[Network] = setting("the networks, side by side")
    depth: int = setting("residual layers L", unit="layers", ge=2)
    dim: int = setting("dimension d of the hidden state", ge=1)
    lr: float = setting("learning rate at the start", gt=0.0)
    training: AdamTraining = setting("the training of every network")
    dtype: Dtype = setting("floating-point type")


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent repetitions: weights and orders of batches", ge=1)


class Point(Shared):
    """What determines a cell: all networks of a block of seeds are one program."""


_SHARED = (
    Column("weights", "string", "", "law of each entry along the layers at the start"),
    Column("beta", "float64", "", "exponent beta of the residual scale L^-beta"),
    Column("seed", "int64", "", "seed of the repetition"),
)
LOG = {
    "training": (
        *_SHARED,
        Column("epoch", "int64", "epochs", "epochs of training done"),
        Column("roughness", "float64", "", "mean |V_{k+1} - V_k|^2 / (2 mean |V_k|^2): 1 for independent layers"),
        Column("accuracy", "float64", "", "share of right answers on the test set after the epoch"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the epoch's batches; NaN before the first"),
        Column("diverged", "bool", "", "whether a weight of the layers is no longer finite"),
    ),
    "paths": (
        *_SHARED,
        Column("layer", "int64", "", "layer k, from 0"),
        Column("before", "float64", "", "an entry of V_k before training; its row and column are drawn once a seed"),
        Column("after", "float64", "", "the same entry after training"),
    ),
}
SEED_BLOCK = 4


def cells(params: Params) -> list[Point]:
    """One cell for all networks."""
    return [point(Point, params)]
