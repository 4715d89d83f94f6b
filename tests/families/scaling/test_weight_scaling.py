"""scaling/weight-scaling: trainings against a plain loop with torch's Adam, and what stops them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context, stream
from resodectl.families.scaling.weight_scaling import spec
from resodectl.families.scaling.weight_scaling.simulation import _note, simulate
from tests.resuming import Memory, check_resuming
from tests.simulated import simulated
from tests.true_format import write_mnist

TANH = {"activation": "tanh", "delta": "shared"}
RELU = {"activation": "relu", "delta": "layers"}
TRAINING = {"lr": 0.01, "batch": 32, "epochs": 3, "tolerance": 1e-9}
SHAPES = {"A": (6, 10, 10), "b": (6, 10)}


def point(**changes) -> spec.Point:
    values = {"task": "ode", "data": None, "depth": 6, "train_size": 96, "test_size": 32, "bins": 3} | TANH
    values |= {"initial": {"kind": "xavier-depth", "scale": 0.5}, "training": TRAINING, "dtype": "float64"}
    return spec.Point(**(values | changes))


def logged(of: spec.Point, seeds=(7, 8)) -> dict[str, pd.DataFrame]:
    return simulated("scaling/weight-scaling", of, seeds)


def plain_pairs(seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (x, z_n), by the recursion, an example at a time."""
    rows = []
    for x in 2 * stream(seed, "pairs").random((size, 10)) - 1:
        z = x
        for t in range(100):
            z = z + np.tanh(np.sin(5 * np.pi * t / 100) * z + np.cos(5 * np.pi * t / 100)) / 10
        rows.append((x / np.linalg.norm(x), z / np.linalg.norm(z)))
    return tuple(torch.from_numpy(np.array(part)) for part in zip(*rows, strict=True))  # type: ignore[return-value]


