"""eos/weight-decay: records against dense spherical Hessians of a plain loop, exact laws of descent, the measures."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context, stream
from resodectl.families.eos.weight_decay import analysis, simulation, spec
from resodectl.numerics.curvature.operators import Hessian, SummedHessian
from resodectl.numerics.descent.full_batch import decayed_step, effective_step
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.normalised_perceptron import NormalisedPerceptron
from resodectl.numerics.networks.vgg import POOL, Vgg
from resodectl.recipe import load
from resodectl.training.images import train_and_test_images, training_images
from resodectl.training.scalings import IMAGENET, unscaled
from tests.resuming import cell_run, check_resuming
from tests.simulated import simulated
from tests.true_format import write_cifar10

LR, DECAY, SCALE, HIDDEN = 0.3, 7e-2, 3.0, 2
POINT = {
    "data": "digits",
    "images": 13,
    "curvature_images": 13,
    "micro_batch": 13,
    "model": {"kind": "normalised-perceptron", "hidden": (HIDDEN,)},
    "logit_scale": SCALE,
    "lr": LR,
    "weight_decay": DECAY,
    "clock": DECAY,
    "steps": 10,
    "every": 4,
    "tolerance": 1e-9,
    "dtype": "float64",
}


def logged(seeds=(5, 6), data_root: Path | None = None, **changes) -> pd.DataFrame:
    return simulated("eos/weight-decay", spec.Point(**(POINT | changes)), seeds, data_root)["records"]


def plain_run(seed: int, steps: int, batch: int = 13, measured: int = 13) -> list[dict[str, float]]:
    """One seed by the formulas: torch.optim.SGD on the network, and the largest eigenvalue of dense Hessians."""
    parts = train_and_test_images("digits", None, TensorPlace(), unscaled, 13)
    (pixels, answers), (test, test_classes) = (part.flat() for part in parts)

    def drawn(name: str, outputs: int, inputs: int) -> torch.Tensor:
        bound = inputs**-0.5
        return torch.from_numpy(stream(seed, "weights", name).random((outputs, inputs))) * 2 * bound - bound

    weight, head = nn.Parameter(drawn("weight1", HIDDEN, 64)), drawn("weight2", 10, HIDDEN)

    def logits(w: torch.Tensor, inputs: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        z, known = inputs @ w.T, seen @ w.T
        return SCALE * torch.log1p(torch.exp((z - known.mean(0)) / known.std(0, correction=0))) @ head.T

    def loss_of(w: torch.Tensor, count: int) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for part, classes in zip(pixels[:count].split(batch), answers[:count].split(batch), strict=True):
            total = total + nn.functional.cross_entropy(logits(w, part, part), classes) * len(classes)
        return total / count

    sgd, found = torch.optim.SGD([weight], lr=LR, weight_decay=DECAY), []
    for _ in range(steps):
        direction = (weight / weight.norm()).detach()
        hessian = torch.autograd.functional.hessian(lambda w: loss_of(w, measured), direction, vectorize=True)
        step = LR / ((1 - LR * DECAY) * weight.detach().square().sum().item())
        loss = loss_of(weight, 13)
        with torch.no_grad():
            guesses = torch.cat([logits(weight, part, part) for part in pixels.split(batch)]).argmax(1)
            right = (guesses == answers).double().mean().item()
            tested = logits(weight, test, pixels[:batch]).argmax(1) == test_classes
        found.append(
            {
                "train_loss": loss.item(),
                "sharpness": torch.linalg.eigvalsh(hessian.reshape(HIDDEN * 64, -1))[-1].item(),
                "effective_step": step,
                "train_accuracy": right,
                "test_accuracy": tested.double().mean().item(),
            }
        )
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return found


@pytest.mark.parametrize("changes", [{}, {"micro_batch": 5, "curvature_images": 10}])
def test_records_are_those_of_dense_spherical_hessians_along_a_plain_loop_for_every_seed(changes: dict) -> None:
    rows = logged(**changes)
    assert rows[rows["seed"] == 5]["step"].tolist() == [0, 4, 8]
    for seed in (5, 6):
        expected = plain_run(seed, 10, changes.get("micro_batch", 13), changes.get("curvature_images", 13))
        for row in rows[rows["seed"] == seed].to_dict("records"):
            pair = expected[row["step"] : row["step"] + 2]
            for name in ("train_loss", "sharpness", "effective_step"):
                assert row[name] == pytest.approx(np.mean([one[name] for one in pair]), rel=1e-8), name
            ratio = np.mean([one["sharpness"] * one["effective_step"] / 2 for one in pair])
            assert row["edge_ratio"] == pytest.approx(ratio, rel=1e-8)
            for name in ("train_accuracy", "test_accuracy"):
                assert row[name] == pytest.approx(pair[0][name]), name
    assert not rows["diverged"].any()


def test_a_run_goes_on_from_a_checkpoint() -> None:
    check_resuming(cell_run("eos/weight-decay", spec.Point(**POINT), (5, 6)), saves=3)


def test_the_residual_is_the_larger_one_of_the_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, largest = [], simulation.largest

    def spied(*args: object, **options: object) -> object:
        seen.append(largest(*args, **options))
        return seen[-1]

    monkeypatch.setattr(simulation, "largest", spied)
    rows = logged(tolerance=1e-3)
    pairs = torch.stack([ritz.residuals[:, 0] for ritz in seen]).view(3, 2, 2)
    assert rows["residual"].tolist() == pytest.approx(pairs.amax(1).flatten().tolist())


def test_a_vgg_is_trained_without_biases_and_its_micro_batches_are_normalised_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loss and step of a seed, by torch.nn.functional; the rate is so small that two steps change nothing."""
    write_cifar10(tmp_path, "bin", samples=2)
    monkeypatch.setattr(simulation, "Vgg", partial(Vgg, plan=(3, POOL, 4, POOL, POOL, POOL, POOL)))
    vgg = {"data": "cifar10", "images": 6, "curvature_images": 6, "micro_batch": 3, "steps": 3, "every": 2, "lr": 1e-7}
    rows = logged((5,), tmp_path, model={"kind": "normalised-vgg"}, tolerance=1e-3, **vgg)
    images = training_images("cifar10", tmp_path, TensorPlace(), IMAGENET, 6)
    shapes = ((3, 3, 3, 3), (4, 3, 3, 3))
    kernels = [
        torch.from_numpy(stream(5, "weights", f"kernel{level}").standard_normal(shape)) * (2 / (9 * shape[0])) ** 0.5
        for level, shape in enumerate(shapes, start=1)
    ]
    head = 0.01 * torch.from_numpy(stream(5, "weights", "head").standard_normal((10, 4)))
    losses = []
    for inputs, classes in zip(images.inputs.split(3), images.classes.split(3), strict=True):
        maps = inputs
        for kernel, pools in zip(kernels, (1, 4), strict=True):
            maps = nn.functional.conv2d(maps, kernel, padding=1)
            mean, deviation = (part(maps.flatten(2).transpose(0, 1).flatten(1)) for part in (_mean, _deviation))
            maps = nn.functional.avg_pool2d(nn.functional.softplus((maps - mean) / deviation), 2**pools)
        losses.append(nn.functional.cross_entropy(SCALE * maps.flatten(1) @ head.T, classes))
    squares = sum(kernel.square().sum().item() for kernel in kernels)
    assert rows["effective_step"][0] == pytest.approx(1e-7 / squares, rel=1e-5)
    assert rows["train_loss"][0] == pytest.approx(torch.stack(losses).mean().item(), rel=1e-6)
    assert not rows["diverged"].any()


