"""Residual networks that run side by side, one for each seed: what every kind of network here has in common.

A network is a frozen description; its parameters are a dictionary of tensors with a leading axis of seeds, those of
the residual layers stacked `(depth, seeds, ...)`, or `(1, seeds, ...)` where the layers are tied.
Sander, Ablin & Peyre 2022 (arXiv 2205.14612): x_{n+1} = x_n + N^-exponent f(x_n, theta_n), with exponent 1.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, Protocol

import torch

from resodectl.numerics.draws import Streams, TensorPlace, uniform
from resodectl.numerics.ode.adjoint import Gradient, integrate
from resodectl.numerics.ode.schemes import Residual, Scheme

Params = dict[str, torch.Tensor]
StreamsOf = Callable[[str], Streams]  # the name of a tensor -> one stream for each seed


class Solver(NamedTuple):
    """How residual layers are integrated and differentiated."""

    scheme: Scheme
    gradient: Gradient = "backprop"
    residual_exponent: float = 1.0  # layers are scaled by depth**-residual_exponent


class Network(Protocol):
    """One network for each seed. The logits of a seed depend on the parameters and images of that seed alone."""

    normalised: ClassVar[bool]
    """Whether batch normalisation makes the logits of an image depend on the others in its batch."""

    def initial(self, streams: StreamsOf, place: TensorPlace) -> Params:
        """Fresh parameters. Residual layers are drawn in order, so that networks of all depths share the first ones."""
        ...

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits `(seeds, batch, classes)` of images `(seeds, batch, channels, height, width)`.

        `reference`: normalise with the statistics of the first `reference` images only (see `layers.batch_norm`).
        """
        ...


def stage(
    residual: Residual, x: torch.Tensor, params: Params, names: Sequence[str], depth: int, solver: Solver
) -> torch.Tensor:
    """`depth` residual layers applied to x, with the stacks `names` of `params` as weights."""
    weights = [params[name] for name in names]
    return integrate(solver.scheme, residual, x, weights, depth**-solver.residual_exponent, solver.gradient, depth)


def layers_first(drawn: torch.Tensor) -> torch.Tensor:
    """A stack `(depth, seeds, ...)` of a draw `(seeds, depth, ...)`."""
    return drawn.transpose(0, 1).contiguous()


def default_linear(name: str, streams: StreamsOf, inputs: int, outputs: int, place: TensorPlace) -> Params:
    """Weight `(seeds, outputs, inputs)` and bias `(seeds, outputs)`, uniform within 1/sqrt(inputs) as in torch."""
    bound = inputs**-0.5
    shapes = {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return {key: uniform(streams(key), shape, -bound, bound, *place) for key, shape in shapes.items()}


def untied(params: Params, prefix: str, depth: int) -> Params:
    """The same function with `depth` copies of the shared layer of the tied stage `prefix`.

    >>> untied({"residual.bias": torch.tensor([[7.0]]), "head": torch.tensor([1.0])}, "residual", 3)["residual.bias"]
    tensor([[7.],
            [7.],
            [7.]])
    """
    return {
        name: value.repeat(depth, *[1] * (value.dim() - 1)) if name.startswith(prefix) else value.clone()
        for name, value in params.items()
    }