def plain_training(seed: int, of: spec.Point) -> dict[str, float]:
    """One network by torch.optim.Adam and automatic differentiation."""
    x, y = plain_pairs(seed, of.train_size + of.test_size)
    scale = of.initial.scale / of.depth
    A = torch.from_numpy(stream(seed, "A").standard_normal((of.depth, 10, 10))) * scale / 10
    b = torch.from_numpy(stream(seed, "b").standard_normal((of.depth, 10))) * scale / math.sqrt(10)
    if of.delta == "layers":
        delta = torch.from_numpy(stream(seed, "delta").standard_normal(of.depth)) / of.depth
    else:
        delta = torch.full((1,), 1 / of.depth, dtype=torch.float64)
    leaves = [tensor.requires_grad_() for tensor in (A, b, delta)]
    optimiser = torch.optim.Adam(leaves[:2] if of.delta == "fixed" else leaves, lr=of.training.lr)
    act = torch.tanh if of.activation == "tanh" else lambda z: torch.maximum(z, of.leak * z)

    def loss(rows: slice, A=A, b=b, delta=delta) -> torch.Tensor:
        h = x[rows]
        for k in range(of.depth):
            h = h + (delta[k] if of.delta == "layers" else delta.abs()) * act(h @ A[k].T + b[k])
        return (h - y[rows]).square().mean()

    for epoch in range(of.training.epochs):
        losses = []
        for batch in stream(seed, "order", epoch).permutation(of.train_size // of.training.batch):
            value = loss(slice(batch * of.training.batch, (batch + 1) * of.training.batch))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            losses.append(value.item())
        if np.mean(losses) < of.training.tolerance:
            break
    size = delta.abs() if of.delta == "layers" else torch.ones(of.depth, dtype=torch.float64)
    path, shift = (A * size[:, None, None]).detach(), (b * size[:, None]).detach()
    squares = path.square().sum((1, 2))
    bins = [k * of.bins // of.depth for k in range(of.depth)]
    with torch.no_grad():
        means = [
            torch.stack([p[[j for j in range(of.depth) if bins[j] == n]].mean(0) for n in bins]) for p in (path, shift)
        ]
        trend_loss = loss(slice(of.train_size), *means, delta.sign() if of.delta == "layers" else delta)
        pairs = [p.unflatten(0, (-1, 2)).mean(1).repeat_interleave(2, 0) for p in (path, shift)]
        pair_loss = loss(slice(of.train_size), *pairs, delta.sign() if of.delta == "layers" else delta)
        return {
            "epochs": epoch + 1,
            "epoch_loss": np.mean(losses),
            "train_loss": loss(slice(of.train_size)).item(),
            "test_loss": loss(slice(of.train_size, None)).item(),
            "trend_loss": trend_loss.item(),
            "pair_loss": pair_loss.item(),
            "largest_delta": delta.abs().max().item(),
            "largest": squares.max().sqrt().item(),
            "residual": ((delta.abs() if of.delta != "layers" else 1) * A.detach().norm(dim=(1, 2)) * size)
            .max()
            .item(),
            "largest_share": (squares.max() / squares.sum()).item(),
            "root_sum_square": squares.sum().sqrt().item(),
            "total": path.sum(0).norm().item(),
            "roughness": ((path[1:] - path[:-1]).square().sum() / (of.depth - 1) / (2 * squares.mean())).item(),
            "trend_share": (means[0].square().sum() / squares.sum()).item(),
            "trace": path[2].trace().item(),
            "bias_entry": shift[2, 5 if of.activation == "tanh" else 6].item(),
            "matrix_entry": path[2][(7, 9) if of.activation == "tanh" else (7, 7)].item(),
        }


@pytest.mark.parametrize(
    "network", [TANH, RELU, TANH | {"delta": "fixed"}, RELU | {"delta": "shared"}, RELU | {"leak": 0.2}]
)
def test_all_seeds_at_once_are_the_plain_trainings_of_each(network: dict) -> None:
    of = point(**network)
    log = logged(of)
    for seed in (7, 8):
        expected = plain_training(seed, of)
        weights = log["weights"].query(f"tensor == 'A' and seed == {seed}").iloc[0]
        training = log["training"].query(f"seed == {seed}").iloc[0]
        entries = log["entries"].query(f"layer == 2 and seed == {seed}").iloc[0]
        found = {**weights, **training, **entries}
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-7), seed
        assert training["stopped"] == "epochs"


@pytest.mark.parametrize("network", [TANH, RELU])
def test_a_training_goes_on_from_a_checkpoint(network: dict) -> None:
    def run(memory: Memory) -> object:
        cell = Cell("scaling/weight-scaling", point(**network), (7, 8))
        return simulate(cell, Context(cell.seeds, torch.device("cpu"), torch.float64, checkpoint=memory))

    check_resuming(run, saves=3)


def test_entries_are_listed_layer_by_layer_of_every_seed() -> None:
    log = logged(point(**RELU))
    entries = log["entries"]
    assert list(zip(entries["seed"], entries["layer"], strict=True)) == [(s, k) for s in (7, 8) for k in range(6)]
    steps = entries.groupby("seed")["step"]
    assert steps.apply(lambda own: own.abs().max()).tolist() == log["training"]["largest_delta"].tolist()
    assert steps.nunique().tolist() == [6, 6]
    assert logged(point())["entries"].groupby("seed")["step"].nunique().tolist() == [1, 1]


def test_the_noise_is_what_the_means_of_the_bins_leave() -> None:
    """Of three bins of two layers: half the difference d of each two, and its negative; the squares of steps follow."""
    rows = logged(point(training=TRAINING | {"lr": 1e-12}))
    initial = torch.from_numpy(stream(7, "b").standard_normal((6, 10))) * 0.5 / 6 / math.sqrt(10)
    halves = (initial[::2] - initial[1::2]) / 2
    noise = torch.stack([halves, -halves], 1).flatten(0, 1)
    jumps, squares = noise.diff(dim=0).square().sum(1).mean(), noise.square().sum(1).mean()
    found = rows["weights"].query("tensor == 'b' and seed == 7").iloc[0]
    assert found["noise_roughness"] == pytest.approx(float(jumps / (2 * squares)), rel=1e-6)
    trend = (initial[::2] + initial[1::2]) / 2
    assert found["trend_share"] == pytest.approx(float(2 * trend.square().sum() / initial.square().sum()), rel=1e-6)
    assert logged(point(bins=6))["weights"]["noise_roughness"].isna().all()


@pytest.mark.parametrize(("factor", "stopped", "waited"), [(0.991, "patience", 3), (0.989, "running", 2)])
def test_only_a_loss_a_hundredth_below_the_best_one_starts_the_wait_anew(factor, stopped, waited) -> None:
    kept = {"best": [math.inf], "waited": [0], "stopped": ["running"], "epochs": [0], "losses": [math.nan]}
    of = point(training=TRAINING | {"epochs": 50, "patience": 3})
    for epoch, loss in enumerate([1.0, factor, factor, factor]):
        _note(kept, {0: loss}, epoch, of)
    assert (kept["stopped"], kept["waited"], kept["epochs"], kept["losses"]) == ([stopped], [waited], [4], [factor])


@pytest.mark.parametrize(("kind", "scale"), [("xavier", 0.5), ("xavier-depth", 0.5 / 6)])
def test_entries_start_with_a_deviation_of_the_scale_over_the_root_of_the_width(kind: str, scale: float) -> None:
    """Matrices of 0.5 / 10, biases of 0.5 / sqrt(10), six times smaller each where the depth divides them."""
    log = logged(point(initial={"kind": kind, "scale": 0.5}, training=TRAINING | {"lr": 1e-12}))
    for seed, entries in log["entries"].groupby("seed"):
        matrices, biases = (stream(seed, name).standard_normal(shape) for name, shape in SHAPES.items())
        assert entries["matrix_entry"].to_numpy() == pytest.approx(scale / 10 * matrices[:, 7, 9], rel=1e-6)
        assert entries["bias_entry"].to_numpy() == pytest.approx(scale / math.sqrt(10) * biases[:, 5], rel=1e-6)
        assert (entries["step"] - 1 / 6).abs().max() < 1e-9


def test_each_seed_stops_for_itself_and_then_keeps_its_weights() -> None:
    losses = [plain_training(seed, point(training=TRAINING | {"epochs": 1}))["epoch_loss"] for seed in (7, 8)]
    of = point(training=TRAINING | {"tolerance": (losses[0] + losses[1]) / 2})
    training = logged(of)["training"].set_index("seed")
    first, second = (7, 8) if losses[0] < losses[1] else (8, 7)
    assert training.loc[first, "epochs"] == 1
    assert training.loc[second, "epochs"] > 1
    for seed in (7, 8):
        expected = plain_training(seed, of)
        assert training.loc[seed, "train_loss"] == pytest.approx(expected["train_loss"], rel=1e-9)
    assert training.loc[first, "stopped"] == "tolerance"


def test_a_training_that_no_longer_improves_stops_by_its_patience() -> None:
    of = point(training=TRAINING | {"lr": 1e-9, "epochs": 20, "patience": 4})
    training = logged(of)["training"]
    assert (training["epochs"] == 5).all()  # the first epoch improves on nothing
    assert (training["stopped"] == "patience").all()


def test_divergence_is_a_reason_to_stop_and_no_crash() -> None:
    of = point(**RELU, training=TRAINING | {"lr": 1e30}, dtype="float32")
    training = logged(of)["training"]
    assert (training["stopped"] == "divergence").all()
    assert not np.isfinite(training["epoch_loss"]).any()


def test_a_seed_learns_the_same_in_every_block() -> None:
    alone, together = logged(point(), seeds=(8,)), logged(point(), seeds=(7, 8))
    for kind, rows in together.items():
        own = rows[rows["seed"] == 8].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone[kind], own, rtol=1e-9)


