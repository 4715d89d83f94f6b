"""scaling/conv-weights: trainings against plain SGD, norms against dense matrices, the measures on known logs."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.conv_weights import analysis, spec
from resodectl.families.scaling.conv_weights.simulation import network_of, simulate
from resodectl.numerics.draws import TensorPlace
from resodectl.recipe.schema import Band
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import STANDARDISED
from tests.resuming import Memory, check_resuming
from tests.simulated import simulated
from tests.true_format import write_cifar10

SEEDS = (0, 1, 2, 3)
TRAINING = {"epochs": 2, "batch": 400, "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4, "augment": False}
TRAINING |= {"schedule": {"kind": "cosine"}}


def point(**changes) -> spec.Point:
    model = {"width": 3, "doubling": False, "strides": (2, 1, 2, 1)}
    return spec.Point(
        **({"data": "digits", "model": model, "training": TRAINING, "depth": 8, "dtype": "float64"} | changes)
    )


def logged(of: spec.Point) -> dict[str, pd.DataFrame]:
    return simulated("scaling/conv-weights", of, (7, 8))


def plain_training(seed: int, of: spec.Point) -> tuple[dict[str, torch.Tensor], float]:
    """The trained tensors and the last epoch's loss of one seed, by torch.optim.SGD."""
    network = network_of(of)
    train, _ = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"])
    drawn = network.initial(lambda name: [stream(seed, "weights", name)], TensorPlace())
    leaves = {name: value[0].clone().requires_grad_() for name, value in drawn.items()}
    sgd = torch.optim.SGD(leaves.values(), lr=of.training.lr, momentum=0.9, weight_decay=of.training.weight_decay)
    for epoch in range(of.training.epochs):
        sgd.param_groups[0]["lr"] = of.training.lr * (1 + math.cos(math.pi * epoch / of.training.epochs)) / 2
        losses = []
        for chosen in torch.from_numpy(stream(seed, "order", epoch).permutation(1297)).split(of.training.batch):
            x = F.relu(F.conv2d(train.inputs[chosen], leaves["stem"], padding=1))
            for k, (*_, stride) in enumerate(network.shapes()):
                inner = F.relu(F.conv2d(x, leaves[f"A.{k}"], stride=stride, padding=1))
                kept = F.conv2d(x, leaves[f"shortcut.{k}"], stride=stride) if f"shortcut.{k}" in leaves else x
                x = F.relu(F.conv2d(inner, leaves[f"Delta.{k}"], padding=1) + kept)
            loss = F.cross_entropy(
                F.linear(x.mean((2, 3)), leaves["head.weight"], leaves["head.bias"]), train.classes[chosen]
            )
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
    return {name: leaf.detach() for name, leaf in leaves.items()}, float(np.mean(losses))


def periodic_norm(kernel: torch.Tensor, side: int) -> float:
    """By the matrix of the periodic convolution."""
    images = torch.eye(kernel.shape[1] * side**2, dtype=kernel.dtype).reshape(-1, kernel.shape[1], side, side)
    columns = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="circular"), kernel).flatten(1)
    return torch.linalg.matrix_norm(columns, 2).item()


