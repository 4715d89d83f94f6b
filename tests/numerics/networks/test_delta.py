"""Networks with deltas: passes written out by hand are the formula and its automatic derivative, seed by seed."""

import numpy as np
import pytest
import torch

from resodectl.numerics.networks.activations import InPlace, in_place
from resodectl.numerics.networks.delta import CHUNK, Passes, Stack, outputs

DEPTH, SEEDS, DIM, BATCH = 2 * CHUNK + 3, 3, 4, 5
ACT = {"tanh": torch.tanh, "relu": torch.relu, "leaky": lambda z: torch.maximum(z, 0.3 * z)}


def in_place_of(name: str) -> InPlace:
    return in_place("relu", leak=0.3) if name == "leaky" else in_place(name)  # type: ignore[arg-type]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def stack(shared: bool) -> Stack:
    deltas = draw(1 if shared else DEPTH, SEEDS, seed=3)
    return Stack(0.3 * draw(DEPTH, SEEDS, DIM, DIM, seed=1), draw(DEPTH, SEEDS, DIM, seed=2), deltas)


def plain_loss(own: Stack, activation: str, x: torch.Tensor, y: torch.Tensor, seed: int) -> torch.Tensor:
    """h_{k+1} = h_k + delta_k act(A_k h_k + b_k), an example at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for n in range(x.shape[2]):
        h = x[seed, :, n]
        for k in range(DEPTH):
            delta = own.deltas[0, seed].abs() if len(own.deltas) == 1 else own.deltas[k, seed]
            h = h + delta * ACT[activation](own.matrices[k, seed] @ h + own.biases[k, seed])
        total = total + (h - y[seed, :, n]).square().mean()
    return total / x.shape[2]


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky"])
@pytest.mark.parametrize("shared", [True, False])
def test_losses_and_gradients_are_those_of_the_formula(activation: str, shared: bool) -> None:
    x, y = draw(SEEDS, DIM, BATCH, seed=4), draw(SEEDS, DIM, BATCH, seed=5)
    own = stack(shared)
    loss, slopes = Passes(own, in_place_of(activation), BATCH).gradients(x, y)
    leaves = Stack(*(tensor.clone().requires_grad_() for tensor in own))
    expected = [plain_loss(leaves, activation, x, y, seed) for seed in range(SEEDS)]
    torch.testing.assert_close(loss, torch.stack(expected).detach(), rtol=1e-12, atol=0)
    for mine, theirs in zip(slopes, torch.autograd.grad(sum(expected), list(leaves)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_passes_see_parameters_that_change_in_place_and_leave_no_trace_of_earlier_calls() -> None:
    x, y = draw(SEEDS, DIM, BATCH, seed=4), draw(SEEDS, DIM, BATCH, seed=5)
    own = stack(False)
    passes = Passes(own, in_place("tanh"), BATCH)
    passes.gradients(y, x)
    for tensor in own:
        tensor.mul_(0.3)
    loss, slopes = passes.gradients(x, y)
    fresh, expected = Passes(own, in_place("tanh"), BATCH).gradients(x, y)
    assert torch.equal(loss, fresh)
    assert all(torch.equal(mine, other) for mine, other in zip(slopes, expected, strict=True))


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky"])
@pytest.mark.parametrize("shared", [True, False])
def test_outputs_need_no_buffers(activation: str, shared: bool) -> None:
    x = draw(SEEDS, DIM, BATCH, seed=4)
    own = stack(shared)
    assert torch.equal(outputs(own, in_place_of(activation), x), Passes(own, in_place_of(activation), BATCH).forward(x))


def test_a_shared_delta_has_no_sign() -> None:
    own = stack(True)
    mirrored = own._replace(deltas=-own.deltas)
    x, y = draw(SEEDS, DIM, BATCH, seed=4), draw(SEEDS, DIM, BATCH, seed=5)
    loss, slopes = Passes(own, in_place("tanh"), BATCH).gradients(x, y)
    other, mirrored_slopes = Passes(mirrored, in_place("tanh"), BATCH).gradients(x, y)
    assert torch.equal(loss, other)
    assert torch.equal(slopes.deltas, -mirrored_slopes.deltas)


def test_relu_weights_may_carry_the_size_of_their_delta() -> None:
    """delta act(z) = sgn(delta) act(|delta| z) for ReLU: what the roughness of |delta_k| A_k rests on."""
    own = stack(False)
    size = own.deltas.abs()
    carried = Stack(own.matrices * size[..., None, None], own.biases * size[..., None], own.deltas.sign())
    x = draw(SEEDS, DIM, BATCH, seed=4)
    for name in ("relu", "leaky"):
        carries, whole = (outputs(stack, in_place_of(name), x) for stack in (carried, own))
        torch.testing.assert_close(carries, whole, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(outputs(carried, in_place("tanh"), x), outputs(own, in_place("tanh"), x), rtol=1e-2)
