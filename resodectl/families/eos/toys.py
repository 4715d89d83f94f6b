"""Three losses whose minimisers form a curve, and the exact limiting flows along it.

Arora, Li & Panigrahi 2022 (arXiv 2205.09745). With time tau = lr^2 t, normalised descent follows
dX/dtau = -(1/4) P_T grad log lambda_1, and descent on sqrt(L) follows dX/dtau = -(1/8) P_T grad lambda_1. Along a curve
with one coordinate q both separate: a clock T(q), increasing in q, runs backwards at a constant rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from resodectl.experiment.choices import Algorithm, ToyName

Points = torch.Tensor  # (..., size)
BISECTIONS = 80


@dataclass(frozen=True)
class Clock:
    """The limiting flow of a coordinate q: d/dtau of `reading(q)` is -`rate`."""

    reading: Callable[[torch.Tensor], torch.Tensor]
    rate: float

    def flow(self, start: torch.Tensor, time: torch.Tensor, speed: float = 1.0) -> torch.Tensor:
        """The coordinate at `time`, which broadcasts with `start`: by bisection between 0 and the start.

        Flows on either side of 0 mirror each other, and 0 rests.

        Args:
            speed: 1, or what a wrong time scale multiplies tau by.
        """
        distance = start.abs()
        wanted = self.reading(distance) - speed * self.rate * time
        low, high = torch.zeros_like(wanted), distance.expand_as(wanted)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self.reading(middle) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return start.sign() * (low + high) / 2


@dataclass(frozen=True)
class Toy:
    """A loss L = |r|^2 of one, two or three variables; all functions take points `(..., size)`."""

    residuals: Callable[[Points], torch.Tensor]
    loss_and_gradient: Callable[[Points], tuple[torch.Tensor, torch.Tensor]]
    start: Callable[[torch.Tensor], Points]  # of learning rates (runs,): (runs, size)
    coordinate: Callable[[Points], torch.Tensor]  # along the curve of minimisers
    distance: Callable[[Points], torch.Tensor]  # from it, to first order
    sharpness: Callable[[torch.Tensor], torch.Tensor]  # lambda_1 on it, of the coordinate
    clocks: Mapping[Algorithm, Clock]

    def loss(self, points: Points) -> torch.Tensor:
        """L = |r|^2, `(...)`."""
        return self.residuals(points).square().sum(-1)


def _surface_slope(points: Points) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = points.unbind(-1)
    steep, square = 1 + x * x, y * y
    return steep * square, 2 * torch.stack((x * square, steep * y), -1)


def _two_normals_slope(points: Points) -> tuple[torch.Tensor, torch.Tensor]:
    a, b, z = points.unbind(-1)
    first, second = 2 * (1 + z * z), 1 + 0.2 * torch.sin(z)
    along = 2 * z * a * a + 0.1 * torch.cos(z) * b * b
    return (first * a * a + second * b * b) / 2, torch.stack((first * a, second * b, along), -1)


def _two_normals_residuals(points: Points) -> torch.Tensor:
    a, b, z = points.unbind(-1)
    return torch.stack((a * (1 + z * z).sqrt(), b * ((1 + 0.2 * torch.sin(z)) / 2).sqrt()), -1)


def _fixed(*values: float) -> Callable[[torch.Tensor], Points]:
    return lambda lr: lr.new_tensor(values).repeat(len(lr), 1)


_LOGARITHM: dict[Algorithm, Clock] = {  # lambda_1 = 2 (1 + q^2) on a straight line
    "normalised": Clock(lambda q: torch.log(q) + q * q / 2, 1 / 2),
    "square-root": Clock(torch.log, 1 / 2),
}


def ellipse(axes: tuple[float, float]) -> Toy:
    """F^2 / 2 with F = x^2/a^2 + y^2/b^2 - 1, a > b: a curved valley, which a flow leaves without its projection.

    At (a cos q, b sin q), with u = sin^2 q and c = a^2/b^2 - 1, lambda_1 = 4 (1 + c u) / a^2, and b^2 (1 + c u) is the
    square of the speed of the parametrisation. Both flows change u at a rate of -u (1 - u) / (1 + c u)^p, p = 2 or 1,
    times a constant; the clocks are the primitives of its inverse.
    """
    wide, high = axes
    excess = (wide / high) ** 2 - 1
    doubled = torch.tensor((2 / wide**2, 2 / high**2), dtype=torch.float64)

    def off(points: Points) -> torch.Tensor:
        x, y = points.unbind(-1)
        return x * x / wide**2 + y * y / high**2 - 1

    def slope(points: Points) -> torch.Tensor:
        return points * doubled.to(points.dtype)

    def loss_and_gradient(points: Points) -> tuple[torch.Tensor, torch.Tensor]:
        value = off(points)
        return value * value / 2, value.unsqueeze(-1) * slope(points)

    def on_ray(lr: torch.Tensor) -> Points:
        """0.3 lr of the ellipse's own size outside its point at the angle 1.2."""
        angle = torch.tensor(1.2, dtype=lr.dtype)
        return (1 + 0.3 * lr).unsqueeze(-1) * torch.stack((wide * torch.cos(angle), high * torch.sin(angle)))

    def reading(q: torch.Tensor, power: int) -> torch.Tensor:
        u, rest = torch.sin(q).square(), torch.cos(q).square()
        found = torch.log(u) - (1 + excess) ** power * torch.log(rest)
        return found - excess**2 * u if power == 2 else found

    return Toy(
        residuals=lambda p: off(p).unsqueeze(-1) / 2**0.5,
        loss_and_gradient=loss_and_gradient,
        start=on_ray,
        coordinate=lambda p: torch.atan2(p[..., 1] / high, p[..., 0] / wide),
        distance=lambda p: off(p).abs() / slope(p).norm(dim=-1),
        sharpness=lambda q: 4 * (1 + excess * torch.sin(q) ** 2) / wide**2,
        clocks={
            "normalised": Clock(lambda q: reading(q, 2), excess / high**2),
            "square-root": Clock(lambda q: reading(q, 1), 2 * excess / (wide * high) ** 2),
        },
    )


TOYS: dict[ToyName, Toy] = {
    # (1 + x^2) y^2, flat valley y = 0, of Figure 1
    "surface": Toy(
        residuals=lambda p: (1 + p[..., :1] ** 2).sqrt() * p[..., 1:],
        loss_and_gradient=_surface_slope,
        start=lambda lr: torch.stack((torch.full_like(lr, 2.0), 0.3 * lr), -1),
        coordinate=lambda p: p[..., 0],
        distance=lambda p: p[..., 1].abs(),
        sharpness=lambda q: 2 * (1 + q * q),
        clocks=_LOGARITHM,
    ),
    "ellipse": ellipse((2.0, 1.0)),
    # lambda_1(z) a^2 / 2 + lambda_2(z) b^2 / 2, started far away from the valley a = b = 0
    "two-normals": Toy(
        residuals=_two_normals_residuals,
        loss_and_gradient=_two_normals_slope,
        start=_fixed(0.8, 1.0, 2.0),
        coordinate=lambda p: p[..., 2],
        distance=lambda p: p[..., :2].norm(dim=-1),
        sharpness=lambda q: 2 * (1 + q * q),
        clocks=_LOGARITHM,
    ),
}