def test_the_layers_are_those_of_plain_trainings_measured_by_dense_matrices() -> None:
    of = point()
    log = logged(of)
    sides = {
        "A": [8, 4, 4, 4, 4, 2, 2, 2],
        "Delta": [4, 4, 4, 4, 2, 2, 2, 2],
    }  # stages of two blocks, strides 2, 1, 2, 1
    for seed in (7, 8):
        tensors, loss = plain_training(seed, of)
        rows = log["layers"][log["layers"]["seed"] == seed]
        training = log["networks"].query(f"seed == {seed}").iloc[0]
        assert training["train_loss"] == pytest.approx(loss, rel=1e-7)
        for tensor, of_blocks in sides.items():
            own = rows[rows["tensor"] == tensor].sort_values("layer")
            kernels = [tensors[f"{tensor}.{k}"] for k in range(8)]
            assert own["square"].tolist() == pytest.approx([k.square().sum().item() for k in kernels], rel=1e-7)
            big = [k for k in range(8) if of_blocks[k] > 2]  # torch pads by no more than the image
            norms = [periodic_norm(kernels[k], of_blocks[k]) for k in big]
            assert own["norm"].to_numpy()[big].tolist() == pytest.approx(norms, rel=1e-7)
            steps = [periodic_norm(kernels[k + 1] - kernels[k], 4) for k in (0, 2)]
            assert own["increment"].to_numpy()[[0, 2]].tolist() == pytest.approx(steps, rel=1e-7)
            assert own["increment"].isna().tolist() == [False, True] * 4  # no step leads from stage to stage
            squares = [(kernels[k + 1] - kernels[k]).square().sum().item() for k in (0, 2, 4, 6)]
            assert own["increment_square"].to_numpy()[::2].tolist() == pytest.approx(squares, rel=1e-7)
            assert own["increment_square"].isna().tolist() == [False, True] * 4
            assert own["layer"].tolist() == list(range(8))
            assert own["stage"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
            drawn = network_of(of).initial(lambda name, seed=seed: [stream(seed, "weights", name)], TensorPlace())
            first = [periodic_norm(drawn[f"{tensor}.{k}"][0], of_blocks[k]) for k in big]
            assert own["initial_norm"].to_numpy()[big].tolist() == pytest.approx(first, rel=1e-7)


def test_the_test_loss_is_that_of_the_trained_network() -> None:
    of = point(training=TRAINING | {"epochs": 1})
    found = logged(of)["networks"].set_index("seed")
    _, test = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"])
    for seed in (7, 8):
        tensors, _ = plain_training(seed, of)
        x = F.relu(F.conv2d(test.inputs, tensors["stem"], padding=1))
        for k, (*_, stride) in enumerate(network_of(of).shapes()):
            inner = F.relu(F.conv2d(x, tensors[f"A.{k}"], stride=stride, padding=1))
            kept = F.conv2d(x, tensors[f"shortcut.{k}"], stride=stride) if f"shortcut.{k}" in tensors else x
            x = F.relu(F.conv2d(inner, tensors[f"Delta.{k}"], padding=1) + kept)
        logits = F.linear(x.mean((2, 3)), tensors["head.weight"], tensors["head.bias"])
        assert found.loc[seed, "test_loss"] == pytest.approx(F.cross_entropy(logits, test.classes).item(), rel=1e-7)
        wrong = (logits.argmax(1) != test.classes).double().mean().item()
        assert found.loc[seed, "test_error"] == pytest.approx(100 * wrong)
        assert not found.loc[seed, "diverged"]


def test_a_training_goes_on_from_a_checkpoint() -> None:
    def run(memory: Memory) -> object:
        cell = Cell("scaling/conv-weights", point(), (7, 8))
        return simulate(cell, Context(cell.seeds, torch.device("cpu"), torch.float64, checkpoint=memory))

    check_resuming(run, saves=2)


def test_a_step_between_different_shapes_is_none() -> None:
    rows = logged(point(model={"width": 2, "doubling": True, "strides": (1, 2, 2, 1)}))["layers"]
    first = rows[(rows["tensor"] == "A") & (rows["layer"] == 2)]
    assert first["increment"].isna().all()
    assert rows[(rows["tensor"] == "Delta") & (rows["layer"] == 2)]["increment"].notna().all()


def test_divergence_is_a_flag() -> None:
    log = logged(point(training=TRAINING | {"lr": 1e20}, dtype="float32"))
    assert log["networks"]["diverged"].all()
    assert log["layers"]["norm"].isna().all()
    assert math.isnan(analysis.measure_growth(log["layers"]).value)


def test_depths_without_known_stages_are_refused() -> None:
    rest = {"data": "digits", "model": point().model.model_dump(), "training": TRAINING, "seeds": 1}
    with pytest.raises(ValidationError, match="no stages are known for 9"):
        spec.Params(**rest, depths=(8, 9))
    with pytest.raises(ValidationError, match="give each value once"):
        spec.Params(**rest, depths=(8, 11, 8))
    assert all(sum(blocks) == depth for depth, blocks in spec.BLOCKS.items())


def layers(step: float, norm: float = 2.0, before: float = 1.0) -> pd.DataFrame:
    """Layers of one norm and one size of steps, both in squares and in operator norms."""
    rows = []
    for seed in SEEDS:
        for depth in (8, 16):
            for k in range(depth):
                jitter = 1 + 0.01 * math.sin(seed + k)
                last = k == depth - 1
                rows.append(
                    (depth, seed, "A", k, before, norm * jitter, math.nan if last else step * jitter, jitter**2)
                )
    names = ["depth", "seed", "tensor", "layer", "initial_norm", "norm", "increment", "square"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(increment_square=2 * (step / norm) ** 2 * frame["square"].where(frame["increment"].notna()))


@pytest.mark.parametrize(
    ("step", "roughness", "judgement"), [(2.0, 1.0, "holds"), (0.4, 0.04, "fails"), (3.0, 2.25, "fails")]
)
def test_roughness_is_one_for_independent_layers(step: float, roughness: float, judgement: str) -> None:
    for measure in (analysis.measure_smallest_roughness, analysis.measure_largest_roughness):
        found = measure(layers(step))
        assert found.value == pytest.approx(roughness, rel=1e-6)
        assert judge(found, Band.model_validate([0.7, 1.2])) == judgement


def test_increments_growth_and_errors_are_ratios_and_medians() -> None:
    assert analysis.measure_increment_ratio(layers(2.8)).value == pytest.approx(1.4, rel=0.01)
    assert judge(analysis.measure_increment_ratio(layers(0.8)), Band.model_validate([1, None])) == "fails"
    flat = {"largest": 0.0, "increment": 0.0, "root_sum_square": 0.5}  # layers of one norm at both depths
    for statistic, slope in flat.items():
        assert analysis.measure_slope(layers(2.8), statistic=statistic).value == pytest.approx(slope, abs=0.02)
    assert analysis.measure_growth(layers(1.0)).value == pytest.approx(2.0, rel=0.02)
    assert judge(analysis.measure_growth(layers(1.0, before=2.0)), Band.model_validate([1.5, None])) == "fails"
    errors = pd.DataFrame([(s, d, e + s) for s in SEEDS for d, e in ((8, 90.0), (16, 5.0), (33, 4.0))])
    errors.columns = pd.Index(["seed", "depth", "test_error"])
    assert analysis.measure_median_test_error(errors).value == pytest.approx(6.5)
    assert (
        judge(analysis.measure_median_test_error(errors.assign(test_error=89.0)), Band.model_validate([None, 15]))
        == "fails"
    )


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps_on_cifar_in_its_true_format(device: str, shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "bin", samples=1)
    sets = [part for setting in ("depths=[8]", "training.epochs=2", "seeds=1") for part in ("--set", setting)]
    where = ("--data-root", tmp_path, "-j", "1", "--device", device)
    ended = shell("run", "scaling/cohen2021-cifar", "--profile", "paper", *where, *sets)
    assert ended.code == 0, ended.err
    networks = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log-networks.parquet")))
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log-layers.parquet")))
    assert not networks["diverged"].any()
    assert set(rows["layer"]) == set(range(8))
    assert (rows["norm"] != rows["initial_norm"]).all()  # both steps moved every layer
