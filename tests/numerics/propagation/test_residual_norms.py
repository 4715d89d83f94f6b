"""Norms of hidden states and gradients of residual networks: formulas against autograd, moments, invariances."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from resodectl.experiment.context import stream
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.propagation.residual_norms import (
    Layers,
    backward,
    forward,
    random_layers,
    relative_change,
    stretch,
)
from resodectl.numerics.weights.processes import smooth_modes_at

ARCHITECTURES = ("res-1", "res-2", "res-3")


def streams(*seeds):
    return {name: [stream(seed, name) for seed in seeds] for name in ("V", "Theta", "b")}


def plain(architecture, layers, draw, h, alpha, act):
    """One network and one input by the formulas of the paper."""
    for k in range(layers.depth):
        v = layers.outer[k, draw]
        if architecture == "res-1":
            h = h + alpha * v @ act(h)
        elif architecture == "res-2":
            h = h + alpha * v @ act(h + layers.bias[k, draw, :, 0])
        else:
            h = h + alpha * v @ act(layers.inner[k, draw] @ h)
    return h


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("activation", ["gelu", "leaky_relu", "linear", "relu", "tanh"])
@pytest.mark.parametrize("law", ["uniform", "rbf"])
def test_forward_and_backward_are_a_plain_network_and_autograd(architecture, activation, law):
    """A residual scale of its own for every column, in float64."""
    draws, dim, columns, depth = 2, 5, 3, 7
    act = ACTIVATIONS[activation]
    layers = random_layers(architecture, law, streams(3, 4), depth, dim)
    rng = torch.Generator().manual_seed(0)
    h0, pL = (torch.randn(draws, dim, columns, generator=rng, dtype=torch.float64) for _ in range(2))
    alpha = torch.tensor([0.2, 0.7, 1.3], dtype=torch.float64)
    hL, slopes = forward(layers, h0, alpha, act)
    p0 = backward(layers, pL, alpha, slopes)
    for draw in range(draws):
        for column in range(columns):
            leaf = h0[draw, :, column].clone().requires_grad_()
            output = plain(architecture, layers, draw, leaf, alpha[column], act.value)
            (gradient,) = torch.autograd.grad(output @ pL[draw, :, column], leaf)
            torch.testing.assert_close(hL[draw, :, column], output.detach(), rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(p0[draw, :, column], gradient, rtol=1e-10, atol=1e-12)


def test_the_gradient_is_the_finite_difference_of_the_output():
    layers = random_layers("res-3", "gaussian", streams(0), 6, 4)
    rng = torch.Generator().manual_seed(1)
    h0, pL, direction = (torch.randn(1, 4, 1, generator=rng, dtype=torch.float64) for _ in range(3))
    act = ACTIVATIONS["tanh"]
    _, slopes = forward(layers, h0, 0.5, act)
    p0 = backward(layers, pL, 0.5, slopes)
    up, down = (forward(layers, h0 + sign * 1e-6 * direction, 0.5, act)[0] for sign in (1, -1))
    assert float(((up - down) * pL).sum()) / 2e-6 == pytest.approx(float((p0 * direction).sum()), rel=1e-8)


def test_the_networks_of_a_seed_stand_side_by_side():
    layers = random_layers("res-3", "rbf", streams(3, 4), 5, 2, draws=3)
    alone = random_layers("res-3", "rbf", streams(4), 5, 2, draws=3)
    assert layers.outer.shape == layers.inner.shape == (5, 6, 2, 2)
    assert torch.equal(layers.outer[:, 3:], alone.outer)
    assert torch.equal(layers.inner[:, 3:], alone.inner)


@pytest.mark.parametrize(("activation", "share"), [("relu", 0.5), ("linear", 1.0), ("leaky_relu", (1 + 0.01**2) / 2)])
@pytest.mark.parametrize("law", ["uniform", "gaussian"])
def test_independent_layers_stretch_the_mean_square_by_one_factor_a_layer(activation, share, law):
    """E |h_L|^2 / |h_0|^2 = (1 + share alpha^2)^L at any width, with any symmetric entries; and so for gradients."""
    draws, dim, depth, alpha = 20_000, 3, 4, 0.6
    layers = random_layers("res-3", law, streams(0), depth, dim, draws)
    h0 = torch.randn(draws, dim, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    hL, slopes = forward(layers, h0, alpha, ACTIVATIONS[activation])
    p0 = backward(layers, h0, alpha, slopes)
    wanted = (1 + share * alpha**2) ** depth
    for end in (hL, p0):
        assert float(stretch(h0, end).square().mean()) == pytest.approx(wanted, rel=0.04)
        assert float(relative_change(h0, end).square().mean()) == pytest.approx(wanted - 1, rel=0.06)


def test_an_overflow_is_told_by_the_norms_and_stops_nothing():
    layers = random_layers("res-3", "fbm", streams(0), 400, 4, hurst=0.9)
    h0 = torch.ones(1, 4, 1, dtype=torch.float64)
    hL, slopes = forward(layers, h0, 100.0)
    p0 = backward(layers, h0, 100.0, slopes)
    assert not bool(relative_change(h0, hL).isfinite().any())
    assert not bool(stretch(h0, p0).isfinite().any())


def test_smooth_networks_with_scale_one_over_depth_converge_to_their_differential_equation():
    """dH/dt = V(t) act(Theta(t) H): against Runge-Kutta along the same weight functions, with an error like 1/L."""
    dim, depths = 4, np.array([32, 64, 128, 256])
    modes = smooth_modes_at(np.zeros(1)).shape[1]
    v, theta = (stream(0, name).standard_normal((modes, dim * dim)) / dim**0.5 for name in ("V", "Theta"))
    h0 = np.array([1.0, -0.5, 0.3, 0.7])

    def right_hand_side(t, h):
        at_t = smooth_modes_at(np.array([t]))
        return (at_t @ v).reshape(dim, dim) @ np.tanh((at_t @ theta).reshape(dim, dim) @ h)

    limit = solve_ivp(right_hand_side, (0, 1), h0, rtol=1e-10, atol=1e-12).y[:, -1]
    errors = []
    for depth in depths:
        layers = random_layers("res-3", "rbf", streams(0), int(depth), dim)
        h, _ = forward(layers, torch.from_numpy(h0)[None, :, None], 1 / depth, ACTIVATIONS["tanh"])
        errors.append(np.linalg.norm(h[0, :, 0].numpy() - limit))
    assert errors[-1] < 0.01
    assert np.polyfit(np.log(depths), np.log(errors), 1)[0] == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_independent_layers_with_scale_one_over_root_depth_converge_to_their_stochastic_equation(activation):
    """dH = dW act(H) / sqrt(d) for res-1: strong error L^-1/2 along nested Brownian paths, reference at 4096 steps."""
    dim, draws, finest, depths = 10, 48, 4096, np.array([8, 16, 32, 64, 128, 256, 512])
    noise = torch.from_numpy(stream(0).standard_normal((finest, draws, dim, dim))) / dim**0.5
    h0 = torch.from_numpy(stream(1).standard_normal((draws, dim, 1)))

    def at(depth):
        """V_k is the increment of W over a layer, divided by its scale."""
        outer = noise.unflatten(0, (depth, finest // depth)).sum(1) * (depth / finest) ** 0.5
        return forward(Layers(outer), h0, depth**-0.5, ACTIVATIONS[activation])[0]

    limit = at(finest)
    errors = [float((at(int(depth)) - limit).square().mean().sqrt()) for depth in depths]
    assert np.polyfit(np.log(depths), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.06)
