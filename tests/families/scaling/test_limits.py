"""scaling/limits: networks, ODEs and SDEs against plain loops, scipy, autograd and closed forms; known logs."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.limits import simulation, spec
from resodectl.families.scaling.limits.simulation import ito, network
from resodectl.numerics.draws import normal
from resodectl.numerics.networks.activations import ACTIVATIONS
from resodectl.numerics.weights.depth import smooth_at
from tests.simulated import simulated

ERRORS = ("state_error", "jacobian_error", "gradient_error")
SCALINGS = {"neural-ode": (1.0, 0.0), "linear-ode": (0.5, 0.5), "ito-sde": (0.0, 1.0)}
BENDS = {"tanh": 0.0, "exp": 1.0, "softplus": 0.5}  # sigma''(0)


def point(**changes):
    defaults = {"limit": "linear-ode", "alpha": 0.5, "beta": 0.5, "activation": "tanh", "noise": 0.0, "depths": (2, 4)}
    more = {"reference_steps": 8, "paths": 1, "dim": 2, "gain": 1.5, "dtype": "float64"}
    return spec.Point(**(defaults | more | changes))


def context(seeds):
    return Context(tuple(seeds), torch.device("cpu"), torch.float64)


def logged(seeds=(0,), **changes):
    return simulated("scaling/limits", point(**changes), seeds)["errors"]


def fields(seed, s):
    """A(s) and b(s) of a seed, in two dimensions."""
    place, scale = torch.tensor([s], dtype=torch.float64), 1.5 / math.sqrt(2)
    matrix = smooth_at(place, [stream(seed, "A")], (1, 2, 2))[0, 0, 0]
    bias = smooth_at(place, [stream(seed, "b")], (1, 2, 1))[0, 0, 0, :, 0]
    return scale * matrix, scale * bias


def plain_network(seed, depth, given, paths):
    """h at the times 0, 1/2, 1 of every path, differentiable with respect to each of them."""
    activation, (alpha, beta) = ACTIVATIONS[given["activation"]].value, SCALINGS[given["limit"]]
    found = []
    for path in paths:
        states = [torch.full((2,), 0.5, dtype=torch.float64, requires_grad=True)]
        h = states[0]
        for k in range(depth):
            matrix, bias = fields(seed, k / depth)
            inside = path[k * len(path) // depth : (k + 1) * len(path) // depth].sum(0)
            theta, shift = depth**-beta * matrix + inside[:, 1:], depth**-beta * bias + inside[:, 0]
            h = h + depth**-alpha * activation(theta @ h + shift)
            if (k + 1) % (depth // 2) == 0:
                states.append(h)
        found.append(states)
    return found


def plain_ode(seed, given):
    """H and J at the times 0, 1/2, 1, by scipy."""

    def field(s, both):
        matrix, bias = (value.numpy() for value in fields(seed, s))
        h, jacobian = both[:2], both[2:].reshape(2, 2)
        z, product = matrix @ h + bias, matrix @ jacobian
        if given["limit"] == "neural-ode":
            z, product = np.tanh(z), (1 - np.tanh(z) ** 2)[:, None] * product
        return np.concatenate([z, product.ravel()])

    start = np.concatenate([[0.5, 0.5], np.eye(2).ravel()])
    found = solve_ivp(field, (0, 1), start, t_eval=(0, 0.5, 1), method="DOP853", rtol=1e-12, atol=1e-13).y.T
    return [(torch.tensor(y[:2]), torch.tensor(y[2:].reshape(2, 2))) for y in found]


def plain_sde(seed, path, drift, bend, of_bias):
    """H and J at the times 0, 1/2, 1 of one path, by Euler and Maruyama's scheme."""
    steps = len(path)
    h, jacobian = torch.full((2,), 0.5, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    found = [(h, jacobian)]
    for n, increment in enumerate(path):
        matrix, bias = fields(seed, n / steps)
        q = (0.3**2 * h @ h + of_bias**2) * torch.ones(2, dtype=torch.float64)
        slope = 2 * 0.3**2 * torch.ones(2, 1, dtype=torch.float64) @ h[None]
        change = increment[:, 1:] @ h + increment[:, 0] + (matrix @ h + bias + drift * bend * q) / steps
        jacobian = jacobian + increment[:, 1:] @ jacobian + (matrix + drift * bend * slope) @ jacobian / steps
        h = h + change
        if (n + 1) % (steps // 2) == 0:
            found.append((h, jacobian))
    return found


def plain_errors(seed, depth, given, drift):
    """The three errors of one seed, with gradients of the network by autograd."""
    paths = torch.zeros(1, 8, 2, 3, dtype=torch.float64)
    if given.get("noise"):
        paths = 0.3 / math.sqrt(8) * normal([stream(seed, "paths")], (8, 3, 2, 3))[0].transpose(0, 1)
        paths[..., 0] *= given.get("bias_noise", 0.3) / 0.3
    target = normal([stream(seed, "target")], (1, 2))[0, 0]
    squares = np.zeros((3, 3, len(paths)))  # errors, times, paths
    for p, (states, path) in enumerate(zip(plain_network(seed, depth, given, paths), paths, strict=True)):
        sde = given["limit"] == "ito-sde"
        limit = (
            plain_sde(seed, path, drift, BENDS[given["activation"]], given.get("bias_noise", 0.3))
            if sde
            else plain_ode(seed, given)
        )
        loss = (states[-1] - target).square().sum() / 2
        end, flow = limit[-1]
        for t, (found, (h, jacobian)) in enumerate(zip(states, limit, strict=True)):
            own = torch.stack(
                [torch.autograd.grad(found[i], states[0], retain_graph=True, allow_unused=True)[0] for i in range(2)]
            )
            (gradient,) = torch.autograd.grad(loss, found, retain_graph=True)
            backward = (flow @ torch.linalg.inv(jacobian)).T @ (end - target)
            for e, difference in enumerate((found - h, own - jacobian, gradient - backward)):
                squares[e, t, p] = float(difference.detach().square().sum())
    return np.sqrt(squares.mean(2)).max(1)


@pytest.mark.parametrize(
    "given",
    [
        {"limit": "linear-ode", "activation": "tanh"},
        {"limit": "neural-ode", "activation": "tanh"},
        {"limit": "linear-ode", "activation": "tanh", "noise": 0.3, "paths": 3},
        {"limit": "ito-sde", "activation": "exp", "noise": 0.3, "paths": 3},
        {"limit": "ito-sde", "activation": "tanh", "noise": 0.3, "paths": 3},
        {"limit": "ito-sde", "activation": "softplus", "noise": 0.3, "paths": 3},
        {"limit": "ito-sde", "activation": "exp", "noise": 0.3, "bias_noise": 0.7, "paths": 3},
        {"limit": "ito-sde", "activation": "softplus", "noise": 0.3, "bias_noise": 0.0, "paths": 3},
    ],
    ids=lambda given: "-".join(str(value) for value in given.values()),
)
def test_all_seeds_and_paths_at_once_are_plain_loops_with_scipy_and_autograd(given):
    alpha, beta = SCALINGS[given["limit"]]
    together = logged((1, 4), alpha=alpha, beta=beta, **given)
    assert len(together) == 2 * 2 * (3 if given["limit"] == "ito-sde" else 1)
    assert set(together["drift"]) == ({0.0, 0.5, 1.0} if given["limit"] == "ito-sde" else {0.0})
    assert not together["diverged"].any()
    for row in together.to_dict("records"):
        expected = plain_errors(row["seed"], row["depth"], given, row["drift"])
        assert [row[name] for name in ERRORS] == pytest.approx(list(expected), rel=1e-8)


def test_with_constant_weights_the_linear_limit_is_a_matrix_exponential(monkeypatch):
    torch.manual_seed(3)
    theta = torch.randn(1, 1, 3, 4, dtype=torch.float64)
    monkeypatch.setattr(
        simulation, "smooth_weights", lambda point, context, places: theta.expand(len(places), 1, 1, 3, 4)
    )
    given = point(dim=3)
    states = simulation._ode(given, context((0,)), ACTIVATIONS["tanh"], simulation._start(given, context((0,))), 4)
    generator = torch.zeros(4, 4, dtype=torch.float64)
    generator[:3, :3], generator[:3, 3] = theta[0, 0, :, 1:], theta[0, 0, :, 0]
    for n, state in enumerate(states):
        flow = torch.linalg.matrix_exp(n / 4 * generator)
        torch.testing.assert_close(state[0, 0, :, 1:], flow[:3, :3], rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(state[0, 0, :, 0], flow[:3, :3].sum(1) / 2 + flow[:3, 3], rtol=1e-9, atol=1e-10)


def started(paths, dim=2):
    return simulation._start(point(paths=paths, dim=dim), context((0,)))


def test_without_matrices_the_mean_state_of_an_exp_network_has_a_closed_form():
    """A = 0, b_k of size s/sqrt(L): E h_L = x + L (exp(s^2/(2L)) - 1), which tends to x + s^2/2, not to x."""
    depth, size, paths = 16, 0.9, 100_000
    rng = np.random.default_rng(5)
    increments = torch.zeros(depth, 1, paths, 1, 2, dtype=torch.float64)
    increments[..., 0] = torch.from_numpy(size / math.sqrt(depth) * rng.standard_normal((depth, 1, paths, 1)))
    given = point(limit="ito-sde", alpha=0.0, beta=1.0, activation="exp", noise=size, paths=paths, dim=1)
    start = started(paths, 1)
    smooth = torch.zeros(depth, 1, 1, 1, 2, dtype=torch.float64)
    h = network(start, smooth, increments, depth, given, ACTIVATIONS["exp"])[..., 0]
    expected = 0.5 + depth * math.expm1(size**2 / (2 * depth))
    assert float(h.mean()) == pytest.approx(expected, abs=4 * float(h.std()) / math.sqrt(paths))
    assert expected == pytest.approx(0.5 + size**2 / 2, rel=0.02)


def test_one_layer_moves_by_half_the_correction_on_average():
    """E sigma(dW h + db) = sigma''(0) Q(h)/(2L) + O(1/L^2) with Q_i(h) = s^2 (|h|^2 + 1), so the drift is Q/2."""
    paths, steps, size = 200_000, 50, 0.3
    given = point(
        limit="ito-sde", alpha=0.0, beta=1.0, activation="exp", noise=size, paths=paths, reference_steps=steps
    )
    increments = simulation._increments(given, [stream(7, "paths")], steps, context((7,)))
    nothing = torch.zeros(1, 1, 1, 2, 3, dtype=torch.float64)
    start = started(paths)
    moved = (network(start, nothing, increments, steps, given, ACTIVATIONS["exp"]) - start)[..., 0]
    limit = start.expand(2, *start.shape)
    drifted = (ito(limit, nothing, increments, (0.5, 0.0), given, ACTIVATIONS["exp"]) - limit)[..., 0]
    error = 4 * float(moved.std()) / math.sqrt(paths)
    expected = size**2 * (0.5 + 1) / (2 * steps)
    assert moved.mean((0, 1)).tolist() == pytest.approx([expected] * 2, abs=error)
    assert (drifted[0] - drifted[1]).flatten().tolist()[:4] == pytest.approx([expected] * 4, rel=1e-9)
    assert expected > error  # so the sample could tell half of Q from none


def test_without_drift_the_second_moment_of_the_sde_has_a_closed_form():
    """E |H_n|^2 + 1 = (|x|^2 + 1) (1 + d s^2/n)^n for Euler and Maruyama's scheme."""
    paths, steps, size = 40_000, 20, 0.5
    given = point(
        limit="ito-sde", alpha=0.0, beta=1.0, activation="exp", noise=size, paths=paths, reference_steps=steps
    )
    increments = simulation._increments(given, [stream(1, "paths")], 1, context((1,)))
    nothing = torch.zeros(steps, 1, 1, 2, 3, dtype=torch.float64)
    h = ito(started(paths)[None], nothing, increments, (0.0,), given, ACTIVATIONS["exp"])[..., 0]
    squares = h.square().sum(-1)
    expected = 1.5 * (1 + 2 * size**2 / steps) ** steps - 1
    assert float(squares.mean()) == pytest.approx(expected, abs=4 * float(squares.std()) / math.sqrt(paths))


def test_relu_networks_of_any_alpha_are_those_of_alpha_one():
    """By homogeneity L^-alpha ReLU(L^-beta z) = ReLU(z)/L if alpha + beta = 1."""
    states = []
    for alpha in (0.25, 1.0):
        given = point(alpha=alpha, beta=1 - alpha, activation="relu")
        weights = simulation.smooth_weights(given, context((2,)), torch.arange(8) / 8)
        states.append(network(started(1), weights, None, 8, given, ACTIVATIONS["relu"]))
    torch.testing.assert_close(*states)


def test_divergence_is_flagged():
    noise = {"limit": "ito-sde", "alpha": 0.0, "beta": 1.0, "activation": "exp", "noise": 40.0, "paths": 4}
    found = logged(**noise, depths=(8, 16), reference_steps=32)
    assert found["diverged"].all()
    assert not np.isfinite(found["state_error"]).any()


def test_a_drift_that_explodes_flags_the_runs_of_that_seed_and_drift_alone():
    noise = {"limit": "ito-sde", "alpha": 0.0, "beta": 1.0, "activation": "exp", "noise": 1.0, "paths": 2}
    found = logged((0, 1, 2), **noise, depths=(2,), reference_steps=256).set_index(["drift", "seed"])
    explodes = {drift for drift in found.index if found.loc[drift, "diverged"]}
    assert explodes == {(0.5, 1), (1.0, 0), (1.0, 1), (1.0, 2)}
    for drift in found.index:
        assert np.isfinite(found.loc[drift, list(ERRORS)].to_numpy(float)).all() == (drift not in explodes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (100, 150)}, "depths: all must be multiples of the smallest"),
        ({"noisy_depths": (0, 4)}, "noisy_depths: a network needs at least 1 layer, not 0"),
        ({"noisy_depths": (4, 12), "reference_steps": 16}, "16 is no multiple of the depth 12"),
    ],
)
def test_grids_that_are_not_nested_are_refused_by_the_recipe(changes, message):
    case = spec.Case(limit="linear-ode", alpha=0.5, beta=0.5)
    defaults = {
        "cases": (case,),
        "depths": (4, 8),
        "noisy_depths": (4, 8),
        "reference_steps": 16,
        "paths": 2,
        "seeds": 1,
    }
    with pytest.raises(ValidationError, match=message):
        spec.Params(**(defaults | changes))


def test_an_sde_without_noise_is_refused_by_the_recipe():
    with pytest.raises(ValidationError, match="without noise has no Ito SDE"):
        spec.Case(limit="ito-sde", alpha=0.0, beta=1.0)
