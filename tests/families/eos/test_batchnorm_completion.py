"""eos/batchnorm-completion: gradient and invariance by autograd, plain descent, measures on known logs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.eos.batchnorm_completion import analysis, problem, simulation, spec
from resodectl.numerics.curvature.operators import Hessian, dense, spherical_hessian
from resodectl.numerics.descent.full_batch import decayed_step
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 3, 4)
CPU = torch.device("cpu")


def drawn(seeds=SEEDS, dim=6, width=4):
    return problem.draw([stream(seed, "problem") for seed in seeds], dim, 2, 18, width, torch.float64, CPU)


def plain_losses(truth, mask, factors):
    """Train and test loss of one matrix, from its entries picked out one by one."""
    z = factors[0] @ factors[1].T
    seen, true = z[mask], truth[mask]
    mean, std = seen.mean(), seen.std(correction=0)
    train = ((seen - mean) / std - (true - true.mean()) / true.std(correction=0)).square().mean()
    rest, other = z[~mask], truth[~mask]
    test = ((rest - mean) / std - (other - true.mean()) / true.std(correction=0)).square().mean()
    return train, test


def test_the_losses_are_those_of_the_entries_one_by_one():
    of, weights = drawn()
    for run, seed in enumerate(SEEDS):
        rng = stream(seed, "problem")
        left, right = rng.standard_normal((6, 2)), rng.standard_normal((6, 2))
        truth = torch.from_numpy(left @ right.T)
        train, test = plain_losses(truth, of.observed[run].bool(), weights[run].view(2, 6, 4))
        assert of.loss(weights)[run].item() == pytest.approx(train.item(), rel=1e-12)
        assert of.test_loss(weights)[run].item() == pytest.approx(test.item(), rel=1e-12)
        assert of.observed[run].sum() == 18


def test_truth_mask_and_weights_are_drawn_in_this_order_from_the_stream_of_a_run():
    of, weights = drawn((7,))
    rng = stream(7, "problem")
    truth = rng.standard_normal((6, 2)) @ rng.standard_normal((6, 2)).T
    seen = rng.permutation(36)[:18]
    flat = truth.ravel()
    expected = (truth - flat[seen].mean()) / flat[seen].std()
    assert of.target[0].numpy() == pytest.approx(expected, abs=1e-12)
    assert sorted(np.flatnonzero(of.observed[0].numpy())) == sorted(seen)
    assert weights[0].numpy() == pytest.approx(rng.standard_normal(2 * 6 * 4) / 6**0.5, rel=1e-14)


def test_the_gradient_is_that_of_autograd():
    of, weights = drawn()
    assert torch.allclose(of.gradient(weights), Hessian(of.loss, weights).gradient, rtol=1e-10, atol=1e-14)


def test_the_loss_obeys_the_identities_of_scale_invariance():
    of, weights = drawn()
    c = 0.37
    one, scaled = Hessian(of.loss, weights), Hessian(of.loss, c * weights)
    assert torch.allclose(scaled.loss, one.loss, rtol=1e-12)
    assert torch.allclose(scaled.gradient, one.gradient / c, rtol=1e-10, atol=1e-13)
    assert torch.allclose(dense(scaled), dense(one) / c**2, rtol=1e-9, atol=1e-11)
    assert (weights * one.gradient).sum(1).abs().max() < 1e-13
    assert torch.allclose(one @ weights, -one.gradient, rtol=1e-9, atol=1e-13)


def point(**changes):
    fixed = {"dim": 6, "rank": 1, "observed": 18, "width": 6, "lr": 0.5, "decay": 1e-3, "steps": 120, "records": 10}
    return spec.Point(**(fixed | {"tolerance": 1e-7, "dtype": "float64", "ablation": "none"} | changes))


def logged(seeds=SEEDS, **changes):
    return simulated("eos/batchnorm-completion", point(**changes), seeds)["curves"]


@pytest.mark.parametrize("ablation", ["none", "no-decay"])
def test_all_seeds_at_once_are_plain_descent_of_each_by_autograd(ablation):
    rows = logged(ablation=ablation)
    decay = 0.0 if ablation == "no-decay" else 1e-3
    for seed in SEEDS:
        of, weights = problem.draw([stream(seed, "problem")], 6, 1, 18, 6, torch.float64, CPU)
        own = rows[rows["seed"] == seed].set_index("step")
        for step in range(120):
            after = decayed_step(weights, Hessian(of.loss, weights).gradient, 0.5, decay)
            if step in own.index:
                row, both = own.loc[step], (weights, after)
                assert row["train_loss"] == pytest.approx(of.loss(weights).item(), rel=1e-6, abs=1e-20)
                assert row["test_loss"] == pytest.approx(of.test_loss(weights).item(), rel=1e-6)
                largest = [torch.linalg.eigvalsh(dense(spherical_hessian(of.loss, w)))[0, -1].item() for w in both]
                assert row["sharpness"] == pytest.approx(np.mean(largest), rel=1e-5)
                level = [2 * (1 - 0.5 * decay) * w.square().sum().item() / 0.5 for w in both]
                assert row["threshold"] == pytest.approx(np.mean(level), rel=1e-8)
            weights = after
    assert rows["step"].max() == 119
    assert rows["sharpness_error"].max() < 1e-6


def test_the_error_is_the_mean_residual_over_the_mean_sharpness(monkeypatch):
    seen, largest = [], simulation.largest

    def spied(*args, **options):
        seen.append(largest(*args, **options))
        return seen[-1]

    monkeypatch.setattr(simulation, "largest", spied)
    rows = logged(tolerance=1e-2)
    values, residuals = (torch.stack([getattr(ritz, n)[:, 0] for ritz in seen]) for n in ("values", "residuals"))
    pairs = residuals.view(10, 2, 3).mean(1) / values.view(10, 2, 3).mean(1)
    assert rows["sharpness_error"].to_numpy() == pytest.approx(pairs.flatten().numpy(), rel=1e-10)
    assert rows["seed"].tolist() == list(SEEDS) * 10


def test_the_wrong_norm_multiplies_the_step_by_the_norm_of_the_weights():
    right, wrong = logged(steps=20), logged(steps=20, ablation="linear-norm")
    of, weights = drawn_for_simulation()
    assert (right["train_loss"] == wrong["train_loss"]).all()
    after = decayed_step(weights, of.gradient(weights), 0.5, 1e-3)
    levels = [2 * (1 - 0.5e-3) * w.norm(dim=1) / 0.5 for w in (weights, after)]
    assert wrong["threshold"][:3].to_numpy() == pytest.approx(torch.stack(levels).mean(0).numpy(), rel=1e-10)


def drawn_for_simulation():
    return problem.draw([stream(seed, "problem") for seed in SEEDS], 6, 1, 18, 6, torch.float64, CPU)


def test_the_edge_once_reached_stays_reached():
    rows = logged(decay=5e-2, steps=400)
    for _, own in rows.groupby("seed"):
        reached = (own["sharpness"] >= own["threshold"]).cummax()
        assert (own["edge_reached"] == reached).all()
    assert rows["edge_reached"].any()
    assert not rows["edge_reached"].all()


def test_the_wrong_step_changes_the_threshold_alone():
    right, wrong = logged(), logged(ablation="linear-norm")
    differs = {name for name in right if name != "ablation" and not (right[name] == wrong[name]).all()}
    assert differs <= {"threshold", "edge_reached"}
    assert "threshold" in differs


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ablations": ("none", "none")}, "give each value once"),
        ({"observed": 36}, "of 36 entries at least one must be left out"),
        ({"rank": 7}, "rank: at most 6"),
        ({"lr": 3000.0}, "h l must be below 1, and is 3"),
        ({"records": 100}, "100 pairs of steps do not fit into 120 steps"),
    ],
)
def test_impossible_problems_are_refused(changes, sentence):
    params = point().model_dump(exclude={"ablation"}) | {"seeds": 2}
    with pytest.raises(ValidationError, match=sentence):
        spec.Params(**(params | changes))


def synthetic(left=0.3, ratio=1.0, train=1e-20):
    """Losses and sharpness that fall to a part of what they were, up to a little noise of each seed."""
    rows = []
    for seed in SEEDS:
        part = 1 + (left * (1 + 0.01 * seed) - 1) * np.linspace(0, 1, 30)
        values = {"test_loss": 1.5 * part, "sharpness": 30 * part, "threshold": 30 * part / ratio}
        rows.append(pd.DataFrame({"seed": seed, "train_loss": train * (1 + 0.01 * seed)} | values))
    return pd.concat(rows)


@pytest.mark.parametrize(
    ("measure", "options", "band", "inside", "outside"),
    [
        ("left", {"of": "test_loss"}, [None, 0.5], {}, {"left": 0.9}),
        ("left", {"of": "sharpness"}, [None, 0.5], {}, {"left": 1.0}),
        ("change", {"of": "test_loss"}, [None, 0.1], {"left": 1.0}, {"left": 0.3}),
        ("change", {"of": "sharpness"}, [None, 0.1], {"left": 1.0}, {"left": 0.3}),
        ("median_ratio", {}, [0.95, 1.05], {"ratio": 1.01}, {"ratio": 0.2}),
        ("log10_train_loss", {}, [None, -15], {}, {"train": 1e-3}),
    ],
)
def test_the_measures_judge_logs_with_known_answers(measure, options, band, inside, outside):
    found = getattr(analysis, f"measure_{measure}")
    assert judge(found(synthetic(**inside), **options), Band.model_validate(band)) == "holds"
    assert judge(found(synthetic(**outside), **options), Band.model_validate(band)) == "fails"
    assert found(synthetic(**inside), **options).units == len(SEEDS)


@pytest.mark.parametrize(
    ("seeds", "ablations", "decay"),
    [(SEEDS, ["none", "no-decay"], 1e-3), ((3,), ["linear-norm"], 1e-3), ((3,), ["none"], 0.0)],
)
def test_the_figure_has_four_panels_and_a_curve_of_each_ablation(seeds, ablations, decay):
    path = Path(__file__).parents[3] / "recipes" / "eos" / "lyu2022-completion.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    rows = pd.concat([logged(seeds, ablation=ablation, decay=decay) for ablation in ablations])
    figure = analysis.draw_losses({"curves": rows}, recipe)
    assert len(figure.axes) == 4
    assert len(figure.axes[0].lines) == len(ablations)


def test_decay_0_is_the_run_without_weight_decay():
    zero, ablated = logged(decay=0.0), logged(ablation="no-decay")
    for name in ("train_loss", "test_loss", "sharpness", "threshold"):
        assert zero[name].to_numpy() == pytest.approx(ablated[name].to_numpy(), rel=1e-12), name
