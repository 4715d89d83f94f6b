"""eos/stableness: records against dense Hessians of a plain loop, the measures on quadratics whose orbits are known."""

import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge
from resodectl.datasets.load import load as load_data
from resodectl.errors import UserError
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.eos.images import drawn_images
from resodectl.families.eos.stableness import analysis, simulation, spec
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.vgg import POOL, Vgg
from resodectl.recipe import load
from tests.resuming import cell_run, check_resuming
from tests.simulated import simulated
from tests.true_format import write_cifar10

POINT = {
    "data": "digits",
    "images": 12,
    "model": {"kind": "perceptron", "hidden": (3,)},
    "tolerance": 1e-9,
    "dtype": "float64",
    "steps": 9,
    "every": 4,
}


def logged(algorithm: str, lr: float, seeds=(5, 6), data_root=None, **changes) -> pd.DataFrame:
    point = spec.Point(**(POINT | {"algorithm": algorithm, "lr": lr} | changes))
    return simulated("eos/stableness", point, seeds, data_root)["steps"]


def plain_run(algorithm: str, lr: float, seed: int, steps: int, parts=(0.0,)) -> list[dict[str, float]]:
    """One seed by torch.nn and dense Hessians: what is recorded of every step; stableness at `parts` of the step."""
    digits = load_data("digits", None).train
    centred = digits.inputs[:12].reshape(12, 64) - digits.inputs[:12].reshape(12, 64).mean(0)
    inputs = torch.from_numpy(centred / np.sqrt(np.mean(centred**2)))
    targets = nn.functional.one_hot(torch.from_numpy(digits.labels[:12]), 10).double()
    module = nn.Sequential(nn.Linear(64, 3), nn.GELU(), nn.Linear(3, 10)).double()
    names, shapes = zip(*((name, value.shape) for name, value in module.named_parameters()), strict=True)

    def loss_of(flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([math.prod(shape) for shape in shapes])
        values = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        outputs = torch.func.functional_call(module, values, (inputs,))
        return (outputs - targets).square().sum(1).mean()

    drawn = []
    for name, shape in zip(("weight1", "bias1", "weight2", "bias2"), shapes, strict=True):
        bound = {"1": 64, "2": 3}[name[-1]] ** -0.5
        drawn.append(torch.from_numpy(stream(seed, "weights", name).random(tuple(shape)) * 2 * bound - bound).flatten())
    flat, found = torch.cat(drawn), []
    for _ in range(steps):
        descended = (lambda w: loss_of(w).sqrt()) if algorithm == "square-root" else loss_of
        hessian = torch.autograd.functional.hessian(loss_of, flat, vectorize=True)
        loss, slope = loss_of(flat), torch.autograd.functional.jacobian(loss_of, flat)
        step = lr / slope.norm() if algorithm == "normalised" else lr
        values = torch.linalg.eigvalsh(hessian)
        after = flat - step * torch.autograd.functional.jacobian(descended, flat)
        way = [
            torch.autograd.functional.hessian(descended, flat + part * (after - flat), vectorize=True) for part in parts
        ]
        top = max(torch.linalg.eigvalsh(matrix)[-1] for matrix in way)
        found.append(
            {
                "train_loss": loss.item(),
                "gradient_norm": slope.norm().item(),
                "sharpness": values[-1].item(),
                "second": values[-2].item(),
                "rayleigh": (slope @ hessian @ slope / slope.square().sum()).item(),
                "stableness": (step * top).item(),
                "gradient": slope,
            }
        )
        flat = after
    for here, after in pairwise(found):
        here["turn"] = torch.cosine_similarity(here["gradient"], after["gradient"], dim=0).item()
    return found


@pytest.mark.parametrize(("algorithm", "lr"), [("normalised", 0.3), ("square-root", 0.3), ("gradient", 0.05)])
def test_records_are_those_of_dense_hessians_along_a_plain_loop_for_every_seed(algorithm: str, lr: float) -> None:
    rows = logged(algorithm, lr)
    assert rows[rows["seed"] == 5]["step"].tolist() == [0, 1, 2, 3, 4, 5, 8, 9]
    for seed in (5, 6):
        expected = plain_run(algorithm, lr, seed, 11)
        for row in rows[rows["seed"] == seed].to_dict("records"):
            wanted = expected[row["step"]]
            for name in ("train_loss", "gradient_norm", "sharpness", "second", "rayleigh", "stableness"):
                assert row[name] == pytest.approx(wanted[name], rel=1e-8), name
            if row["step"] in (0, 2, 4, 8):
                assert row["turn"] == pytest.approx(wanted["turn"], rel=1e-8)
            else:
                assert np.isnan(row["turn"])
    assert not rows["diverged"].any()
    assert (rows["residual"] <= 1e-8 * rows["sharpness"]).all()


@pytest.mark.parametrize("algorithm", ["normalised", "square-root"])
@pytest.mark.parametrize("parts", [(0.0, 1.0), (0.0, 0.5, 1.0)])
def test_the_stableness_of_a_step_is_the_largest_of_the_points_on_its_way(algorithm: str, parts: tuple) -> None:
    rows = logged(algorithm, 0.3, seeds=(5,), segment=len(parts))
    starts, ways = plain_run(algorithm, 0.3, 5, 11), plain_run(algorithm, 0.3, 5, 11, parts)
    expected = [ways[step]["stableness"] for step in rows["step"]]
    assert rows["stableness"].to_numpy() == pytest.approx(expected, rel=1e-8)
    assert any(way["stableness"] > start["stableness"] for way, start in zip(ways, starts, strict=True))


@pytest.mark.parametrize("algorithm", ["normalised", "square-root"])
def test_a_run_goes_on_from_a_checkpoint(algorithm: str) -> None:
    point = spec.Point(**(POINT | {"algorithm": algorithm, "lr": 0.3}))
    check_resuming(cell_run("eos/stableness", point, (5, 6)), saves=4)


def test_pairs_are_numbered_and_stand_at_their_share_of_the_steps() -> None:
    rows = logged("normalised", 0.3, seeds=(5,))
    assert rows["pair"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert rows["fraction"].tolist() == pytest.approx([0, 0, 2 / 9, 2 / 9, 4 / 9, 4 / 9, 8 / 9, 8 / 9])


def test_a_seed_trains_the_same_in_every_block() -> None:
    alone, together = logged("normalised", 0.2, seeds=(6,)), logged("normalised", 0.2)
    pd.testing.assert_frame_equal(alone, together[together["seed"] == 6].reset_index(drop=True), rtol=1e-7)


def test_divergence_is_a_flag() -> None:
    rows = logged("gradient", 1e4, steps=200, every=100, dtype="float32")
    assert rows["diverged"].iloc[-1]
    assert not rows["diverged"].iloc[0]
    assert np.isnan(rows["sharpness"].iloc[-1])
    assert np.isnan(analysis.measure_fall(rows).value)
    assert np.isnan(analysis.measure_loss_fall(rows).value)
    assert np.isnan(analysis.measure_gap_per_rate(rows, identity="root_loss").value)


def test_records_come_evenly_and_before_the_first_of_them_at_halves() -> None:
    assert spec.recorded(20, 6) == (0, 3, 6, 12, 18)
    assert spec.recorded(3000, 500) == (0, 3, 7, 15, 31, 62, 125, 250, 500, 1000, 1500, 2000, 2500)
    assert spec.recorded(2, 500) == (0,)
    assert all(np.diff(spec.recorded(100, every)).min() >= 2 for every in range(2, 40))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"kind": "vgg", "micro_batch": 5}}, "reads images of 32 x 32"),
        ({"images": 1797}, "digits has only 1796"),
        ({"lr": 0.0}, "greater than 0"),
        ({"every": 1}, "greater than or equal to 2"),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    run = {"algorithm": "normalised", "lr": 0.1, "steps": 9, "every": 4}
    run |= {name: value for name, value in changes.items() if name in run}
    rest = {name: value for name, value in (POINT | changes).items() if name not in run}
    with pytest.raises(ValidationError, match=message):
        spec.Params(**rest, runs=(run,), seeds=1)


