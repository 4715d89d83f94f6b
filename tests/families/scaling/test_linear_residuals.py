"""scaling/linear-residuals: gradients, closed forms and invariants of linear networks; measures on known logs."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from resodectl.experiment.context import stream
from resodectl.families.scaling.linear_residuals import analysis, spec
from resodectl.families.scaling.linear_residuals.simulation import gradient, prefix_products
from resodectl.numerics.weights.depth import weights
from tests.simulated import simulated

FIGURE = ((-0.8744, -0.9937), (0.7185, 0.3015))
RECIPES = Path(__file__).parents[3] / "recipes/scaling"


def logged(seeds=(0,), **changes):
    defaults = {"target": FIGURE, "init": "zero", "depths": (8,), "reference": 16, "shown": (8,), "steps": 5, "lr": 1.0}
    more = {"lr_exponent": 1.0, "init_scale": 0.25, "levels": (1e-5,), "dtype": "float64"}
    return simulated("scaling/linear-residuals", spec.Point(**(defaults | more | changes)), seeds)


def random_layers(depth, seeds=3, dim=3):
    torch.manual_seed(depth)
    return torch.randn(depth, seeds, dim, dim, dtype=torch.float64), torch.randn(dim, dim, dtype=torch.float64)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 12, 16, 100])
def test_prefix_products_are_those_of_a_loop(depth):
    factors = torch.eye(3, dtype=torch.float64) + random_layers(depth)[0] / depth
    expected = [torch.eye(3, dtype=torch.float64).expand(3, 3, 3)]
    for factor in factors:
        expected.append(expected[-1] @ factor)
    torch.testing.assert_close(prefix_products(factors), torch.stack(expected), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("depth", [2, 7, 64])
def test_the_gradient_is_that_of_autograd_times_the_depth(depth):
    layers, target = random_layers(depth)
    output, found = gradient(layers, target)
    leaves = layers.clone().requires_grad_()
    product = torch.eye(3, dtype=torch.float64).expand(3, 3, 3)
    for layer in leaves:
        product = product @ (torch.eye(3, dtype=torch.float64) + layer / depth)
    (exact,) = torch.autograd.grad((product - target).square().mean((1, 2)).sum(), leaves)
    torch.testing.assert_close(output, product.detach(), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(found, depth * exact, rtol=1e-11, atol=1e-12)


def test_gradients_of_neighbouring_layers_differ_by_one_over_the_depth():
    """G_{n+1} - G_n = (1/N)(A_n^T Q - Q A_{n+1}^T) with Q = P_n^T E S_{n+2}^T."""
    depth = 10
    layers, target = random_layers(depth)
    output, found = gradient(layers, target)
    factors = torch.eye(3, dtype=torch.float64) + layers / depth
    error = 2 / 9 * (output - target)
    for n in (0, 4, 8):
        before, after = (torch.eye(3, dtype=torch.float64).expand(3, 3, 3) for _ in range(2))
        for factor in factors[:n]:
            before = before @ factor
        for factor in factors[n + 2 :]:
            after = after @ factor
        q = before.mT @ error @ after.mT
        expected = (layers[n].mT @ q - q @ layers[n + 1].mT) / depth
        torch.testing.assert_close(found[n + 1] - found[n], expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("depth", [8, 100])
def test_a_positive_definite_target_gives_equal_layers_its_root(depth):
    """From zero all A_n stay equal and symmetric, so at convergence A_n = N (B^{1/N} - I)."""
    target = np.array([[1.6, 0.5], [0.5, 0.7]])
    values, vectors = np.linalg.eigh(target)
    root = depth * ((vectors * values ** (1 / depth)) @ vectors.T - np.eye(2))
    found = logged(target=tuple(map(tuple, target.tolist())), shown=(depth,), steps=300)["layers"]
    last = found[found["step"] == 300]
    for row, column, weight in zip(last["row"], last["column"], last["weight"], strict=True):
        assert weight == pytest.approx(root[row, column], abs=1e-12)
    assert len(last) == 4 * depth


def test_all_depths_and_seeds_at_once_are_plain_descents_with_autograd():
    seeds, depth, steps = (2, 9), 4, 3
    found = logged(seeds, init="rough", depths=(depth,), reference=16, shown=(depth,), steps=steps, lr=0.7)
    target = torch.tensor(FIGURE, dtype=torch.float64)
    for seed in seeds:
        trained = {}
        for n in (depth, 2 * depth, 16):
            start = 0.25 * weights("iid", [stream(seed, "weights")], n, (2, 2))[:, 0]
            layers = [layer.clone().requires_grad_() for layer in start]
            for _ in range(steps):
                output = torch.linalg.multi_dot([torch.eye(2, dtype=torch.float64) + layer / n for layer in layers])
                slopes = torch.autograd.grad((output - target).square().mean(), layers)
                layers = [(a - 0.7 * n * g).detach().requires_grad_() for a, g in zip(layers, slopes, strict=True)]
            trained[n] = [layer.detach() for layer in layers]
            if n == depth:
                first, balance = start, [_imbalance(list(start), n), _imbalance(trained[n], n)]
        outputs = {n: _product(trained[n], n) for n in trained}
        training = found["training"].query("seed == @seed and step == @steps").iloc[0]
        apart = [trained[2 * depth][2 * n + half] - trained[depth][n] for n in range(depth) for half in (0, 1)]
        drift = [(b - a).norm() for a, b in zip(*balance, strict=True)]
        assert training["loss"] == pytest.approx(float((outputs[depth] - target).square().mean()), rel=1e-10)
        assert training["doubling_distance"] == pytest.approx(max(float(a.norm()) for a in apart), rel=1e-10)
        assert training["output_distance"] == pytest.approx(float((outputs[depth] - outputs[16]).norm()), rel=1e-10)
        assert training["imbalance"] == pytest.approx(depth * max(map(float, drift)), rel=1e-10)
        change = (torch.stack(trained[depth]) - first).flatten(1).norm(dim=1).max()
        assert training["change"] == pytest.approx(float(change), rel=1e-10)
        for part, values in (("weights", trained[depth]), ("change", list(torch.stack(trained[depth]) - first))):
            jumps = found["jumps"][found["jumps"]["part"] == part]
            jump = jumps.query("seed == @seed and step == @steps")["jump"].item()
            assert jump == pytest.approx(max(float((b - a).norm()) for a, b in pairwise(values)), rel=1e-10)


def test_the_first_steps_every_tenth_and_the_last_one_are_logged():
    found = logged(steps=57)
    assert found["training"]["step"].tolist() == [*range(41), 50, 57]
    assert found["jumps"].groupby("part")["step"].apply(list).tolist() == [[*range(41), 50, 57]] * 2
    assert sorted(found["layers"]["step"].unique()) == [0, 1, 2, 4, 10, 57]


def test_the_first_passage_is_found_between_logged_steps():
    """At depth 8 and rate 0.4 the loss falls below 1e-5 at step 42 or so; only every tenth step is logged there."""
    layers, target = torch.zeros(8, 1, 2, 2, dtype=torch.float64), torch.tensor(FIGURE, dtype=torch.float64)
    losses = []
    for _ in range(60):
        output, slope = gradient(layers, target)
        losses.append(float((output - target).square().mean()))
        layers = layers - 0.4 * slope
    found = logged((3, 4), lr=0.4, steps=59, levels=(0.1, 1e-5, 1e-20))["passages"]
    for level, own in found.groupby("level"):
        first = next((step for step, loss in enumerate(losses) if loss < level), 60)
        assert own["seed"].tolist() == [3, 4]
        assert own["passage"].tolist() == [first, first]
        assert (first == 60) == (level == 1e-20)
        assert level != 1e-5 or (first > 40 and first % 10 > 0)


@pytest.mark.parametrize(("init", "kind"), [("smooth", "smooth"), ("rough", "iid")])
def test_layers_are_logged_entry_by_entry_and_move_by_the_rate_times_a_power_of_the_depth(init, kind):
    """A <- A - lr N^(e - 1) N dl/dA."""
    depth, target = 5, torch.tensor(FIGURE, dtype=torch.float64)
    found = logged(
        (2, 9), init=init, depths=(depth,), shown=(depth,), steps=1, lr=0.3, lr_exponent=0.25, init_scale=0.4
    )
    rows = found["layers"].set_index(["step", "layer", "seed", "row", "column"])["weight"]
    assert len(rows) == 2 * depth * 2 * 4
    assert (found["layers"]["depth"] == depth).all()
    for seed in (2, 9):
        start = 0.4 * weights(kind, [stream(seed, "weights")], depth, (2, 2))
        after = start - 0.3 * depth**-0.75 * gradient(start, target)[1]
        for step, layers in enumerate((start, after)):
            for n, i, j in np.ndindex(depth, 2, 2):
                assert rows[step, n, seed, i, j] == pytest.approx(layers[n, 0, i, j].item(), rel=1e-10)


def _product(layers, depth):
    return torch.linalg.multi_dot([torch.eye(2, dtype=torch.float64) + layer / depth for layer in layers])


def _imbalance(layers, depth):
    factors = [torch.eye(2, dtype=torch.float64) + layer / depth for layer in layers]
    return [a.mT @ a - b @ b.mT for a, b in pairwise(factors)]


def test_the_network_of_figure_2_is_at_its_loss_after_33_steps():
    found = logged(depths=(100,), shown=(100,), steps=40)["training"]
    assert found.loc[found["loss"] < 1e-5, "step"].min() == 33


def test_jumps_and_distances_after_training_have_their_known_sizes():
    """N max |A_{n+1} - A_n| at convergence and the orders in 1/N, for the target of Figure 2 from zero weights."""
    depths = (8, 16, 32, 64, 128)
    found = logged(depths=depths, reference=512, steps=400)
    last = found["jumps"].query("step == 400 and part == 'weights'").set_index("depth")["jump"]
    assert [n * last[n] for n in depths] == pytest.approx([4.00, 4.29, 4.44, 4.52, 4.56], abs=0.006)
    training = found["training"]
    slope = analysis.measure_loglog_slope(training[training["step"] == 400], of="doubling_distance")
    assert slope.value == pytest.approx(-0.97, abs=0.005)
    early = training[(training["step"] == 4) & (training["depth"] <= 64)]
    assert analysis.measure_loglog_slope(early, of="output_distance").value == pytest.approx(-1.09, abs=0.006)


@pytest.mark.parametrize(("lr", "drift"), [(0.2, 9.1e-3), (0.02, 8.9e-4)])
def test_the_balance_drifts_in_proportion_to_the_learning_rate(lr, drift):
    """Total time 8, N = 16; in the operator norm, which is that of Frobenius over sqrt(2) for these traceless D."""
    found = logged(depths=(16,), reference=16, shown=(16,), lr=lr, steps=round(8 / lr))["training"]
    assert found["imbalance"].max() / math.sqrt(2) == pytest.approx(drift, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (1, 8)}, "at least 2 layers, not 1"),
        ({"target": ((1.0, 2.0), (3.0,))}, "a square matrix is needed"),
        ({"target": ((0.0, 1.0), (1.0, 0.0))}, "positive determinant"),
        ({"depths": (8, 16, 8)}, "give each value once"),
        ({"inits": ("zero", "zero")}, "give each value once"),
        ({"shown": (8, 8)}, "give each value once"),
        ({"balance": {"lrs": (0.1, 0.1), "time": 1.0, "depth": 4}}, "give each value once"),
        ({"balance": {"lrs": (0.1, 1.0), "time": 1.0, "depth": 4}}, "1 is the learning rate of the other runs"),
    ],
)
def test_impossible_networks_are_refused_by_the_recipe(changes, message):
    defaults = {
        "target": FIGURE,
        "inits": ("zero",),
        "depths": (8,),
        "reference": 16,
        "shown": (8,),
        "seeds": 1,
        "steps": 2,
    }
    with pytest.raises(ValidationError, match=message):
        spec.Params(**(defaults | changes))
