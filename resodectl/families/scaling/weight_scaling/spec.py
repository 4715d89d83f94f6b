"""Weights of trained residual networks by depth, activation, deltas and initialisation.

Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245): h_{k+1} = h_k + delta_k act(A_k h_k + b_k).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.outside import DataSet
from resodectl.experiment.settings import Settings, point, setting

Task = Literal["ode", "mnist", "mnist-10k"]
Depth = Annotated[int, Field(ge=3)]


class Network(Settings):
    """A kind of residual networks."""

    activation: Literal["tanh", "relu"] = setting("activation of the layers")
    delta: Literal["shared", "layers", "fixed"] = setting(
        "shared: all layers have one trained |delta|, at first 1/L; layers: each layer has a trained delta_k, at first "
        "from N(0, 1/L^2); fixed: 1/L"
    )
    leak: float = setting("slope of relu below zero; 1 makes the network linear", ge=0.0, le=1.0, default=0.0)

    @model_validator(mode="after")
    def deltas_can_go_into_the_weights(self) -> Self:
        """Refuse what has no weights free of scale: delta act(z) = act(delta z) needs a homogeneous activation."""
        if self.activation == "tanh" and self.delta == "layers":
            raise ValueError("a delta a layer can be multiplied into the weights for relu only; take shared for tanh")
        if self.activation == "tanh" and self.leak:
            raise ValueError("leak: tanh has no slope below zero to be set; leave it out")
        return self


class Initial(Settings):
    """Independent Gaussian matrices and biases."""

    kind: Literal["xavier-depth", "xavier"] = setting(
        "standard deviations of matrices and biases: scale/(L d) and scale/(L sqrt(d)); xavier is without the 1/L"
    )
    scale: float = setting("scale of the standard deviations", gt=0.0)


class Training(Settings):
    """Adam with a constant learning rate on fixed batches in random order; it stops at the end of an epoch."""

    lr: float = setting("learning rate", gt=0.0)
    batch: int = setting("examples in a batch", ge=1)
    epochs: int = setting("most passes over the training set", ge=1)
    tolerance: float = setting("mean loss of an epoch below which the training stops", gt=0.0)
    patience: int = setting("epochs without an improvement by 1 % after which the training stops", ge=1, default=5)


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    initial: Initial = setting("the weights before training")
    training: Training = setting("the training")
    train_size: int = setting("training pairs of the ODE task", ge=1, default=1024)
    test_size: int = setting("test pairs of the ODE task", ge=1, default=256)
    bins: int = setting(
        "bins that the layers are cut into; the means over bins are the trend of the weights", ge=2, default=16
    )
    dtype: Dtype = setting("floating-point type of the training; statistics are taken in float64", default="float32")

    @model_validator(mode="after")
    def there_is_a_batch(self) -> Self:
        """Refuse batches larger than the training set: incomplete batches are left out."""
        if self.training.batch > self.train_size:
            raise ValueError(f"a batch of {self.training.batch} does not fit into {self.train_size} training pairs")
        return self


class Params(Shared):
    """What a recipe sets."""

    tasks: Distinct[Task] = setting(
        "what is learnt: the flow of a differential equation, or MNIST, or its first 10,000 images, as vectors"
    )
    networks: Distinct[Network] = setting("the kinds of networks")
    depths: Distinct[Depth] = setting("depths L", unit="layers")
    seeds: int = setting("independent repetitions: pairs, weights and orders of batches", ge=1)


class Point(Shared, Network):
    """What determines a cell."""

    task: Task
    data: Annotated[Literal["mnist", "mnist-10k"], DataSet()] | None
    depth: Depth


_SHARED = (
    Column("task", "string", "", "what was learnt: ode, mnist or mnist-10k"),
    Column("activation", "string", "", "tanh or relu"),
    Column("delta", "string", "", "shared (one trained |delta|), layers (a trained delta_k each) or fixed (1/L)"),
    Column("leak", "float64", "", "slope of relu below zero"),
    Column("depth", "int64", "layers", "depth L"),
    Column("seed", "int64", "", "seed of the pairs, the weights and the order of batches"),
)
LOG = {
    "weights": (
        *_SHARED,
        Column("tensor", "string", "", "T: A (matrices) or b (biases), times |delta_k| where each layer has one"),
        Column("largest", "float64", "", "max_k |T_k|, Frobenius norms"),
        Column("residual", "float64", "", "max_k |delta_k T_k|: times the shared delta too, where there is one"),
        Column("increment", "float64", "", "max_k |T_{k+1} - T_k|"),
        Column("detrended", "float64", "", "max_k |T_k - moving mean over a tenth of the layers|"),
        Column("root_sum_square", "float64", "", "(sum_k |T_k|^2)^(1/2)"),
        Column("total", "float64", "", "|sum_k T_k|"),
        Column("quadratic_variation", "float64", "", "sum_k |T_{k+1} - T_k|^2"),
        Column("h1_seminorm", "float64", "", "(L times the quadratic variation)^(1/2)"),
        Column("roughness", "float64", "", "mean_k |T_{k+1} - T_k|^2 / (2 mean_k |T_k|^2)"),
        Column("largest_share", "float64", "", "max_k |T_k|^2 / sum_k |T_k|^2"),
        Column("trend_share", "float64", "", "sum_k |bin mean of T_k|^2 / sum_k |T_k|^2"),
        Column(
            "noise_roughness", "float64", "", "roughness of T_k minus its bin mean; NaN if every layer is its own bin"
        ),
    ),
    "training": (
        *_SHARED,
        Column("epochs", "int64", "epochs", "epochs of training done"),
        Column("stopped", "string", "", "why the training stopped: tolerance, patience, epochs or divergence"),
        Column("epoch_loss", "float64", "", "mean loss over the batches of the last epoch"),
        Column("largest_delta", "float64", "", "max_k |delta_k|"),
        Column("train_loss", "float64", "", "loss of the trained network over the training set"),
        Column("test_loss", "float64", "", "loss of the trained network over the test set"),
        Column("trend_loss", "float64", "", "loss over the training set with the bin means for weights"),
        Column("pair_loss", "float64", "", "loss over the training set with the mean of each two layers for weights"),
    ),
    "entries": (
        *_SHARED,
        Column("layer", "int64", "", "layer k, from 0"),
        Column("matrix_entry", "float64", "", "an entry of A_k, or of |delta_k| A_k where each layer has its delta"),
        Column("bias_entry", "float64", "", "an entry of b_k, or of |delta_k| b_k"),
        Column("trace", "float64", "", "trace of A_k, or of |delta_k| A_k"),
        Column("step", "float64", "", "delta_k"),
    ),
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell for each task, network and depth."""
    return [
        point(Point, params, task=task, data=None if task == "ode" else task, depth=depth, **dict(network))
        for task in params.tasks
        for network in params.networks
        for depth in params.depths
    ]