def test_an_algorithm_with_one_rate_twice_is_refused() -> None:
    run = {"algorithm": "normalised", "lr": 0.1, "steps": 9, "every": 4}
    rest = {name: value for name, value in POINT.items() if name not in run}
    with pytest.raises(ValidationError, match="given twice"):
        spec.Params(**rest, runs=(run, run | {"steps": 5}), seeds=1)


def test_random_images_are_the_same_for_all_and_normalised_by_channel(tmp_path) -> None:
    write_cifar10(tmp_path, "bin", samples=2)
    (samples, _), (again, _) = (drawn_images("cifar10", tmp_path, 6, TensorPlace()) for _ in range(2))
    assert torch.equal(samples.inputs, again.inputs)
    assert len(torch.unique(samples.inputs.flatten(1), dim=0)) == 6
    train = load_data("cifar10", tmp_path).train
    scaled = samples.inputs[:, 2] * 0.225 + 0.406
    index = next(i for i, image in enumerate(train.inputs) if np.allclose(scaled[3], image[2] / 255))
    assert samples.classes[3] == train.labels[index]
    with pytest.raises(UserError, match="'cifar10' has only 10 images to train on here, not 11"):
        drawn_images("cifar10", tmp_path, 11, TensorPlace())


def test_a_vgg_is_trained_on_all_images_however_many_are_taken_at_a_time(tmp_path, monkeypatch) -> None:
    write_cifar10(tmp_path, "bin", samples=2)
    monkeypatch.setattr(simulation, "Vgg", partial(Vgg, plan=(3, POOL, 4, POOL, POOL, POOL, POOL)))

    def rows(micro_batch: int) -> pd.DataFrame:
        vgg = {"data": "cifar10", "images": 7, "model": {"kind": "vgg", "micro_batch": micro_batch}}
        return logged("square-root", 0.2, data_root=tmp_path, steps=5, **vgg)

    whole = rows(7)
    pd.testing.assert_frame_equal(rows(3), whole, rtol=1e-6)
    assert (
        whole.groupby("seed")["train_loss"].first().between(0.9, 1.1).all()
    )  # outputs start near 0, targets are one-hot
    assert whole["train_loss"].is_unique


