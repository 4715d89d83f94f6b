"""Targets of importance sampling: densities e^{-U1} known up to their integral Z1, in the dimension of a normal base.

The base is e^{-U0} with U0 = |x|^2 / 2, so Z0 = (2 pi)^{d/2}; what is estimated is R = Z1 / Z0. Both densities are
taken without their normalising constants. Examples 1 to 3 of Cao & Vanden-Eijnden 2022 (arXiv 2206.09908).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from scipy import integrate, stats

Tensor = torch.Tensor
DEEPEST = 200.0  # of a coordinate of the funnel whose exponential is taken, as in the authors' programme
NECK_VARIANCE = 9.0  # of the first coordinate of the funnel


class Target(Protocol):
    """What every target has: places are `(..., dim)`, values `(...)`."""

    @property
    def dim(self) -> int:
        """The dimension d of the space."""

    @property
    def ratio(self) -> float | None:
        """R = Z1 / Z0, or None where nobody knows it."""

    @property
    def vanilla_variance(self) -> float | None:
        """Var(e^{U0 - U1}) / R^2 under the base, or None where there is no closed form."""

    def log_density(self, x: Tensor) -> Tensor:
        """-U1; -inf where the density vanishes. Autograd goes through it."""

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-U1 and its gradient, at the cost of one query of each."""


def log_base(x: Tensor) -> Tensor:
    """-U0 = -|x|^2 / 2 of places `(..., d)`."""
    return -0.5 * x.square().sum(-1)