def _mean(channels: torch.Tensor) -> torch.Tensor:
    """Of each channel `(channels, numbers)`, as maps are normalised."""
    return channels.mean(1)[:, None, None]


def _deviation(channels: torch.Tensor) -> torch.Tensor:
    return channels.std(1, correction=0)[:, None, None]


def test_a_seed_trains_the_same_in_every_block() -> None:
    alone, together = logged(seeds=(6,)), logged()
    pd.testing.assert_frame_equal(alone, together[together["seed"] == 6].reset_index(drop=True), rtol=1e-7)


def perceptron():
    """Losses of a normalised perceptron on digits, and weights of two seeds."""
    images = training_images("digits", None, TensorPlace(), unscaled, 20)
    network = NormalisedPerceptron((64, 6, 5, 10))
    weights, head = network.initial(lambda name: [stream(seed, name) for seed in (0, 1)])

    def losses(w: torch.Tensor) -> torch.Tensor:
        logits = network.outputs(w, head, images.inputs).flatten(0, 1)
        return nn.functional.cross_entropy(logits, images.classes.repeat(2), reduction="none").view(2, -1).mean(1)

    return losses, weights


def test_descent_with_weight_decay_is_descent_on_the_sphere_with_the_effective_step_exactly() -> None:
    losses, weights = perceptron()
    for _ in range(20):
        unit = weights / weights.norm(dim=1, keepdim=True)
        slope = Hessian(losses, unit).gradient
        onward = unit - effective_step(weights, LR, DECAY) * slope
        squares = weights.square().sum(1)
        weights = decayed_step(weights, Hessian(losses, weights).gradient, LR, DECAY)
        expected = onward / onward.norm(dim=1, keepdim=True)
        torch.testing.assert_close(weights / weights.norm(dim=1, keepdim=True), expected, rtol=0, atol=1e-12)
        norms = (1 - LR * DECAY) ** 2 * squares + LR**2 * slope.square().sum(1) / squares
        torch.testing.assert_close(weights.square().sum(1), norms, rtol=1e-12, atol=0)


