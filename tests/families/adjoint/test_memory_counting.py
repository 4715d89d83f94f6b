"""Bytes counted for programs whose bytes are known, and the memory of the adjoint against depth."""

import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.families.adjoint.memory.counting import LiveBytes, counting_saved_bytes, peak_bytes
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.residuals import mlp
from resodectl.numerics.ode.adjoint import integrate
from resodectl.numerics.ode.schemes import EULER, HEUN
from resodectl.numerics.weights.depth import mlp_weights

SEEDS, BATCH, DIM, HIDDEN = 2, 10, 6, 3


def network(depth, tied=True):
    streams = {name: [stream(seed, name) for seed in range(SEEDS)] for name in "WbVx"}
    stacks = mlp_weights("tied", streams, depth, DIM, HIDDEN)
    stacks = [(stack[:1] if tied else stack).clone().requires_grad_() for stack in stacks]
    return stacks, normal(streams["x"], (BATCH, DIM))


def loss(scheme, depth, gradient, stacks, x):
    return integrate(scheme, mlp(), x, stacks, 1 / depth, gradient, depth).square().mean()


def saved(scheme, depth, gradient):
    stacks, x = network(depth)
    with counting_saved_bytes(exclude=[*stacks, x]) as count:
        loss(scheme, depth, gradient, stacks, x)
    return count.total


def peak(scheme, depth, gradient):
    stacks, x = network(depth)
    return peak_bytes(lambda: loss(scheme, depth, gradient, stacks, x).backward())


@pytest.mark.parametrize("depth", [1, 2, 17])
def test_backprop_saves_the_input_and_the_hidden_activation_of_every_layer(depth):
    activations = depth * SEEDS * BATCH * (DIM + HIDDEN) * 8  # the first input excluded, the output kept by the loss
    assert saved(EULER, depth, "backprop") == activations


@pytest.mark.parametrize("scheme", [EULER, HEUN], ids=lambda scheme: scheme.name)
def test_the_adjoint_saves_the_output_whatever_the_depth(scheme):
    for depth in (2, 16, 300):
        assert saved(scheme, depth, "adjoint") == SEEDS * BATCH * DIM * 8


@pytest.mark.parametrize("scheme", [EULER, HEUN], ids=lambda scheme: scheme.name)
def test_peak_memory_of_the_adjoint_is_flat_in_depth_for_tied_weights(scheme):
    assert peak(scheme, 1024, "adjoint") <= 1.05 * peak(scheme, 16, "adjoint")


def test_large_states_are_pulled_back_one_by_one_so_that_memory_is_flat_from_the_second_step_on(monkeypatch):
    monkeypatch.setattr("resodectl.numerics.ode.adjoint.BLOCK_BYTES", 0)
    assert len({peak(EULER, depth, "adjoint") for depth in (2, 3, 50)}) == 1


def test_peak_memory_of_backprop_grows_by_what_a_layer_saves():
    layer = SEEDS * BATCH * (DIM + HIDDEN) * 8
    assert peak(EULER, 120, "backprop") - peak(EULER, 100, "backprop") == 20 * layer


def test_a_storage_is_counted_once_however_many_views_of_it_are_saved():
    x = torch.ones(100, requires_grad=True)
    with counting_saved_bytes() as count:
        y = torch.exp(x)  # saves its result, 400 bytes
        (y * y[:].view(10, 10).flatten()).sum()
    assert count.total == 400


def test_live_bytes_rise_and_fall_with_the_tensors():
    outside = torch.ones(1000, dtype=torch.float64)
    with LiveBytes() as live:
        first = outside + 1
        assert live.now == 8000
        view = first[10:]
        del first
        assert live.now == 8000
        del view
        assert live.now == 0
        outside.add_(1)
        temporary = (outside * 2) * 3
        del temporary
    assert (live.now, live.peak) == (0, 16000)


def test_the_peak_of_a_program_leaves_out_what_was_there_before():
    x = torch.ones(1000, dtype=torch.float64)
    assert peak_bytes(lambda: x.clone()) == 8000
    assert peak_bytes(lambda: x.mul_(2)) == 0
