"""Annealing: normal to normal in closed form, detailed balance, acceptance, counted queries, what breaks the mean."""

import math

import pytest
import torch
from torch import Tensor

from resodectl.numerics.sampling import annealed
from resodectl.numerics.sampling.annealed import Annealed, Hamiltonian, Langevin, Moves, anneal
from resodectl.numerics.sampling.diagnostics import diagnose, relative

MOVES = [Langevin(0.1), Hamiltonian(0.3, 4)]


class Normal:
    """e^{-U1} = exp(-|x - centre|^2 / (2 variance)) in `dim` dimensions; it counts the places it is asked at."""

    def __init__(self, centre: float, variance: float, dim: int) -> None:
        self.centre, self.variance, self.dim, self.asked = centre, variance, dim, 0

    @property
    def log_ratio(self) -> float:
        return 0.5 * self.dim * math.log(self.variance)

    def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += x[..., 0].numel()
        gradient = (self.centre - x) / self.variance
        return -0.5 * self.variance * gradient.square().sum(-1), gradient


class Drawn:
    """Noise from torch's generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=self.generator, dtype=x.dtype)

    def uniform(self, x: Tensor) -> Tensor:
        return torch.rand(x.shape, generator=self.generator, dtype=x.dtype)


def run(target: Normal, levels: int, moves: Moves, samples: int = 4000, **options: str) -> Annealed:
    noise = Drawn(0)
    x = noise.normal(torch.empty(10, samples, target.dim, dtype=torch.float64))
    return anneal(target, x, levels, moves, noise, **options)  # type: ignore[arg-type]


def deviation(target: Normal, found: Annealed) -> float:
    """How far the mean weight is from R, in standard errors."""
    of = relative(diagnose(found.log_weight.flatten()), target.log_ratio)
    return (of.mean.item() - 1) / of.mean_error.item()


@pytest.mark.parametrize("moves", MOVES)
def test_the_mean_weight_from_normal_to_normal_is_that_of_the_closed_form(moves: Moves) -> None:
    target = Normal(1.0, 0.3, 2)
    found = run(target, 20, moves)
    of = relative(diagnose(found.log_weight.flatten()), target.log_ratio)
    assert of.mean_error.item() < 0.01
    assert abs(deviation(target, found)) < 4


@pytest.mark.parametrize("ablation", ["no-rejection", "no-proposal-ratio"])
def test_the_mean_weight_leaves_the_closed_form_if_moves_do_not_keep_their_density(ablation: str) -> None:
    target = Normal(1.0, 0.3, 2)
    assert abs(deviation(target, run(target, 20, Langevin(0.3), ablation=ablation))) > 8


def test_weights_of_one_level_are_those_of_vanilla_importance_sampling() -> None:
    target, noise = Normal(1.0, 0.3, 2), Drawn(5)
    x = noise.normal(torch.empty(1, 50, 2, dtype=torch.float64))
    expected = target.with_gradient(x)[0] + 0.5 * x.square().sum(-1)
    torch.testing.assert_close(anneal(target, x, 1, Langevin(), noise).log_weight, expected)


@pytest.mark.parametrize("moves", MOVES)
def test_weighted_ends_are_samples_of_the_target(moves: Moves) -> None:
    found = run(Normal(1.0, 0.3, 2), 20, moves)
    weights = found.log_weight.flatten().softmax(0).unsqueeze(-1)
    x = found.x.flatten(0, 1)
    mean = (weights * x).sum(0)
    assert mean.tolist() == pytest.approx([1.0, 1.0], abs=0.02)
    assert (weights * (x - mean).square()).sum(0).tolist() == pytest.approx([0.3, 0.3], abs=0.02)


def test_a_langevin_step_balances_in_detail() -> None:
    """The ratio is that of both densities and of torch's normal laws of both proposals."""
    target, beta, step, noise = Normal(1.0, 0.3, 2), 0.6, 0.2, Drawn(1)
    at = annealed.begin(target, noise.normal(torch.empty(1, 30, 2, dtype=torch.float64)))
    to, log_ratio = annealed._langevin(target, at, beta, Langevin(step), noise, True)

    def log_joint(here: annealed.Chains, there: annealed.Chains) -> Tensor:
        height = beta * here.density - (1 - beta) * 0.5 * here.x.square().sum(-1)
        centre = here.x + step * (beta * here.gradient - (1 - beta) * here.x)
        return height + torch.distributions.Normal(centre, math.sqrt(2 * step)).log_prob(there.x).sum(-1)

    torch.testing.assert_close(log_ratio, log_joint(to, at) - log_joint(at, to))


