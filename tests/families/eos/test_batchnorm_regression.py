"""eos/batchnorm-regression: closed forms against autograd and known values, measures on logs with known answers."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.eos.batchnorm_regression import analysis, problem, spec
from resodectl.numerics.curvature.operators import dense, spherical_hessian
from resodectl.numerics.descent.full_batch import decayed_step, effective_step
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 1, 4)
PLACE = torch.float64, torch.device("cpu")
RECIPES = Path(__file__).parents[3] / "recipes" / "eos"


def drawn(seeds=SEEDS):
    return problem.draw([np.random.default_rng(seed) for seed in seeds], 20, 40, *PLACE)


def losses_of(of):
    """The loss as a network with batch normalisation computes it: gain s_y, no shift, eps 0."""

    def losses(weights):
        outputs = torch.bmm(of.inputs, weights.unsqueeze(2)).squeeze(2)
        normal = (outputs - outputs.mean(1, keepdim=True)) / outputs.std(1, correction=0, keepdim=True)
        return (of.spread * normal - of.targets).square().mean(1)

    return losses


def some_weights(scale=1.0):
    return scale * torch.randn(len(SEEDS), 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def on_the_manifold(of, extra, distance):
    null = of.null_part(extra)
    size = of.least.norm(dim=1, keepdim=True)
    return of.least + null * distance * size / null.norm(dim=1, keepdim=True)


def test_loss_gradient_and_hessian_are_those_of_the_network_with_batch_norm():
    of, _ = drawn()
    hessian = spherical_hessian(losses_of(of), some_weights())
    unit = some_weights() / some_weights().norm(dim=1, keepdim=True)
    assert torch.allclose(of.loss(unit), hessian.loss, rtol=1e-12)
    assert torch.allclose(of.gradient(unit), hessian.gradient, rtol=1e-10, atol=1e-12)
    assert torch.allclose(of.spherical_hessian(some_weights()), dense(hessian), rtol=1e-9, atol=1e-11)


def test_the_loss_obeys_the_identities_of_scale_invariance():
    of, _ = drawn()
    w, c = some_weights(), 2.7
    gradient = of.gradient(w)
    assert (w * gradient).sum(1).abs().max() < 1e-10 * (w.norm(dim=1) * gradient.norm(dim=1)).max()
    assert torch.allclose(of.loss(c * w), of.loss(w), rtol=1e-12)
    assert torch.allclose(of.gradient(c * w), gradient / c, rtol=1e-10)
    assert torch.allclose(of.spherical_hessian(c * w), of.spherical_hessian(w), rtol=1e-9, atol=1e-12)
    unit = w / w.norm(dim=1, keepdim=True)
    product = torch.bmm(of.spherical_hessian(w), unit.unsqueeze(2)).squeeze(2)
    assert torch.allclose(product, -of.gradient(unit), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("distance", [0.0, 0.5, 3.0])
def test_on_the_manifold_the_sharpness_is_lambda_min_times_one_plus_t_squared(distance):
    of, extra = drawn()
    w = on_the_manifold(of, extra, distance)
    assert of.loss(w).max() < 1e-25
    assert torch.allclose(of.distance(w), torch.full((3,), distance, dtype=torch.float64), atol=1e-12)
    found = torch.linalg.eigvalsh(of.spherical_hessian(w))[:, -1]
    assert torch.allclose(found, of.least_sharpness * (1 + distance**2), rtol=1e-11)


def test_the_known_problem_has_its_known_numbers():
    """numpy's default_rng(0), X first, then the teacher, then the start."""
    of, extra = drawn()
    assert of.least_sharpness[0].item() == pytest.approx(124.606, abs=5e-4)
    assert of.least[0].norm().item() == pytest.approx(
        np.linalg.norm(np.linalg.pinv(of.inputs[0].numpy()) @ of.targets[0].numpy()), rel=1e-12
    )
    start = problem.edge_start(of, extra, 3.0, 0.5, 2e-4)
    assert start[0].square().sum().item() == pytest.approx(0.5 * 1246.06 / 2, rel=1e-4)
    other = problem.edge_start(replace(of, top=-of.top), extra, 3.0, 0.5, 2e-4)  # an eigenvector's sign is arbitrary
    assert max(of.risk(w)[0].item() for w in (start, other)) == pytest.approx(117.5, abs=0.05)
    w = problem.plateau_start(extra, 15.0)
    found = {}
    for step in range(1201):
        if step in (400, 1200):
            found[step] = (of.loss(w)[0].item(), of.risk(w)[0].item(), of.distance(w)[0].item())
        w = decayed_step(w, of.gradient(w), 0.5, 1e-3)
    assert found[1200][0] < 1e-20
    assert found[1200][1:] == pytest.approx((25.09, 1.1816), abs=5e-3)
    assert found[400][2] == pytest.approx(found[1200][2], rel=1e-3)


