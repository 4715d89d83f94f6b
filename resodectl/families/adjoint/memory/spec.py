"""What may be asked about memory: methods and depths of one tied network.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612): a perceptron 500 -> 8 -> tanh -> 500, the same in every layer.
"""

from typing import Literal

from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Dtype, Settings, setting

SEED_BLOCK = 1

Method = Literal["backprop", "adjoint"]


class Params(Settings):
    methods: tuple[Method, ...] = setting("how gradients are computed", min_length=1)
    depths: tuple[int, ...] = setting("depths", unit="layers", min_length=1)
    seeds: int = setting("independent networks; memory is the same for all", ge=1)
    dim: int = setting("dimension of the state", ge=1)
    hidden: int = setting("width of the residual function", ge=1)
    batch: int = setting("inputs of the network", ge=1)
    dtype: Dtype = setting("floating-point type", default="float32")


class Point(Settings):
    method: Method
    depth: int
    dim: int
    hidden: int
    batch: int
    dtype: Dtype


LOG = {
    "memory": (
        Column("method", "string", "", "how gradients are computed"),
        Column("depth", "int64", "layers", "depth"),
        Column("seed", "int64", "", "seed of the weights and inputs"),
        Column("saved_bytes", "int64", "B", "kept for the backward pass, without weights and inputs"),
        Column(
            "peak_bytes", "int64", "B", "most alive at once in forward and backward pass, without weights and inputs"
        ),
        Column("layer_bytes", "int64", "B", "the activations of a layer, batch (dim + hidden) numbers"),
    ),
}


def cells(params: Params) -> list[Point]:
    rest = params.model_dump(exclude={"methods", "depths", "seeds"})
    return [Point(method=method, depth=depth, **rest) for method in params.methods for depth in params.depths]
