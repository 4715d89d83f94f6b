"""Activations with their derivatives and Lipschitz constants, entry by entry on tensors of any shape.

Each has one entry in `ACTIVATIONS`. Those whose slope is a function of their value also have one in `IN_PLACE`.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch.nn import functional

Map = Callable[[torch.Tensor], torch.Tensor]

LEAK = 0.01  # the slope of leaky_relu below zero


class Derivatives(NamedTuple):
    """act(z) and act'(z), and act''(z) on demand, which only products with a Hessian need; each of the shape of z.

    The slope of relu is a boolean mask, which takes an eighth of the memory and multiplies like 0 and 1.
    """

    value: torch.Tensor
    slope: torch.Tensor
    second: Callable[[], torch.Tensor]


class Activation(NamedTuple):
    """A scalar function.

    Attributes:
        value: z -> act(z).
        derivatives: z -> `Derivatives`, which share their common terms; their value equals `value` up to rounding.
        lipschitz: the largest |act'|, rounded up.
    """

    value: Map
    derivatives: Callable[[torch.Tensor], Derivatives]
    lipschitz: float


class InPlace(NamedTuple):
    """An activation for passes that keep its values alone.

    Attributes:
        value: z -> act(z), written into z.
        slope: (act(z), out) -> act'(z), written into `out`, of the same shape and dtype.
    """

    value: Map
    slope: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _tanh_slope(value: torch.Tensor) -> torch.Tensor:
    return 1 - value * value


def _tanh(z: torch.Tensor) -> Derivatives:
    value = torch.tanh(z)
    slope = _tanh_slope(value)
    return Derivatives(value, slope, lambda: -2 * value * slope)


def _gelu(z: torch.Tensor) -> Derivatives:
    """Of z Phi(z), Phi being the normal distribution function."""
    below, density = torch.special.ndtr(z), torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return Derivatives(z * below, below + z * density, lambda: (2 - z * z) * density)


def _relu(z: torch.Tensor) -> Derivatives:
    return Derivatives(torch.relu(z), z > 0, lambda: torch.zeros_like(z))


def _leaky_relu(z: torch.Tensor) -> Derivatives:
    slope = torch.ones_like(z).masked_fill_(z <= 0, LEAK)
    return Derivatives(functional.leaky_relu(z, LEAK), slope, lambda: torch.zeros_like(z))


def _exp(z: torch.Tensor) -> Derivatives:
    slope = torch.exp(z)
    return Derivatives(torch.expm1(z), slope, lambda: slope)


def _softplus(z: torch.Tensor) -> Derivatives:
    rise = torch.sigmoid(z)
    return Derivatives(_shifted_softplus(z), 2 * rise, lambda: 2 * rise * (1 - rise))


def _shifted_softplus(z: torch.Tensor) -> torch.Tensor:
    return 2 * (functional.softplus(z, threshold=50.0) - math.log(2))


def _linear(z: torch.Tensor) -> Derivatives:
    return Derivatives(z, torch.ones_like(z), lambda: torch.zeros_like(z))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, _tanh, 1.0),
    "gelu": Activation(functional.gelu, _gelu, 1.1290),  # at sqrt(2)
    "relu": Activation(torch.relu, _relu, 1.0),
    "leaky_relu": Activation(lambda z: functional.leaky_relu(z, LEAK), _leaky_relu, 1.0),
    "exp": Activation(torch.expm1, _exp, math.inf),  # exp(z) - 1, so that 0 stays 0
    "softplus": Activation(_shifted_softplus, _softplus, 2.0),  # 2 log((1 + exp(z)) / 2): slope 1 and value 0 at 0
    "linear": Activation(lambda z: z, _linear, 1.0),
}

InPlaceName = Literal["tanh", "relu"]


def in_place(name: InPlaceName, leak: float = 0.0) -> InPlace:
    """tanh, or relu with the slope `leak` (in [0, 1)) below zero.

    >>> relu = in_place("relu", leak=0.5)
    >>> value = relu.value(torch.tensor([-2.0, 2.0]))
    >>> value, relu.slope(value, torch.empty(2))
    (tensor([-1.,  2.]), tensor([0.5000, 1.0000]))
    """
    if name == "tanh":
        return InPlace(torch.Tensor.tanh_, lambda value, out: torch.mul(value, value, out=out).neg_().add_(1))
    if leak == 0:
        return InPlace(torch.Tensor.relu_, lambda value, out: torch.sign(value, out=out))
    return InPlace(
        lambda z: functional.leaky_relu_(z, leak),
        lambda value, out: torch.sign(value, out=out).clamp_(min=0).mul_(1 - leak).add_(leak),
    )