def test_without_weight_decay_the_known_problem_stays_where_it_is_below_the_edge():
    of, extra = drawn((0,))
    w = problem.plateau_start(extra, 15.0)
    ratios = []
    for step in range(2001):
        if step in (1000, 2000):
            sharpness = torch.linalg.eigvalsh(of.spherical_hessian(w))[0, -1]
            ratios.append((sharpness * effective_step(w, 0.5, 0.0)[0, 0] / 2).item())
        w = decayed_step(w, of.gradient(w), 0.5, 0.0)
    assert ratios == pytest.approx([0.3181, 0.3181], abs=5e-5)
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-6)


def test_the_risk_is_the_mean_squared_error_on_many_new_inputs():
    of, _ = drawn()
    w = some_weights()
    rng = np.random.default_rng(9)
    fresh = torch.from_numpy(rng.standard_normal((200_000, 40)))
    outputs = torch.bmm(of.inputs, w.unsqueeze(2)).squeeze(2)
    predicted = of.spread[0] * (fresh - of.centre[0]) @ w[0] / outputs[0].square().mean().sqrt()
    target = (fresh - of.centre[0]) @ of.teacher[0]
    assert of.risk(w)[0].item() == pytest.approx((predicted - target).square().mean().item(), rel=0.01)


def point(**changes):
    fixed = {"lr": 0.5, "examples": 20, "dim": 40, "distance": 3.0, "norm": 15.0, "records": 40, "dtype": "float64"}
    own = {"start": "plateau", "decay": 1e-2, "duration": 3.0, "ablation": "none"}
    return spec.Point(**(fixed | own | changes))


def logged(seeds=SEEDS, **changes):
    return simulated("eos/batchnorm-regression", point(**changes), seeds)["curves"]


@pytest.mark.parametrize(
    ("start", "ablation"), [("edge", "none"), ("plateau", "no-decay"), ("plateau", "reduced-step")]
)
def test_all_seeds_at_once_are_plain_descent_of_each_by_autograd(start, ablation):
    rows = logged(start=start, ablation=ablation)
    last = rows["step"].max()
    for seed in SEEDS:
        of, extra = problem.draw([stream(seed, "problem")], 20, 40, *PLACE)
        losses = losses_of(of)
        at_edge = problem.edge_start(of, extra, 3.0, 0.5, 1e-2)
        w = at_edge if start == "edge" else problem.plateau_start(extra, 15.0)
        own = rows[rows["seed"] == seed].set_index("step")
        for step in range(200):
            lr = 0.05 if ablation == "reduced-step" and step * 0.005 >= 0.15 else 0.5
            decay = 0.0 if ablation == "no-decay" else 1e-2
            leaf = w.clone().requires_grad_()
            (slope,) = torch.autograd.grad(losses(leaf).sum(), leaf)
            after = decayed_step(w, slope, lr, decay)
            if step in own.index:
                sharp = [torch.linalg.eigvalsh(dense(spherical_hessian(losses, x)))[0, -1].item() for x in (w, after)]
                level = [2 / effective_step(x, lr, decay).item() for x in (w, after)]
                assert own.loc[step, "sharpness"] == pytest.approx(np.mean(sharp), rel=1e-6)
                assert own.loc[step, "threshold"] == pytest.approx(np.mean(level), rel=1e-9)
                assert own.loc[step, "distance"] == pytest.approx(of.distance(w).item(), rel=1e-7)
            w = after
    assert last == 599


def test_the_predicted_distance_is_the_exponential_from_the_edge_on():
    for start in ("edge", "plateau"):
        rows = logged(start=start)
        for _, own in rows.groupby("seed"):
            since = (own["time"] - own["edge_time"]).clip(lower=0)
            at_edge = own["predicted"].iloc[0]
            assert own["predicted"].to_numpy() == pytest.approx(at_edge * np.exp(-since), rel=1e-4)
        assert (rows["edge_time"] == 0).all() == (start == "edge")


