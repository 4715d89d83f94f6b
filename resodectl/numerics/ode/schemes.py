"""One-step schemes for residual networks, as data: a Butcher tableau and the layer that each stage reads.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612): a residual network is the Euler scheme of a neural ODE, a Heun network
evaluates the second stage with the *next* layer. Both are undone, up to the local error, by the same tableau with the
step negated and the layers reversed; that inverse is what the memory-free adjoint walks back with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

Layer = tuple[torch.Tensor, ...]
Residual = Callable[[torch.Tensor, Layer], torch.Tensor]


@dataclass(frozen=True)
class Scheme:
    """An explicit scheme of which stage i reads layer n + `offsets[i]`.

    `stages[i]` are the coefficients of the earlier slopes in the argument of slope i, `weights` those of all slopes in
    the update. N layers make N - `span` steps, for each step touches `span` + 1 consecutive layers.
    """

    name: str
    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    offsets: tuple[int, ...]

    @property
    def span(self) -> int:
        """How many layers beyond the first a step touches."""
        return max(self.offsets)


EULER = Scheme("euler", stages=((),), weights=(1.0,), offsets=(0,))
HEUN = Scheme("heun", stages=((), (1.0,)), weights=(0.5, 0.5), offsets=(0, 1))  # not Heun's third-order method

SCHEMES = {scheme.name: scheme for scheme in (EULER, HEUN)}


def advance(scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float) -> torch.Tensor:
    """x_{n+1} from x_n; `layers` are the `span` + 1 layers from layer n on, `step` is 1/N in the paper.

    Euler: x + step f(x, theta_n). Heun: x + step/2 [f(x, theta_n) + f(x + step f(x, theta_n), theta_{n+1})].
    """
    slopes: list[torch.Tensor] = []
    for coefficients, offset in zip(scheme.stages, scheme.offsets, strict=True):
        argument = x
        for coefficient, slope in zip(coefficients, slopes, strict=True):
            argument = torch.add(argument, slope, alpha=step * coefficient)
        slopes.append(residual(argument, layers[offset]))
    for weight, slope in zip(scheme.weights, slopes, strict=True):
        x = torch.add(x, slope, alpha=step * weight)
    return x


def retreat(scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float) -> torch.Tensor:
    """The approximate inverse of `advance` with the same `layers`: x_n, up to the local error, from x_{n+1}."""
    return advance(scheme, residual, x, layers[::-1], -step)
