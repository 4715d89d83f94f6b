"""margin/trained-network: training as torch's own, margins image by image, the measures, MNIST in its true format."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin.trained_network import analysis, spec
from resodectl.numerics.draws import TensorPlace
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import unscaled
from tests.simulated import simulated
from tests.true_format import write_mnist


def logged(
    seeds: tuple[int, ...] = (0, 1), optimiser: str = "rmsprop", place: str = "outside", **changes: object
) -> pd.DataFrame:
    run = {"optimiser": optimiser, "epsilon_at": place, "lr": 0.01, "epsilon": 1e-5}
    values = {"data": "digits", "images": 40, "model": {"kind": "perceptron", "hidden": (8,)}, "run": run}
    values |= {"batch": 40, "epochs": 6, "every": 4, "dtype": "float64"}
    return simulated("margin/trained-network", spec.Point(**(values | changes)), seeds)["records"]


def by_torch(seed: int, optimiser: str, batch: int) -> tuple[float, float, float]:
    """Loss, margin and test accuracy after six epochs of one seed, by torch's layers and optimisers, image by image."""
    train, test = train_and_test_images("digits", None, TensorPlace(), unscaled, 40)
    layers = torch.nn.Linear(64, 8, bias=False), torch.nn.Linear(8, 10, bias=False)
    network = torch.nn.Sequential(torch.nn.Flatten(), layers[0], torch.nn.ReLU(), layers[1]).double()
    for level, layer in enumerate(layers, start=1):
        bound = layer.in_features**-0.5
        drawn = stream(seed, f"weight{level}").random(tuple(layer.weight.shape))
        layer.weight.data = torch.from_numpy(bound * (2 * drawn - 1))
    made = {
        "rmsprop": lambda: torch.optim.RMSprop(network.parameters(), lr=0.01, alpha=0.9, eps=1e-5),
        "adagrad": lambda: torch.optim.Adagrad(network.parameters(), lr=0.01, eps=1e-5),
        "momentum": lambda: torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9),
        "adam-momentum": lambda: torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.9, 0.9), eps=1e-5),
    }[optimiser]()
    for epoch in range(6):
        order = torch.arange(40) if batch == 40 else torch.from_numpy(stream(seed, "order", epoch).permutation(40))
        for chosen in order.split(batch):
            made.zero_grad()
            torch.nn.functional.cross_entropy(network(train.inputs[chosen]), train.classes[chosen]).backward()
            made.step()
    outputs = network(train.inputs).detach()
    margins = []
    for row, answer in zip(outputs.numpy(), train.classes.numpy(), strict=True):
        margins.append(row[answer] - max(np.delete(row, answer)))
    norm = sum(layer.weight.square().sum().item() for layer in layers)
    loss = torch.nn.functional.cross_entropy(outputs, train.classes).item()
    accuracy = (network(test.inputs).argmax(1) == test.classes).double().mean().item()
    return loss, min(margins) / norm, accuracy


@pytest.mark.parametrize("batch", [40, 16])
@pytest.mark.parametrize("optimiser", ["rmsprop", "adagrad", "momentum", "adam-momentum"])
def test_with_epsilon_outside_the_root_training_is_torch_s_own(optimiser: str, batch: int) -> None:
    rows = logged((3, 4), optimiser, batch=batch)
    for seed in (3, 4):
        row = rows[(rows["seed"] == seed) & (rows["epoch"] == 6)].iloc[0]
        loss, margin, accuracy = by_torch(seed, optimiser, batch)
        assert row["train_loss"] == pytest.approx(loss, rel=1e-9)
        assert row["margin"] == pytest.approx(margin, rel=1e-7)
        assert row["test_accuracy"] == pytest.approx(accuracy)


def test_the_place_of_epsilon_changes_rmsprop_and_not_momentum() -> None:
    for optimiser, alike in (("rmsprop", False), ("momentum", True)):
        inside, outside = (logged((0,), optimiser, place)["train_loss"].iloc[-1] for place in ("inside", "outside"))
        assert (abs(inside / outside - 1) < 1e-12) == alike


def test_records_come_at_the_beginning_every_few_epochs_and_at_the_end() -> None:
    assert logged()["epoch"].unique().tolist() == [0, 4, 6]


def test_what_cannot_be_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValidationError, match="28 x 28 pixels"):
        logged(model={"kind": "convolutional"})
    with pytest.raises(ValidationError, match="only 40 training images"):
        logged(batch=41)
    run = {"optimiser": "adam", "epsilon_at": "inside", "lr": 0.1, "epsilon": 0.0}
    values = {"data": "digits", "images": 40, "model": {"kind": "perceptron", "hidden": (8,)}, "batch": 40}
    with pytest.raises(ValidationError, match="give each optimiser once"):
        spec.Params(**values, epochs=1, every=1, dtype="float64", seeds=1, runs=(run, {**run, "lr": 0.2}))


