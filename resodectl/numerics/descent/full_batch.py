"""Full-batch descent of several runs side by side: step rules as pure functions.

Weights, gradients and momenta are `(runs, size)`, losses `(runs,)`; learning rates, momentum coefficients and decays
are a number or `(runs, 1)`. Momentum is as in torch.optim.SGD. Where the rules lose stability: `laws.thresholds`.
"""

from collections.abc import Callable

import torch

from resodectl.numerics.ode.runge_kutta import runge_kutta_step

PerRun = float | torch.Tensor
"""One number for all runs, or `(runs, 1)`."""


def gradient_step(weights: torch.Tensor, gradient: torch.Tensor, lr: PerRun) -> torch.Tensor:
    """w - lr g."""
    return weights - lr * gradient


def polyak_step(
    weights: torch.Tensor, gradient: torch.Tensor, momentum: torch.Tensor, lr: PerRun, beta: PerRun
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights and the momentum after a step with Polyak's (heavy-ball) momentum: m <- beta m + g, w - lr m."""
    momentum = beta * momentum + gradient
    return weights - lr * momentum, momentum


def nesterov_step(
    weights: torch.Tensor, gradient: torch.Tensor, momentum: torch.Tensor, lr: PerRun, beta: PerRun
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights and the momentum after a step with Nesterov's momentum: m <- beta m + g, w - lr (g + beta m)."""
    momentum = beta * momentum + gradient
    return weights - lr * (gradient + beta * momentum), momentum


def normalised_step(weights: torch.Tensor, gradient: torch.Tensor, lr: PerRun) -> torch.Tensor:
    """w - lr g / |g|; not finite where the gradient vanishes (Arora, Li & Panigrahi 2022, arXiv 2205.09745).

    >>> normalised_step(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), 0.5)
    tensor([[-0.3000, -0.4000]])
    """
    return weights - lr * gradient / gradient.norm(dim=1, keepdim=True)


def square_root_step(weights: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, lr: PerRun) -> torch.Tensor:
    """w - lr g / (2 sqrt(L)), descent on sqrt(L); not finite where the loss vanishes.

    Arora, Li & Panigrahi 2022 (arXiv 2205.09745).
    """
    return weights - lr * gradient / (2 * loss.sqrt().unsqueeze(1))


def decayed_step(weights: torch.Tensor, gradient: torch.Tensor, lr: PerRun, decay: PerRun) -> torch.Tensor:
    """(1 - lr decay) w - lr g, descent with weight decay."""
    return (1 - lr * decay) * weights - lr * gradient


def effective_step(weights: torch.Tensor, lr: PerRun, decay: PerRun) -> torch.Tensor:
    """The step that `decayed_step` takes on the sphere, `(runs, 1)`, where the loss is invariant to the scale of w.

    With u = w / |w|, the direction after the step is that of u - lr / ((1 - lr decay) |w|^2) grad L(u), exactly
    (Lyu, Li & Arora 2022, arXiv 2206.07085).
    """
    return lr / ((1 - lr * decay) * weights.square().sum(1, keepdim=True))


def flow_step(field: Callable[[torch.Tensor], torch.Tensor], weights: torch.Tensor, step: PerRun) -> torch.Tensor:
    """One step of the classical Runge-Kutta method (RK4) along dw/dt = field(w)."""
    return runge_kutta_step(lambda at, _: field(at), weights, 0.0, step)


def stable_flow_step(sharpness: torch.Tensor, alpha: float, cap: float) -> torch.Tensor:
    """min(alpha / lambda_1, cap), `(runs, 1)` of sharpness `(runs,)`; RK4 is stable on decay up to alpha = 2.785.

    >>> stable_flow_step(torch.tensor([100.0, 0.5]), alpha=1.0, cap=0.1)
    tensor([[0.0100],
            [0.1000]])
    """
    return torch.where(sharpness * cap > alpha, alpha / sharpness, cap).unsqueeze(1)