def test_losses_and_the_predicted_sharpness_are_those_of_the_problem_and_the_wrong_norm_is_that_of_the_weights():
    rows = logged(start="edge", ablation="linear-norm")
    of, extra = problem.draw([stream(seed, "problem") for seed in SEEDS], 20, 40, *PLACE)
    start = problem.edge_start(of, extra, 3.0, 0.5, 1e-2)
    first = rows[rows["step"] == 0]
    assert first["train_loss"].to_numpy() == pytest.approx(of.loss(start).numpy(), rel=1e-9)
    assert first["test_loss"].to_numpy() == pytest.approx(of.risk(start).numpy(), rel=1e-9)
    after = decayed_step(start, of.gradient(start), 0.5, 1e-2)
    levels = torch.stack([2 * (1 - 0.005) * w.norm(dim=1) / 0.5 for w in (start, after)]).mean(0)
    assert first["threshold"].to_numpy() == pytest.approx(levels.numpy(), rel=1e-9)
    for index, (_, own) in enumerate(rows.groupby("seed")):
        floor = of.least_sharpness[index].item()
        assert own["predicted_sharpness"].to_numpy() == pytest.approx(floor * (1 + own["predicted"] ** 2), rel=1e-12)


def test_the_null_part_only_decays():
    rows = logged(start="edge")
    assert rows["null_error"].max() < 1e-9
    assert logged(ablation="no-decay")["null_drift"].max() < 1e-9
    assert rows["null_drift"].max() == pytest.approx(1 - math.exp(-3), abs=0.02)


def test_the_wrong_formulas_change_only_what_they_name():
    right = logged(start="edge")
    for ablation in ("no-denominator", "no-projection", "double-time", "linear-norm"):
        wrong = logged(start="edge", ablation=ablation)
        differs = {name for name in right if name != "ablation" and not (right[name] == wrong[name]).all()}
        assert differs - {"edge_reached"} == (
            {"threshold"} if ablation == "linear-norm" else {"predicted", "predicted_sharpness"}
        )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dim": 20}, "needs more dimensions than 20 examples, not 20"),
        ({"lr": 2000.0}, "h l must be below 1, and is 2"),
        ({"records": 400}, "400 pairs of steps do not fit into 600 steps"),
        ({"runs": 2 * ({"start": "edge", "decay": 1e-3, "duration": 3.0},)}, "could not be told apart"),
        ({"ablations": ("none", "none")}, "give each value once"),
        ({"runs": ({"start": "edge", "decay": 1e-3},)}, "needs its duration or its steps"),
        ({"runs": ({"start": "edge", "decay": 1e-3, "duration": 3.0, "steps": 900},)}, "and not both"),
        ({"runs": ({"start": "edge", "decay": 0.0, "duration": 3.0},)}, "give the steps of the run"),
        (
            {"runs": ({"start": "edge", "decay": 0.0, "steps": 900},), "ablations": ("reduced-step",)},
            "no run's decay may be 0",
        ),
    ],
)
def test_impossible_problems_are_refused(changes, sentence):
    params = {"lr": 5.0, "examples": 20, "dim": 40, "distance": 3.0, "norm": 15.0, "seeds": 2}
    runs = (spec.Run(start="edge", decay=1e-3, duration=3.0),)
    with pytest.raises(ValidationError, match=sentence):
        spec.Params(**(params | {"runs": runs} | changes))


def test_without_decay_a_run_of_given_steps_is_the_one_without_decay_of_the_same_length():
    plain, ablated = logged(decay=0.0, duration=None, steps=600), logged(ablation="no-decay")
    assert plain["step"].max() == 599
    for name in ("train_loss", "test_loss", "sharpness", "distance", "null_drift"):
        assert plain[name].to_numpy() == pytest.approx(ablated[name].to_numpy(), rel=1e-12, abs=1e-25), name
    assert (plain["time"] == 0).all()


def test_the_edge_once_reached_stays_reached_and_a_reduced_step_reaches_it_when_theory_says():
    rows = logged(decay=2e-3, duration=6.0, ablation="reduced-step", reduction={"time": 0.2, "factor": 0.4})
    assert (rows["step_factor"] == np.where(rows["time"] >= 0.2, 0.4, 1.0)).all()
    for _, own in rows.groupby("seed"):
        assert (own["edge_reached"] == (own["sharpness"] >= own["threshold"]).cummax()).all()
        after = own[own["time"] >= 0.3]
        first = after.iloc[0]
        predicted = first["time"] + math.log(first["threshold"] / first["sharpness"]) / 0.8
        assert own["edge_time"].iloc[0] == pytest.approx(predicted, abs=5e-3)
        assert analysis.measure_edge_delay(after).value == pytest.approx(own["edge_time"].iloc[0] - predicted)
    assert analysis.measure_edge_time(rows).value == pytest.approx(rows.groupby("seed")["edge_time"].first().mean())