SEEDS = (0, 1, 2)


def orbit(algorithm: str, lr: float, curvature: float, seed: int, drift: float = 1.0, pairs: int = 4) -> list[dict]:
    """Records of a descent of curvature a^2 / 2 that goes to and fro with period two, and another sharper direction."""
    top, rows = 1.02 * curvature, []
    share = 0.3 + 0.1 * seed
    for pair in range(pairs):
        now, sharpness = curvature * drift**pair, top * drift**pair
        width = lr if algorithm == "normalised" else lr * math.sqrt(now / 2)
        for half, part in enumerate((share, 1 - share)):
            offset = part * width
            loss, slope = now * offset**2 / 2, now * offset
            stableness = lr * sharpness / (slope if algorithm == "normalised" else 1)
            values = (loss, slope, sharpness, 0.9 * sharpness, now, stableness, math.nan if half else -1.0)
            rows.append((algorithm, lr, seed, pair, 10 * pair + half, pair / pairs, *values))
    return rows


COLUMNS = ["algorithm", "lr", "seed", "pair", "step", "fraction", "train_loss", "gradient_norm", "sharpness"]
COLUMNS += ["second", "rayleigh", "stableness", "turn"]


def orbits(algorithm: str, *lrs: float, **changes) -> pd.DataFrame:
    rows = [row for lr in lrs for seed in SEEDS for row in orbit(algorithm, lr, 5.0, seed, **changes)]
    return pd.DataFrame(rows, columns=COLUMNS).assign(diverged=False)


def test_on_an_orbit_of_period_two_the_identities_hold_with_the_curvature_along_it() -> None:
    normalised, root = orbits("normalised", 0.1, 0.05), orbits("square-root", 0.1, 0.05)
    assert analysis.measure_along_gradient(normalised, identity="stableness").value == pytest.approx(1)
    assert analysis.measure_along_gradient(normalised, identity="root_loss").value == pytest.approx(1)
    assert analysis.measure_along_gradient(root, identity="root_loss").value == pytest.approx(1)
    assert analysis.measure_harmonic_mean(normalised).value == pytest.approx(2 * 1.02)
    gap = 1 - 1 / 1.02
    assert analysis.measure_gap_per_rate(normalised, identity="stableness").value == pytest.approx(gap / 0.05)
    assert analysis.measure_gap_per_rate(root, identity="root_loss").value == pytest.approx(gap / 0.05)
    assert analysis.measure_gap_order(root, identity="root_loss").value == pytest.approx(0, abs=1e-9)
    assert analysis.measure_turn(normalised).value == -1


