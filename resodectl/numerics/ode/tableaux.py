"""Explicit one-step schemes for x' = f(x, s) as data: Butcher tableaux (Butcher 2016, Numerical Methods for Ordinary
Differential Equations, section 23).

k_i = f(x + step sum_j a_ij k_j, s + c_i step), and x + step sum_i b_i k_i is the next state. Networks apply them to
layers (`schemes`), flows and reference solutions to time (`runge_kutta`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch


@dataclass(frozen=True)
class Tableau:
    """The coefficients of an explicit scheme, the a_ij and b_i.

    Attributes:
        stages: row i holds the a_ij, one for each earlier slope.
        numerators, denominator: b_i = numerators[i] / denominator.
        order: the largest p such that a smooth solution has a global error of O(step^p).
    """

    name: str
    order: int
    stages: tuple[tuple[float, ...], ...]
    numerators: tuple[int, ...]
    denominator: int = 1

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """The b_i."""
        return tuple(numerator / self.denominator for numerator in self.numerators)

    @cached_property
    def times(self) -> tuple[float, ...]:
        """The c_i: where in a step each slope is taken.

        >>> RK4.times
        (0.0, 0.5, 0.5, 1.0)
        """
        return tuple(float(sum(row)) for row in self.stages)

    def argument(self, x: torch.Tensor, slopes: Sequence[torch.Tensor], step: float | torch.Tensor) -> torch.Tensor:
        """Where the next slope is taken, of the slopes so far: all of the shape of x."""
        for coefficient, slope in zip(self.stages[len(slopes)], slopes, strict=True):
            if coefficient:
                x = x + step * coefficient * slope
        return x

    def advance(self, x: torch.Tensor, slopes: Sequence[torch.Tensor], step: float | torch.Tensor) -> torch.Tensor:
        """The state after the step, of all its slopes: all of the shape of x."""
        terms = [
            slope if numerator == 1 else numerator * slope
            for numerator, slope in zip(self.numerators, slopes, strict=True)
            if numerator
        ]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return x + step / self.denominator * total


EULER = Tableau("euler", 1, stages=((),), numerators=(1,))
"""Euler's explicit (forward) scheme; not the implicit one, which solves for its slope at the end of the step."""

HEUN = Tableau("heun", 2, stages=((), (1.0,)), numerators=(1, 1), denominator=2)
"""Heun's second-order scheme, also called the explicit trapezoidal rule, improved Euler and RK2; not Heun's third-order
scheme, nor Ralston's, whose second slope lies at 2/3 and which is called Heun's as well."""

MIDPOINT = Tableau("midpoint", 2, stages=((), (0.5,)), numerators=(0, 1))
"""The explicit midpoint scheme, also called modified Euler; not the implicit midpoint rule, which is symplectic, nor
the two-step leapfrog scheme x_{n+1} = x_{n-1} + 2 step f(x_n)."""

RK4 = Tableau("rk4", 4, stages=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), numerators=(1, 2, 2, 1), denominator=6)
"""The classical Runge-Kutta scheme (Kutta 1901); not the 3/8 rule of the same paper and order."""

TABLEAUX = {tableau.name: tableau for tableau in (EULER, HEUN, MIDPOINT, RK4)}