def records(margins: dict[str, tuple[float, float]], place: str = "outside") -> pd.DataFrame:
    """Two records of each optimiser, of losses 1 and 1e-3, for two seeds."""
    return pd.DataFrame(
        [
            {"seed": seed, "optimiser": name, "epsilon_at": place, "epoch": 5 * index, "train_loss": (1.0, 1e-3)[index]}
            | {"margin": margin, "train_accuracy": 1.0 * index}
            for seed in (0, 1)
            for name, own in margins.items()
            for index, margin in enumerate(own)
        ]
    )


@pytest.mark.parametrize(("margin", "judgement"), [(0.2, "holds"), (0.39, "fails"), (math.nan, "unclear")])
def test_adagrad_is_compared_with_the_smallest_of_the_others(margin: float, judgement: str) -> None:
    rows = records({"adagrad": (-1.0, margin), "adam": (-1.0, 0.4), "rmsprop": (-1.0, 0.9)})
    band = Band(low=0.0, high=0.75)
    assert judge(analysis.measure_ratio_at_loss(rows, loss=2e-3), band) == judgement
    assert judge(analysis.measure_ratio_at_end(rows), band) == judgement
    if judgement == "holds":
        assert analysis.measure_ratio_at_end(rows).value == pytest.approx(0.5)
        assert analysis.measure_ratio_at_loss(rows, loss=2.0).value == pytest.approx(1.0)


def test_margins_are_compared_at_the_loss_itself_and_not_at_the_record_below_it() -> None:
    rows = records({"adagrad": (0.1, 0.4), "adam": (0.2, 0.8)})
    fast = rows["train_loss"].where((rows["optimiser"] != "adam") | (rows["epoch"] == 0), 1e-6)
    found = analysis.measure_ratio_at_loss(rows.assign(train_loss=fast), loss=1e-3)
    assert found.value == pytest.approx(0.4 / 0.5)


def test_a_loss_that_an_optimiser_does_not_reach_leaves_no_number() -> None:
    rows = records({"adagrad": (-1.0, 0.2), "adam": (-1.0, 0.4)})
    assert math.isnan(analysis.measure_ratio_at_loss(rows, loss=1e-4).value)
    lagging = rows.assign(train_loss=np.where(rows["optimiser"] == "adam", 1.0, rows["train_loss"]))
    assert math.isnan(analysis.measure_ratio_at_loss(lagging, loss=2e-3).value)


def test_inside_is_compared_with_outside_and_the_worst_accuracy_counts() -> None:
    both = pd.concat([records({"adam": (0.0, 0.4)}), records({"adam": (0.0, 0.1)}, "inside")])
    assert analysis.measure_inside_over_outside(both).value == pytest.approx(0.25)
    assert math.isnan(analysis.measure_inside_over_outside(records({"adam": (0.0, 0.4)})).value)
    assert math.isnan(analysis.measure_ratio_at_end(records({"adam": (0.0, 0.4)})).value)
    assert analysis.measure_least_accuracy(both).value == 1
    assert analysis.measure_least_accuracy(both[both["epoch"] == 0]).value == 0


def test_the_figure_has_the_paper_s_four_panels() -> None:
    recipe = load.load(shipped()["margin/wang2021-network"])
    rows = pd.concat(
        [logged(optimiser=name, place=place) for name in ("adam", "adagrad") for place in ("outside", "inside")]
    )
    figure = analysis.draw_curves({"records": rows}, recipe)
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "test accuracy (%)", "training accuracy (%)", "training loss", "normalised margin",
    ]  # fmt: skip
    assert len(figure.axes[2].lines) == 4


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps_on_mnist_in_its_true_format(device: str, shell, tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=False)
    adagrad = "{optimiser: adagrad, epsilon_at: outside, lr: 0.01, epsilon: 1.0e-10}"
    adam = "{optimiser: adam-momentum, epsilon_at: inside, lr: 0.001, epsilon: 1.0e-5}"
    small = (f"runs=[{adagrad}, {adam}]", "images=5", "batch=5", "epochs=2", "every=1")  # one batch an epoch
    sets = [part for setting in small for part in ("--set", setting)]
    where = ("--data-root", tmp_path, "--device", device, "--seeds", "1", "-j", "1")
    ended = shell("run", "margin/wang2021-network", "--profile", "paper", *where, *sets)
    assert ended.code == 0, ended.err
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log*.parquet")))
    assert len(rows) == 2 * 3
    assert not rows["diverged"].any()
    losses = rows.pivot(index="epoch", columns=["optimiser", "epsilon_at"], values="train_loss")
    assert losses.loc[0].to_numpy() == pytest.approx(math.log(10), abs=0.1)
    assert (losses.loc[1] != losses.loc[2]).all()
    assert list(tmp_path.glob("runs/*/*/*/figure.png"))