@dataclass(frozen=True)
class Mixture:
    """e^{-U1} = sum_j w_j exp(-sum_i (x_i - mu_ji)^2 / (2 v_ji)): normal densities without their constants.

    Args:
        weights: w `(modes,)`, positive; they need not add up to 1.
        centres: mu `(modes, dim)`.
        variances: v `(modes, dim)`, positive.

    Raises:
        ValueError: shapes that do not fit together, weights or variances that are not positive.

    >>> mixture = Mixture(*(torch.tensor(values) for values in ([0.2, 0.8], [[5.0], [0.0]], [[0.25], [1.0]])))
    >>> round(mixture.ratio, 6), mixture.log_density(torch.zeros(3, 1)).shape
    (0.9, torch.Size([3]))
    """

    weights: Tensor
    centres: Tensor
    variances: Tensor

    def __post_init__(self) -> None:
        if self.centres.ndim != 2 or self.variances.shape != self.centres.shape:
            raise ValueError("centres and variances of a mixture must both be (modes, dim)")
        if self.weights.shape != self.centres.shape[:1]:
            raise ValueError("a mixture needs one weight for each of its modes")
        if not bool((self.weights > 0).all() and (self.variances > 0).all()):
            raise ValueError("the weights and variances of a mixture must be positive")

    @property
    def dim(self) -> int:
        return self.centres.shape[1]

    @cached_property
    def ratio(self) -> float:
        """R = sum_j w_j sqrt(prod_i v_ji)."""
        logs = self.weights.double().log() + 0.5 * self.variances.double().log().sum(1)
        return logs.logsumexp(0).exp().item()

    @cached_property
    def second_moment(self) -> float:
        """The base's mean of e^{2 (U0 - U1)}; inf where 1 / v_i + 1 / v_j <= 1 in a coordinate of two modes.

        sum_ij w_i w_j e^{B} / sqrt(det C), with S = diag(1 / v), C = S_i + S_j - I,
        theta = C^{-1} (S_i mu_i + S_j mu_j) and B = (theta^T C theta - mu_i^T S_i mu_i - mu_j^T S_j mu_j) / 2.
        """
        weights, centres, precisions = self.weights.double(), self.centres.double(), 1 / self.variances.double()
        joint = precisions[:, None] + precisions - 1  # (modes, modes, dim)
        if not bool((joint > 0).all()):
            return math.inf
        pull = precisions * centres
        depth = (pull * centres).sum(1)
        exponent = 0.5 * (((pull[:, None] + pull).square() / joint).sum(2) - depth[:, None] - depth)
        logs = weights.log()[:, None] + weights.log() + exponent - 0.5 * joint.log().sum(2)
        return logs.flatten().logsumexp(0).exp().item()

    @property
    def vanilla_variance(self) -> float:
        return self.second_moment / self.ratio**2 - 1

    @cached_property
    def _powers(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the logarithm of each mode is, as a polynomial: `(dim, modes)` for x^2 and x, and `(modes,)`."""
        pull = self.centres / self.variances
        constant = self.weights.log() - 0.5 * (pull * self.centres).sum(1)
        return -0.5 / self.variances.mT, pull.mT, constant

    def log_density(self, x: Tensor) -> Tensor:
        return self._log_modes(x).logsumexp(-1)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        modes = self._log_modes(x)
        density = modes.logsumexp(-1)
        shares = (modes - density.unsqueeze(-1)).exp()
        square, linear, _ = self._powers
        return density, shares @ linear.mT + 2 * x * (shares @ square.mT)

    def _log_modes(self, x: Tensor) -> Tensor:
        square, linear, constant = self._powers
        return x.square() @ square + x @ linear + constant


def mixture(
    weights: Sequence[float],
    centres: Sequence[Sequence[float]],
    variances: Sequence[Sequence[float]],
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Mixture:
    """A mixture from plain numbers; see `Mixture`."""
    return Mixture(*(torch.tensor(values, dtype=dtype, device=device) for values in (weights, centres, variances)))


def two_modes(dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Mixture:
    """Example 1, in the plane: weights 0.2 and 0.8 at (5, 0) and (0, -5), variance 0.1; R = 0.1.

    >>> two_modes().dim, round(two_modes().ratio, 12), round(two_modes().vanilla_variance, 1)
    (2, 0.1, 1854198.2)
    """
    return mixture([0.2, 0.8], [[5.0, 0.0], [0.0, -5.0]], [[0.1] * 2] * 2, dtype, device)


def four_modes(dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Mixture:
    """Example 2, in 10 dimensions: four equal modes at distance 5 on the first two axes; R = 1.

    The variances are 0.1 in the first two coordinates and 0.5 in the others.

    >>> four_modes().dim, round(four_modes().ratio, 12), round(four_modes().vanilla_variance, 1)
    (10, 1.0, 2154478.8)
    """
    rest = [0.0] * 8
    centres = [[5.0, 0.0, *rest], [0.0, 5.0, *rest], [-5.0, 0.0, *rest], [0.0, -5.0, *rest]]
    return mixture([40.0] * 4, centres, [[0.1] * 2 + [0.5] * 8] * 4, dtype, device)


@dataclass(frozen=True)
class Funnel:
    """Neal's funnel in a ball: x_1 is normal of variance 9, the others of variance e^{x_1}; nothing is outside.

    U1 = x_1^2 / 18 + (d - 1) x_1 / 2 + e^{-x_1} |x_{2:}|^2 / 2 for |x| < radius, else +inf. R = 3 P, where P is the
    mass of the funnel in the ball. In 10 dimensions with radius 25 this is example 3.

    >>> round(Funnel(10, 25.0).ratio, 6), Funnel(10, math.inf).ratio
    (2.767915, 3.0)
    """

    dim: int = 10
    radius: float = 25.0

    @property
    def ratio(self) -> float:
        return NECK_VARIANCE**0.5 * ball_probability(self.dim, self.radius)

    @property
    def vanilla_variance(self) -> None:
        return None

    def log_density(self, x: Tensor) -> Tensor:
        inside, x = self._inside(x)
        neck = x[..., 0]
        spread = 0.5 * self._narrowness(neck) * x[..., 1:].square().sum(-1)
        value = -neck.square() / (2 * NECK_VARIANCE) - 0.5 * (self.dim - 1) * neck - spread
        return torch.where(inside, value, -math.inf)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-U1 and its gradient, which is 0 outside the ball."""
        density = self.log_density(x)
        inside, x = self._inside(x)
        neck, others = x[..., :1], x[..., 1:]
        narrow = self._narrowness(neck)
        widening = torch.where(neck > -self._deepest, 0.5 * narrow * others.square().sum(-1, keepdim=True), 0.0)
        along = -neck / NECK_VARIANCE - 0.5 * (self.dim - 1) + widening
        return density, torch.where(inside.unsqueeze(-1), torch.cat([along, -narrow * others], -1), 0.0)

    @property
    def _deepest(self) -> float:
        return min(self.radius, DEEPEST)

    def _inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Which places are in the ball, and the places, 0 for those that are not: autograd would make NaN of them."""
        inside = x.square().sum(-1) < self.radius**2
        return inside, torch.where(inside.unsqueeze(-1), x, 0.0)

    def _narrowness(self, neck: Tensor) -> Tensor:
        return (-neck.clamp_min(-self._deepest)).exp()


def ball_probability(dim: int, radius: float) -> float:
    """The mass of the funnel of `dim` dimensions in the ball of a radius, by quadrature over the first coordinate.

    P(r) = int N(x; 0, 9) F((r^2 - x^2) e^{-x}) dx over [-r, r], with F the distribution function of chi^2 with dim - 1
    degrees of freedom.

    >>> [round(ball_probability(10, radius), 6) for radius in (5.0, 10.0, 25.0)]
    [0.590935, 0.790402, 0.922638]
    """
    if math.isinf(radius):
        return 1.0
    neck, others = stats.norm(scale=NECK_VARIANCE**0.5), stats.chi2(dim - 1)

    def slice_at(x: float) -> float:
        return float(neck.pdf(x) * others.cdf((radius**2 - x**2) * math.exp(-x)))

    reach = min(radius, 40.0)  # beyond it, the first coordinate has no mass
    return float(integrate.quad(slice_at, -reach, reach, limit=400, epsabs=1e-12, epsrel=1e-12)[0])


@dataclass(frozen=True)
class Differentiated:
    """A target of which only -U1 is written down: autograd gives its gradient.

    Args:
        dim: the dimension.
        function: -U1 of places `(..., dim)`, in torch; each value must depend on its own place alone.
        ratio: R, if it is known.
    """

    dim: int
    function: Callable[[Tensor], Tensor]
    ratio: float | None = None
    vanilla_variance: float | None = None

    def log_density(self, x: Tensor) -> Tensor:
        return self.function(x)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-U1 and its gradient, both cut off from autograd."""
        with torch.enable_grad():
            place = x.detach().requires_grad_(True)
            density = self.function(place)
            (gradient,) = torch.autograd.grad(density.sum(), place)
        return density.detach(), gradient
