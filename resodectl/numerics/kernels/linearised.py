"""Scaled models and their linearisations, in the increment u = alpha (w - w0) of the weights, for runs side by side.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956) descend F(w) = R(alpha h(w)) / alpha^2. In u this is plain descent on
R(alpha (h(w0 + u / alpha) - h(w0))), h being centred: the step size and all sizes are the same for every alpha, and
the limit of alpha to infinity is J u with J = Dh(w0). A model maps weights `(runs, size)` to outputs `(runs, ...)`,
those of a run by its weights alone; `alpha` is `(runs,)`.

Two linear models go by that name. `linearised` is J u, the differential. `frozen_gates` keeps, with the moved weights,
the ReLUs and max-poolings in the state in which w0 has them, as the authors' code does: it is a product of layers, not
linear in the weights, and equals J u to first order in 1 / alpha.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.func import jvp
from torch.overrides import TorchFunctionMode

Model = Callable[[torch.Tensor], torch.Tensor]
"""Weights `(runs, size)` -> outputs `(runs, ...)`."""

RELUS = (torch.relu, F.relu, torch.Tensor.relu)
POOLS = (torch.max_pool2d,)


def moved(start: torch.Tensor, increment: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """The weights w0 + u / alpha, `(runs, size)`."""
    return torch.addcdiv(start, increment, alpha.unsqueeze(1))


def scaled(
    model: Model, start: torch.Tensor, increment: torch.Tensor, alpha: torch.Tensor, at_start: torch.Tensor
) -> torch.Tensor:
    """The scaled centred model alpha (h(w0 + u / alpha) - h(w0)), differentiable in u; `at_start` is h(w0).

    In float64 its rounding error is 1e-16 alpha times the outputs. Its gradient in u has none of that: it is that of h.

    >>> start, u = torch.tensor([[1.0], [1.0]], dtype=torch.float64), torch.tensor([[2.0], [2.0]], dtype=torch.float64)
    >>> scaled(lambda w: w**2, start, u, torch.tensor([1.0, 1e7], dtype=torch.float64), start**2)
    tensor([[8.0000],
            [4.0000]], dtype=torch.float64)
    """
    difference = model(moved(start, increment, alpha)) - at_start
    return difference * alpha.view(-1, *[1] * (difference.dim() - 1))


def linearised(model: Model, start: torch.Tensor, increment: torch.Tensor) -> torch.Tensor:
    """The linearised centred model J u: the derivative of h at w0 in the direction u.

    >>> linearised(lambda w: w**3, torch.tensor([[2.0]]), torch.tensor([[0.5]]))
    tensor([[6.]])
    """
    change = jvp(model, (start,), (increment,))[1]
    return torch.as_tensor(change)


def frozen_gates(model: Model, start: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The outputs at `weights` with every ReLU and every max-pooling in the state that it has at `start`."""
    with _Recording() as recorded:
        model(start)
    with _Frozen(recorded.states):
        return model(weights)


@torch.no_grad()
def stability(model: Model, weights: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The share of units and inputs whose ReLU is in the same state as at `start`, mean over ReLU layers, `(runs,)`.

    Each network makes its own forward pass. Layers are laid out as in `numerics.networks.layers`.

    Raises:
        ValueError: the model has no ReLU.
    """
    signs = []
    for point in (start, weights):
        with _Recording() as recorded:
            model(point)
        signs.append([state for kind, state in recorded.states if kind == "relu"])
    if not signs[0]:
        raise ValueError("the stability of activations of a model without ReLUs")
    runs = len(weights)
    return torch.stack([_by_run(now == then, runs) for now, then in zip(*signs, strict=True)]).mean(0)


def _by_run(same: torch.Tensor, runs: int) -> torch.Tensor:
    """The share of a layer for each run: of maps `(batch, runs * channels, ...)` or rows `(runs, batch, units)`."""
    units = same.unflatten(1, (runs, -1)).transpose(0, 1) if same.dim() == 4 else same
    return units.flatten(1).double().mean(1)


class _Recording(TorchFunctionMode):
    """Notes the state of each ReLU (which inputs are positive) and max-pooling (where the maxima are), in order."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[tuple[str, torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RELUS:
            self.states.append(("relu", args[0].detach() > 0))
        elif func in POOLS:
            self.states.append(("pool", F.max_pool2d(*args, **(kwargs or {}), return_indices=True)[1]))
        return func(*args, **(kwargs or {}))


class _Frozen(TorchFunctionMode):
    """Puts the recorded states in place of the ReLUs and max-poolings that are met, in order."""

    def __init__(self, states: list[tuple[str, torch.Tensor]]) -> None:
        super().__init__()
        self._states = iter(states)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RELUS:
            _, open_ = next(self._states)
            return args[0] * open_
        if func in POOLS:
            _, places = next(self._states)
            return args[0].flatten(2).gather(2, places.flatten(2)).view_as(places)
        return func(*args, **(kwargs or {}))
