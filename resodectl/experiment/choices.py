"""Choices with more than one user: the same word means the same thing in every recipe.

A choice of one experiment alone stands in its spec. `Literal[Algorithm, "gradient"]` adds a value to a choice.
"""

from typing import Annotated, Any, Literal, TypeVar

from annotated_types import MinLen
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from resodectl.experiment.outside import DataSet, InputFile


class _Once:
    """Refuses a list in which a value stands twice, and says so in the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("give each value once")
        return values


T = TypeVar("T")

# A list of at least one value, whose values are told apart in the log by themselves alone, so that none may stand in
# it twice.
Distinct = Annotated[tuple[T, ...], MinLen(1), _Once()]

# The floating-point type of a simulation's tensors.
Dtype = Literal["float32", "float64"]

_Images = Literal["digits", "cifar10"]

# A data set of images: scikit-learn's digits, built in, or CIFAR-10.
DataName = Annotated[_Images, DataSet()]

# The same, or MNIST, or its first 10,000 training images, which are built in.
MnistDataName = Annotated[Literal[_Images, "mnist", "mnist-10k"], DataSet()]

# The name of a file beside the recipe or in --data-root; what it holds counts.
FileName = Annotated[str, Field(min_length=1), InputFile()]

# The number of residual layers of a network whose neighbouring layers are compared.
Depth = Annotated[int, Field(ge=2)]

# The number of units of a layer.
Width = Annotated[int, Field(ge=1)]

# A learning rate.
Rate = Annotated[float, Field(gt=0.0)]

# A coordinate of the first iterate of a descent.
Coordinate = Annotated[float, Field(ge=-100.0, le=100.0)]

# How residual layers are integrated: x + f(x) / N (residual network), or Heun's method (Heun network).
SchemeName = Literal["euler", "heun"]

# How a network is differentiated: by backpropagation, or by the adjoint that rebuilds activations from the output.
GradientName = Literal["backprop", "adjoint"]

# What is wrong on purpose with the adjoint: it rebuilds no activation, and takes the output for each.
AdjointAblation = Literal["none", "no-reconstruction"]

# How untrained weights vary with depth: smoothly, not at all, independently, or with alternating signs.
Smoothness = Literal["smooth", "tied", "iid", "alternating"]

# How an entry of the weights varies along the layers: independent draws of two laws, or a smooth Gaussian process.
WeightLaw = Literal["uniform", "gaussian", "rbf"]

# Descent by lr grad L / |grad L|, or by lr grad sqrt(L) (arXiv 2205.09745).
Algorithm = Literal["normalised", "square-root"]

# A loss whose minimisers form a curve.
ToyName = Literal["surface", "ellipse", "two-normals"]

# What is wrong on purpose with a limiting flow: its speed is doubled, it is tangent to the manifold of minimisers but
# never brought back to it, or it is neither.
FlowAblation = Literal["none", "double-time", "no-retraction", "ambient-flow"]

# What is wrong on purpose with a descent: no weight decay, or |w| for |w|^2 in the effective step.
DecayAblation = Literal["none", "no-decay", "linear-norm"]

# The same, or what is wrong with the sharpness-reduction flow: -G / 2, no tangent projection, or time 2 h l t.
ReductionAblation = Literal[DecayAblation, "no-denominator", "no-projection", "double-time"]