def test_a_run_that_never_reaches_the_edge_counts_with_its_end():
    rows = logged(ablation="no-decay")
    assert np.isinf(rows["edge_time"]).all()
    assert analysis.measure_edge_time(rows).value == pytest.approx(rows["time"].max())
    assert analysis.measure_edge_delay(rows[rows["time"] >= 0.5]).value > 1


def synthetic(rate=-1.0, ratio=1.0, null=1e-12, plateau=0.0, test=0.0):
    """Runs whose T falls at a given rate, up to a factor of each seed, and so on."""
    rows = []
    for seed in SEEDS:
        time = np.linspace(0, 4, 60)
        distance = (1 + 0.02 * seed) * np.exp(rate * time) * (1 + plateau * np.sin(40 * time))
        exact = (1 + 0.02 * seed) * np.exp(-time)
        sharp = 100 * (1 + distance**2)
        more = {"predicted": exact, "predicted_sharpness": 100 * (1 + exact**2), "sharpness": sharp}
        last = {"threshold": sharp / ratio, "null_error": null, "null_drift": null, "test_loss": 5 + test * time}
        rows.append(
            pd.DataFrame({"seed": seed, "time": time, "lr": 0.5, "decay": 2e-4, "distance": distance} | more | last)
        )
    return pd.concat(rows)


@pytest.mark.parametrize(
    ("measure", "band", "inside", "outside"),
    [
        ("distance_rate", [-1.005, -0.995], {}, {"rate": -0.97}),
        ("distance_deviation", [None, 1.5], {"rate": -1.001}, {"rate": -1.1}),
        ("sharpness_deviation", [None, 0.03], {"rate": -1.001}, {"rate": -0.8}),
        ("mean_ratio", [0.99, 1.01], {"ratio": 1.002}, {"ratio": 6.7}),
        ("largest_ratio", [None, 0.999], {"ratio": 0.3}, {"ratio": 1.1}),
        ("change_of_distance", [None, 1e-3], {"rate": 0.0, "plateau": 1e-4}, {"rate": -0.1}),
        ("change_of_test_loss", [None, 1e-3], {"test": 1e-4}, {"test": 0.5}),
        ("sharpness_left", [0.999, 1.001], {"rate": 0.0}, {"rate": -1.0}),
        ("final_distance", [None, 0.1], {}, {"rate": -0.1}),
        ("log10_null_error", [None, -7], {}, {"null": 0.9}),
        ("log10_null_drift", [None, -9], {}, {"null": 0.9}),
    ],
)
def test_the_measures_judge_logs_with_known_answers(measure, band, inside, outside):
    found = getattr(analysis, f"measure_{measure}")
    assert judge(found(synthetic(**inside)), Band.model_validate(band)) == "holds"
    assert judge(found(synthetic(**outside)), Band.model_validate(band)) == "fails"
    assert found(synthetic(**inside)).units == len(SEEDS)


RUNS = {
    "as shipped": [("edge", 1e-2), ("plateau", 1e-2)],
    "one start": [("plateau", 1e-2)],
    "two decays of a start": [("edge", 1e-2), ("edge", 5e-3)],
    "no decay": [("plateau", 0.0)],
}


@pytest.mark.parametrize("ablations", [["none", "no-decay"], ["linear-norm"], ["no-projection", "double-time"]])
@pytest.mark.parametrize("runs", RUNS.values(), ids=list(RUNS))
@pytest.mark.parametrize("name", ["lyu2022-regression", "lyu2022-ablation"])
def test_figures_have_their_panels_whatever_the_runs_and_ablations(name, runs, ablations):
    asked = [{"start": start, "decay": decay, "steps": 300} for start, decay in runs]
    sets = (f"runs={json.dumps(asked)}", f"ablations={json.dumps(ablations)}")
    recipe = load.load(RECIPES / f"{name}.yaml", load.Request(profile="smoke", sets=sets))
    cells = [(start, decay, ablation) for start, decay in runs for ablation in ablations]
    rows = pd.concat(
        [
            logged((3,), start=start, decay=decay, duration=None, steps=300, ablation=ablation)
            for start, decay, ablation in cells
        ]
    )
    figure = getattr(analysis, f"draw_{recipe.file.draw}")({"curves": rows}, recipe)
    assert len(figure.axes) == {"starts": 4 * len({start for start, _ in runs}), "arms": 5}[recipe.file.draw]