def test_without_decay_the_norm_never_falls_and_a_change_of_units_changes_no_direction() -> None:
    losses, start = perceptron()
    plain, scaled = start, 3 * start
    for _ in range(20):
        after = decayed_step(plain, Hessian(losses, plain).gradient, LR, 0.0)
        assert (after.norm(dim=1) >= plain.norm(dim=1)).all()
        plain = after
        scaled = decayed_step(scaled, Hessian(losses, scaled).gradient, 9 * LR, 0.0)
    torch.testing.assert_close(scaled, 3 * plain, rtol=1e-11, atol=1e-12)
    decayed, scaled = start, 3 * start
    for _ in range(20):
        decayed = decayed_step(decayed, Hessian(losses, decayed).gradient, LR, DECAY)
        scaled = decayed_step(scaled, Hessian(losses, scaled).gradient, 9 * LR, DECAY / 9)
    torch.testing.assert_close(scaled, 3 * decayed, rtol=1e-11, atol=1e-12)


def test_a_network_that_cannot_be_normalised_is_flagged_and_not_a_crash() -> None:
    rows = logged(lr=1e308, weight_decay=0.0, steps=6, every=2)
    assert rows["diverged"].iloc[-1]
    assert np.isnan(analysis.measure_edge_ratio(rows).value)
    assert rows["train_accuracy"].iloc[-1] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"kind": "normalised-vgg"}}, "reads images of 32 x 32"),
        ({"images": 1797}, "digits has only 1796"),
        ({"micro_batch": 14}, "there are only 13"),
        ({"micro_batch": 12}, "a single image would be left"),
        ({"lr": 20.0}, "must be below 1"),
        ({"weight_decays": (0.0, 0.0)}, "give each value once"),
    ],
)
def test_impossible_settings_are_refused(changes: dict, message: str) -> None:
    values = {name: value for name, value in POINT.items() if name not in ("weight_decay", "clock")}
    with pytest.raises(ValidationError, match=message):
        spec.Params(**({"weight_decays": (0.0, DECAY), "seeds": 1} | values | changes))


