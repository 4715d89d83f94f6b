"""Maps of test accuracy: Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figure 9.

h_{k+1} = h_k + L^-beta (V_k relu(h_k) + b_k). Along the layers, each entry of V_k is fractional Gaussian noise of Hurst
index H at the start; the biases b_k are zero then, and trained as in the official code.
"""

from resodectl.experiment.choices import Distinct, Dtype, MnistDataName, Rate
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.scaling.grids import Grid, HurstGrid
from resodectl.training.settings import AdamTraining


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    hursts: HurstGrid = setting("Hurst indices H of the initial weights")
    betas: Grid = setting("exponents beta of the residual scale L^-beta")
    lrs: Distinct[Rate] = setting("learning rates at the start; the map shows the best one of each place")
    depth: int = setting("residual layers L", unit="layers", ge=2)
    dim: int = setting("dimension d of the hidden state", ge=1)
    training: AdamTraining = setting("the training of every network")
    dtype: Dtype = setting("floating-point type")


class Params(Shared):
    """What a recipe sets."""

    data: Distinct[MnistDataName] = setting("the data sets, a panel each")
    seeds: int = setting("independent repetitions: weights and orders of batches", ge=1)


class Point(Shared):
    """What determines a cell: the whole map of one data set is one program."""

    data: MnistDataName


LOG = {
    "accuracies": (
        Column("data", "string", "", "the data set"),
        Column("hurst", "float64", "", "Hurst index H of the initial weights"),
        Column("beta", "float64", "", "exponent beta of the residual scale L^-beta"),
        Column("lr", "float64", "", "learning rate at the start"),
        Column("seed", "int64", "", "seed of the repetition"),
        Column("accuracy", "float64", "", "share of right answers on the test set after the last epoch"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the last epoch's batches"),
        Column("diverged", "bool", "", "whether train_loss is no longer finite"),
    )
}
SEED_BLOCK = 1


def cells(params: Params) -> list[Point]:
    """One cell for each data set."""
    return [point(Point, params, data=data) for data in params.data]