def test_a_trajectory_is_reversible_keeps_volume_and_conserves_energy_to_second_order() -> None:
    target, beta, noise = Normal(1.0, 0.3, 2), 0.6, Drawn(2)
    start = noise.normal(torch.empty(2, 1, 1, 2, dtype=torch.float64))

    class Given:
        def __init__(self, momentum: Tensor) -> None:
            self.momentum = momentum

        def normal(self, x: Tensor) -> Tensor:
            return self.momentum

        uniform = normal

    def end(x: Tensor, momentum: Tensor, step: float, leaps: int) -> tuple[Tensor, Tensor]:
        at = annealed.begin(target, x)
        to, log_ratio = annealed._hamiltonian(target, at, beta, Hamiltonian(step, leaps), Given(momentum))
        return to.x, log_ratio

    def velocity(x: Tensor, to: Tensor) -> Tensor:
        """The momentum that leads from x to the end of one step."""
        gradient = target.with_gradient(x)[1]
        return (to - x) / 0.1 - 0.05 * (beta * gradient - (1 - beta) * x)

    x, p = start
    there, ratio = end(x, p, 0.1, 1)
    back = velocity(there, x)
    again, reverse = end(there, back, 0.1, 1)
    torch.testing.assert_close(again, x)
    torch.testing.assert_close(reverse, -ratio)
    errors = [abs(end(x, p, 0.4 / leaps, leaps)[1].item()) for leaps in (8, 16)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_every_langevin_query_is_counted_and_none_is_made_twice() -> None:
    target = Normal(0.0, 0.5, 3)
    found = run(target, 7, Langevin(), samples=20)
    assert found.queries == 2 * (7 + 1)
    assert target.asked * 2 == found.queries * 10 * 20


def test_a_trajectory_is_charged_a_gradient_a_step_and_one_value() -> None:
    target = Normal(0.0, 0.5, 3)
    found = run(target, 7, Hamiltonian(0.1, 5), samples=20)
    assert target.asked == (1 + 7 * 5) * 10 * 20
    assert found.queries == 2 + 7 * (5 + 1)


def test_acceptance_is_that_of_stationary_moves_of_small_steps() -> None:
    """Of a normal law of variance 1, MALA of step t accepts 1 - O(t^3/2); all is accepted in the limit."""
    target = Normal(0.0, 1.0, 2)
    rejected = [1 - run(target, 5, Langevin(step)).acceptance.mean().item() for step in (0.4, 0.1)]
    assert rejected[0] / rejected[1] == pytest.approx(8.0, rel=0.35)
    assert run(target, 5, Langevin(0.4), ablation="no-rejection").acceptance.tolist() == [1.0] * 10


def test_a_move_may_keep_the_density_of_the_level_before() -> None:
    target = Normal(0.0, 0.04, 1)
    right, wrong = (run(target, 2, Langevin(), ablation=of).acceptance.mean() for of in ("none", "previous-level"))
    assert wrong - right > 0.05


def test_places_without_density_are_never_moved_to() -> None:
    class Half(Normal):
        def with_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
            density, gradient = super().with_gradient(x)
            inside = x[..., 0] > 0
            return torch.where(inside, density, -math.inf), torch.where(inside.unsqueeze(-1), gradient, 0.0)

    target = Half(0.0, 1.0, 2)
    found = run(target, 10, Langevin(), samples=2000)
    assert (found.x[found.log_weight > -math.inf][:, 0] > 0).all()
    of = relative(diagnose(found.log_weight.flatten()), math.log(0.5))
    assert of.mean.item() == pytest.approx(1.0, abs=5 * of.mean_error.item())
