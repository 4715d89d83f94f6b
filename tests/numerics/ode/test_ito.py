"""The Euler-Maruyama scheme: geometric Brownian motion on its own path, strong orders, and the mean of Ito."""

import math

import pytest
import torch

from resodectl.numerics.ode.ito import euler_maruyama

DRIFT, VOLATILITY = 0.5, 0.8


def increments(steps: int, paths: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(steps, paths, dtype=torch.float64, generator=generator) / math.sqrt(steps)


def geometric(x: torch.Tensor, n: int, step: float, noise: torch.Tensor) -> torch.Tensor:
    return DRIFT * x * step + VOLATILITY * x * noise


def coarsened(fine: torch.Tensor, steps: int) -> torch.Tensor:
    return fine.unflatten(0, (steps, -1)).sum(1)


def rms_errors(change, exact: torch.Tensor, fine: torch.Tensor, start: torch.Tensor) -> list[float]:
    ends = [euler_maruyama(change, start, coarsened(fine, steps), 1 / steps) for steps in (32, 128)]
    return [(end - exact).square().mean().sqrt().item() for end in ends]


def test_the_strong_order_with_multiplicative_noise_is_one_half() -> None:
    """X = exp((mu - sigma^2/2) s + sigma W) solves dX = mu X ds + sigma X dW in the sense of Ito."""
    fine, start = increments(256, 4000), torch.ones(4000, dtype=torch.float64)
    exact = torch.exp(DRIFT - VOLATILITY**2 / 2 + VOLATILITY * fine.sum(0))
    coarse, refined = rms_errors(geometric, exact, fine, start)
    assert math.log(coarse / refined, 4) == pytest.approx(0.5, abs=0.1)


def test_the_strong_order_with_additive_noise_is_one() -> None:
    """The Ornstein-Uhlenbeck process dX = -X ds + dW, refined on the same path."""
    fine, start = increments(4096, 200), torch.zeros(200, dtype=torch.float64)

    def relaxing(x: torch.Tensor, n: int, step: float, noise: torch.Tensor) -> torch.Tensor:
        return -x * step + noise

    exact = euler_maruyama(relaxing, start, fine, 1 / 4096)
    coarse, refined = rms_errors(relaxing, exact, fine, start)
    assert math.log(coarse / refined, 4) == pytest.approx(1, abs=0.1)


def test_the_mean_is_that_of_ito_not_of_stratonovich() -> None:
    fine, start = increments(64, 40_000), torch.ones(40_000, dtype=torch.float64)
    mean = euler_maruyama(geometric, start, fine, 1 / 64).mean().item()
    assert mean == pytest.approx((1 + DRIFT / 64) ** 64, rel=0.02)
    assert math.exp(DRIFT + VOLATILITY**2 / 2) > 1.2 * mean  # that of Stratonovich


def test_a_change_knows_its_step() -> None:
    times: list[int] = []

    def noting(x: torch.Tensor, n: int, step: float, noise: torch.Tensor) -> torch.Tensor:
        times.append(n)
        return noise * step

    end = euler_maruyama(noting, torch.zeros(2), torch.ones(3, 2), 0.5)
    assert times == [0, 1, 2]
    assert end.tolist() == [1.5, 1.5]
