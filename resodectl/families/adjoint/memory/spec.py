"""Memory of a gradient by method and depth: Sander, Ablin & Peyre 2022 (arXiv 2205.14612).

The network is a perceptron 500 -> 8 -> tanh -> 500, the same in every layer.
"""

from typing import Annotated

from pydantic import Field

from resodectl.experiment.choices import Distinct, Dtype, GradientName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting

LayerCount = Annotated[int, Field(ge=1)]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    dim: int = setting("dimension of the state", ge=1)
    hidden: int = setting("width of the residual function", ge=1)
    batch: int = setting("inputs of the network", ge=1)
    dtype: Dtype = setting("floating-point type", default="float32")


class Params(Shared):
    """What a recipe sets."""

    methods: Distinct[GradientName] = setting("how the network is differentiated")
    depths: Distinct[LayerCount] = setting("depths", unit="layers")
    seeds: int = setting("independent networks; all take the same memory", ge=1)


class Point(Shared):
    """What determines a cell."""

    method: GradientName
    depth: LayerCount


LOG = {
    "memory": (
        Column("method", "string", "", "backprop or the memory-free adjoint"),
        Column("depth", "int64", "layers", "depth"),
        Column("seed", "int64", "", "seed of the weights and inputs"),
        Column("saved_bytes", "int64", "B", "bytes kept for the backward pass, without weights and inputs"),
        Column("peak_bytes", "int64", "B", "most bytes alive at once in both passes, without weights and inputs"),
        Column("layer_bytes", "int64", "B", "bytes of the activations of one layer: batch (dim + hidden) numbers"),
    ),
}
SEED_BLOCK = 1


def cells(params: Params) -> list[Point]:
    """One cell for each method and depth."""
    return [point(Point, params, method=method, depth=depth) for method in params.methods for depth in params.depths]
