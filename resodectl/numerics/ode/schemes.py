"""One-step schemes for residual networks: a Butcher tableau, and the layer that each of its stages reads.

Sander, Ablin & Peyre 2022 (arXiv 2205.14612): a residual network is the Euler scheme of a neural ODE, a Heun network
evaluates the second stage with the *next* layer. Both are undone, up to the local error, by the same tableau with the
step negated and the layers reversed; that inverse is what the memory-free adjoint walks back with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from resodectl.numerics.ode import tableaux
from resodectl.numerics.ode.tableaux import Tableau

Layer = tuple[torch.Tensor, ...]
Residual = Callable[[torch.Tensor, Layer], torch.Tensor]
"""(x, theta) -> f(x, theta), of the shape of x."""


@dataclass(frozen=True)
class Scheme:
    """A tableau of which stage i of step n reads layer n + `offsets[i]`.

    N layers make N - `span` steps, because each step touches `span` + 1 consecutive layers.
    """

    tableau: Tableau
    offsets: tuple[int, ...]

    @property
    def name(self) -> str:
        """That of the tableau."""
        return self.tableau.name

    @property
    def span(self) -> int:
        """How many layers beyond the first a step touches."""
        return max(self.offsets)


EULER = Scheme(tableaux.EULER, offsets=(0,))
HEUN = Scheme(tableaux.HEUN, offsets=(0, 1))

SCHEMES = {scheme.name: scheme for scheme in (EULER, HEUN)}


def advance(scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float) -> torch.Tensor:
    """x_{n+1} from x_n; `layers` are the `span` + 1 layers from layer n on, `step` is 1/N in the paper.

    Euler: x + step f(x, theta_n). Heun: x + step/2 [f(x, theta_n) + f(x + step f(x, theta_n), theta_{n+1})]. Slopes
    are added one at a time, which takes one pass over memory each.

    >>> layers = [(torch.tensor(2.0),), (torch.tensor(4.0),)]
    >>> advance(HEUN, lambda x, theta: theta[0] * x, torch.tensor(1.0), layers, 0.5)
    tensor(3.5000)
    """
    slopes: list[torch.Tensor] = []
    for coefficients, offset in zip(scheme.tableau.stages, scheme.offsets, strict=True):
        argument = x
        for coefficient, slope in zip(coefficients, slopes, strict=True):
            argument = torch.add(argument, slope, alpha=step * coefficient)
        slopes.append(residual(argument, layers[offset]))
    for weight, slope in zip(scheme.tableau.weights, slopes, strict=True):
        x = torch.add(x, slope, alpha=step * weight)
    return x


def retreat(scheme: Scheme, residual: Residual, x: torch.Tensor, layers: Sequence[Layer], step: float) -> torch.Tensor:
    """The approximate inverse of `advance` with the same `layers`: x_n, up to the local error, from x_{n+1}."""
    return advance(scheme, residual, x, layers[::-1], -step)
