"""Choices with more than one user: the same word means the same thing in every recipe.

A choice of one experiment alone stands in its spec. `Literal[Algorithm, "gradient"]` adds a value to a choice.
"""

from typing import Annotated, Literal

from pydantic import Field

Dtype = Literal["float32", "float64"]
"""The floating-point type of a simulation's tensors."""

DataName = Literal["digits", "cifar10"]
"""A data set of images: scikit-learn's digits, built in, or CIFAR-10."""

Depth = Annotated[int, Field(ge=2)]
"""The number of residual layers of a network whose neighbouring layers are compared."""

Width = Annotated[int, Field(ge=1)]
"""The number of units of a layer."""

Rate = Annotated[float, Field(gt=0.0)]
"""A learning rate."""

Coordinate = Annotated[float, Field(ge=-100.0, le=100.0)]
"""A coordinate of the first iterate of a descent."""

SchemeName = Literal["euler", "heun"]
"""How residual layers are integrated: x + f(x) / N (residual network), or Heun's method (Heun network)."""

GradientName = Literal["backprop", "adjoint"]
"""How a network is differentiated: by backpropagation, or by the adjoint that rebuilds activations from the output."""

Smoothness = Literal["smooth", "tied", "iid", "alternating"]
"""How untrained weights vary with depth: smoothly, not at all, independently, or with alternating signs."""

WeightLaw = Literal["uniform", "gaussian", "rbf"]
"""How an entry of the weights varies along the layers: independent draws of two laws, or a smooth Gaussian process."""

Algorithm = Literal["normalised", "square-root"]
"""Descent by lr grad L / |grad L|, or by lr grad sqrt(L) (arXiv 2205.09745)."""

ToyName = Literal["surface", "ellipse", "two-normals"]
"""A loss whose minimisers form a curve."""

FlowAblation = Literal["none", "double-time", "ambient-flow"]
"""What is wrong on purpose with a limiting flow: its speed is doubled, or it leaves the manifold."""

DecayAblation = Literal["none", "no-decay", "linear-norm"]
"""What is wrong on purpose with a descent: no weight decay, or |w| for |w|^2 in the effective step."""

ReductionAblation = Literal[DecayAblation, "no-denominator", "no-projection", "double-time"]
"""The same, or what is wrong with the sharpness-reduction flow: -G / 2, no tangent projection, or time 2 h l t."""