def test_a_perceptron_is_differentiated_by_hand_as_by_autograd() -> None:
    point = spec.Point(**POINT | {"micro_batch": 5})
    problem, weights = simulation._problem(point, Context((5, 6), torch.device("cpu"), torch.float64))
    loss, slope = problem.loss_and_gradient(weights)
    expected = SummedHessian(problem.parts(13), weights)
    torch.testing.assert_close(loss, expected.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(slope, expected.gradient, rtol=1e-10, atol=1e-13)


def test_the_time_of_all_runs_is_that_of_the_largest_weight_decay() -> None:
    values = {name: value for name, value in POINT.items() if name not in ("weight_decay", "clock")}
    points = spec.cells(spec.Params(**values, weight_decays=(0.0, DECAY), seeds=1))
    assert [(one.weight_decay, one.clock) for one in points] == [(0.0, DECAY), (DECAY, DECAY)]
    rows = logged(weight_decay=0.0, clock=DECAY)
    assert rows["time"].to_numpy() == pytest.approx(LR * DECAY * rows["step"].to_numpy())


SEEDS = (0, 1, 2, 3)
STEPS = {0: 0.0, 375: 0.1875, 500: 0.25, 750: 0.375, 875: 0.4375, 2000: 1.0, 3000: 1.5, 5000: 2.5}


def log(**changes: float) -> pd.DataFrame:
    """Records of two weight decays that are alike until the edge of stability, which one of them reaches."""
    k = {"fall": 0.1, "left": 0.25, "growth": 2.0, "ratio": 1.1, "early": 0.4, "right": 1.0, "loss": 0.9, "gain": 0.04,
         "below": 0.3, "before": 1.0} | changes  # fmt: skip
    rows = []
    for decay in (0.0, 1e-2):
        for seed in SEEDS:
            jitter = 1 + 0.001 * seed
            for step, time in STEPS.items():
                late, decayed = time > 0.9, decay > 0
                level = (k["fall"] if time > 2 else k["fall"] / k["left"]) if late and decayed else 1.0
                level *= k["before"] if decayed and not late else 1.0
                near = (k["ratio"] if late else k["early"]) if decayed else k["below"]
                tested = 0.7 + (k["gain"] * (1 + seed / 100) if decayed and time > 2 else 0)
                loss = 2.3 if step == 0 else 0.2 * (k["loss"] if time > 2 else 1)
                effective = np.exp(k["growth"] * time * jitter) if decayed and not late else 1.0
                right = k["right"] if step else 0.1
                sharp = 300 * jitter * (level if step else 1)
                accuracies = (right, tested if step else 0.1)
                rows.append((decay, seed, step, time, loss, *accuracies, sharp, effective, near * jitter))
    names = ["weight_decay", "seed", "step", "time", "train_loss", "train_accuracy", "test_accuracy", "sharpness"]
    return pd.DataFrame(rows, columns=[*names, "effective_step", "edge_ratio"]).assign(diverged=False)


CLAIMS = load.load(shipped()["eos/lyu2022-network"]).claims
BROKEN = (
    {"right": 0.99},
    {"early": 0.9},
    {"growth": 1.0},
    {"before": 0.7},
    {"ratio": 0.6},
    {"below": 0.9},
    {"left": 0.5},
    {"loss": 0.5},
    {"fall": 0.3},
    {"gain": 0.001},
)


@pytest.mark.parametrize(
    ("claim", "broken"), list(zip(CLAIMS, BROKEN, strict=True)), ids=[claim.claim for claim in CLAIMS]
)
def test_claims_hold_on_logs_inside_their_bands_and_fail_outside(claim, broken: dict[str, float]) -> None:
    measure = partial(getattr(analysis, f"measure_{claim.claim}"), **claim.options)

    def judged(rows: pd.DataFrame) -> str:
        return judge(measure(select(rows, claim.where)), claim.band("laptop"))

    assert judged(log()) == "holds"
    assert judged(log(**broken)) == "fails"


def test_measures_are_the_numbers_that_the_log_was_made_of() -> None:
    rows = log(fall=0.4, growth=1.7, gain=0.05, right=0.98)
    decayed = rows[rows["weight_decay"] > 0]
    assert analysis.measure_sharpness_ratio(rows).value == pytest.approx(0.4)
    assert analysis.measure_step_growth(decayed[decayed["time"] < 0.4]).value == pytest.approx(1.7 * 1.0015)
    assert analysis.measure_edge_ratio(decayed[decayed["time"] > 0.9]).value == pytest.approx(1.1 * 1.0015)
    assert analysis.measure_largest_ratio(decayed).value == pytest.approx(1.1 * 1.0015)
    assert analysis.measure_left(decayed[decayed["time"] > 0.9], of="sharpness").value == pytest.approx(0.25)
    assert analysis.measure_test_gain(rows).value == pytest.approx(0.05 * 1.015)
    assert analysis.measure_train_accuracy(rows[rows["step"] > 0]).value == pytest.approx(0.98)


def test_a_run_is_not_compared_with_itself() -> None:
    alone = log().query("weight_decay == 0")
    assert np.isnan(analysis.measure_sharpness_ratio(alone).value)
    assert np.isnan(analysis.measure_test_gain(alone).value)


@pytest.mark.parametrize("decays", [[0.0], [1e-3], [0.0, 1e-4, 2e-4, 3e-4, 4e-4, 5e-4]])
def test_the_figure_has_a_curve_of_each_weight_decay(decays: list[float]) -> None:
    recipe = load.load(shipped()["eos/lyu2022-network"], load.Request(profile="smoke"))
    rows = pd.concat(
        [logged((5,), weight_decay=decay, clock=max(decays)).assign(weight_decay=decay) for decay in decays]
    )
    figure = analysis.draw_network({"records": rows}, recipe)
    assert sum(line.get_label().startswith("weight decay") for line in figure.axes[0].lines) == len(decays)
