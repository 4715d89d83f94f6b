"""Full-batch descent of several runs side by side: updates as pure functions, and where they lose stability.

On a quadratic of curvature h, an update diverges if and only if h is above its threshold (Cohen et al. 2021, arXiv
2103.00065): 2 / lr for gradient descent, (2 + 2 beta) / lr with Polyak's and (2 + 2 beta) / ((1 + 2 beta) lr) with
Nesterov's momentum, both as in torch.optim.SGD: m <- beta m + g, and the step is m, or g + beta m.
Weights, gradients and momenta are `(runs, size)`; a step size is a number or `(runs, 1)`, a loss `(runs,)`.
"""

from collections.abc import Callable

import torch

from resodectl.numerics.ode.runge_kutta import runge_kutta_step

Rate = float | torch.Tensor


def gradient_step(weights: torch.Tensor, gradient: torch.Tensor, lr: Rate) -> torch.Tensor:
    """w - lr g."""
    return weights - lr * gradient


def polyak_step(
    weights: torch.Tensor, gradient: torch.Tensor, momentum: torch.Tensor, lr: Rate, beta: Rate
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights and the momentum after a step with Polyak's (heavy-ball) momentum."""
    momentum = beta * momentum + gradient
    return weights - lr * momentum, momentum


def nesterov_step(
    weights: torch.Tensor, gradient: torch.Tensor, momentum: torch.Tensor, lr: Rate, beta: Rate
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights and the momentum after a step with Nesterov's momentum."""
    momentum = beta * momentum + gradient
    return weights - lr * (gradient + beta * momentum), momentum


def gradient_threshold(lr: Rate) -> Rate:
    """2 / lr."""
    return 2 / lr


def polyak_threshold(lr: Rate, beta: Rate) -> Rate:
    """(2 + 2 beta) / lr."""
    return (2 + 2 * beta) / lr


def nesterov_threshold(lr: Rate, beta: Rate) -> Rate:
    """(2 + 2 beta) / ((1 + 2 beta) lr)."""
    return (2 + 2 * beta) / ((1 + 2 * beta) * lr)


def normalised_step(weights: torch.Tensor, gradient: torch.Tensor, lr: Rate) -> torch.Tensor:
    """w - lr g / |g|; not finite where the gradient vanishes (Arora, Li & Panigrahi 2022, arXiv 2205.09745)."""
    return weights - lr * gradient / gradient.norm(dim=1, keepdim=True)


def square_root_step(weights: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, lr: Rate) -> torch.Tensor:
    """w - lr g / (2 sqrt(L)), descent on sqrt(L); not finite where the loss vanishes (as above)."""
    return weights - lr * gradient / (2 * loss.sqrt().unsqueeze(1))


def decayed_step(weights: torch.Tensor, gradient: torch.Tensor, lr: Rate, decay: Rate) -> torch.Tensor:
    """(1 - lr decay) w - lr g, descent with weight decay."""
    return (1 - lr * decay) * weights - lr * gradient


def effective_step(weights: torch.Tensor, lr: Rate, decay: Rate) -> torch.Tensor:
    """The step that `decayed_step` takes on the sphere, `(runs, 1)`, where the loss is invariant to the scale of w.

    With u = w / |w|, the direction after the step is that of u - lr / ((1 - lr decay) |w|^2) grad L(u), exactly
    (Lyu, Li & Arora 2022, arXiv 2206.07085).
    """
    return lr / ((1 - lr * decay) * weights.square().sum(1, keepdim=True))


def flow_step(field: Callable[[torch.Tensor], torch.Tensor], weights: torch.Tensor, step: Rate) -> torch.Tensor:
    """One step of the classical Runge-Kutta method (RK4) along dw/dt = field(w)."""
    return runge_kutta_step(lambda at, _: field(at), weights, 0.0, step)


def stable_flow_step(sharpness: torch.Tensor, alpha: float, cap: float) -> torch.Tensor:
    """min(alpha / lambda_1, cap), `(runs, 1)` of sharpness `(runs,)`; RK4 is stable on decay up to alpha = 2.785."""
    return torch.where(sharpness * cap > alpha, alpha / sharpness, cap).unsqueeze(1)