@pytest.mark.parametrize("name", ["tanh-exponents", "relu-roughness"])
def test_the_paper_s_networks_take_two_steps_on_mnist_in_its_true_format(name: str, shell, tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=True)
    sets = ("tasks=[mnist]", "depths=[512, 1024]", "training.epochs=2", "training.batch=5")
    given = [part for setting in sets for part in ("--set", setting)]
    where = ("--data-root", tmp_path, "--seeds", "1", "-j", "1")
    ended = shell("run", f"scaling/cohen2021-{name}", "--profile", "paper", *where, *given)
    assert ended.code == 0, ended.err
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log-training.parquet")))
    assert set(rows["task"]) == {"mnist"}
    assert (rows["epochs"] == 2).all()  # one batch an epoch
    assert np.isfinite(rows["epoch_loss"]).all()
    assert list(tmp_path.glob("runs/*/*/*/figure.png"))


def test_the_first_images_of_mnist_are_a_task_without_a_folder() -> None:
    images = {"task": "mnist-10k", "data": "mnist-10k", "train_size": 4000, "dtype": "float32"}
    rows = logged(point(**images, depth=3, training=TRAINING | {"batch": 4000, "epochs": 2}))["training"]
    assert (rows["epochs"] == 2).all()
    assert rows["train_loss"].between(0, 0.08).all()  # about 2/25 for unit vectors that know nothing of each other


def test_what_cannot_be_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValidationError, match="for relu only"):
        spec.Network(activation="tanh", delta="layers")
    with pytest.raises(ValidationError, match="tanh has no slope below zero"):
        spec.Network(activation="tanh", delta="shared", leak=0.1)
    with pytest.raises(ValidationError, match="a batch of 128 does not fit into 96 training pairs"):
        point(training=TRAINING | {"batch": 128})


@pytest.mark.parametrize("name", ["tasks", "networks", "depths"])
def test_what_the_log_cannot_tell_apart_is_refused(name: str) -> None:
    lists = {"tasks": ("ode",), "networks": (TANH,), "depths": (4,)}
    settings = {"initial": {"kind": "xavier", "scale": 1.0}, "training": TRAINING, "seeds": 1}
    spec.Params.model_validate(settings | lists)
    with pytest.raises(ValidationError, match="give each value once"):
        spec.Params.model_validate(settings | lists | {name: lists[name] * 2})


def test_a_linear_network_is_a_relu_network_without_a_kink() -> None:
    log = logged(point(**RELU, leak=1.0, training=TRAINING | {"epochs": 1}))
    leaky = logged(point(**RELU, leak=1 - 1e-9, training=TRAINING | {"epochs": 1}))
    for name in ("train_loss", "test_loss", "trend_loss"):
        assert log["training"][name].to_numpy() == pytest.approx(leaky["training"][name].to_numpy(), rel=1e-6)


def test_a_batch_that_does_not_fit_into_mnist_is_refused(shell, tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=False)
    ended = shell(
        "run", "scaling/cohen2021-tanh-exponents", "--profile", "paper", "--data-root", tmp_path, "--seeds", "1",
        "-j", "1", "--set", "tasks=[mnist]", "--set", "depths=[4]",
    )  # fmt: skip
    assert ended.code == 3
    assert "a batch of 32 does not fit into 5 training pairs" in ended.err