def test_the_order_of_the_gap_is_the_power_of_the_rate() -> None:
    rows = orbits("normalised", 0.1, 0.05, 0.025)
    rows["stableness"] *= 1 + 0.7 * rows["lr"] ** 1.5
    rows["sharpness"] = rows["rayleigh"]
    rows["stableness"] /= 1.02
    found = analysis.measure_gap_order(rows, identity="stableness")
    assert found.value == pytest.approx(1.5, abs=0.02)
    assert np.isnan(analysis.measure_gap_order(orbits("normalised", 0.1), identity="stableness").value)


def test_falls_are_those_of_the_last_pair() -> None:
    rows = orbits("normalised", 0.1, 0.05, drift=0.8)
    assert analysis.measure_fall(rows).value == pytest.approx(0.8**3)
    assert analysis.measure_fall(orbits("normalised", 0.1)).value == pytest.approx(1)
    losses = {seed: math.log10(0.8**3 * ((s := 0.3 + 0.1 * seed) ** 2 + (1 - s) ** 2) / 2 / s**2) for seed in SEEDS}
    assert analysis.measure_loss_fall(rows).value == pytest.approx(np.mean(list(losses.values())))


def orbits_at_rest() -> pd.DataFrame:
    """Runs in which nothing has been learnt."""
    both = pd.concat([orbits("normalised", 0.1), orbits("square-root", 0.1)])
    return both.assign(train_loss=1.0, sharpness=5.0)


def test_the_figure_shows_every_rate_marks_what_it_cuts_and_labels_its_ticks() -> None:
    """Seven rates, one run without a second half, and an overshoot."""
    rows = orbits("normalised", *(0.01 * number for number in range(1, 8)))
    rows.loc[rows["pair"] == 1, "stableness"] = 9.0
    rows = pd.concat([rows, orbits("gradient", 0.1, pairs=1)])
    figure = analysis.draw_network({"steps": rows}, SimpleNamespace(title="", claims=()))
    figure.canvas.draw()
    assert any("overshoot to 9" in text.get_text() for text in figure.axes[2].texts)
    assert len({line.get_color() for line in figure.axes[0].lines}) == 5  # colours come again
    assert len([line for line in figure.axes[2].lines if len(line.get_xdata()) == 4]) == 7
    assert len([label for label in figure.axes[3].get_yticklabels() if label.get_text()]) > 1


def test_the_claims_hold_on_orbits_as_theory_has_them_and_fail_on_a_stable_descent() -> None:
    def rows(algorithm: str) -> pd.DataFrame:
        found = orbits(algorithm, 0.1, 0.05, 0.025, drift=0.6)
        excess = 1 + 0.6 * found["lr"]
        found["stableness"] *= excess / 1.02
        found["sharpness"] = found["rayleigh"] * excess
        first = found["pair"] == 0  # phase I
        found.loc[first, "train_loss"] *= 1000
        found.loc[first, "gradient_norm"] *= 1000**0.5
        found.loc[first, "stableness"] *= 0.1
        found.loc[first, "turn"] = 1.0
        return found

    descent = pd.concat([rows("normalised"), rows("square-root")])
    stable = orbits("gradient", 0.1, 0.05).assign(stableness=0.5, turn=1.0, gradient_norm=0.01, train_loss=1e-5)
    for claim in load.load(shipped()["eos/arora2022-network"]).claims:
        measure = getattr(analysis, f"measure_{claim.claim}")
        seen = select(descent, claim.where)
        assert judge(measure(seen, **claim.options), claim.band("laptop")) == "holds", claim.says
        for control in claim.every_control().values():
            resting = all(run["lr"] == 1e-9 for run in control.set.get("runs", ()))
            seen = descent if not control.set else orbits_at_rest() if resting else stable
            broken = select(seen, {**claim.where, **control.where})
            assert judge(measure(broken, **claim.options), claim.band("laptop")) == "fails", claim.says
