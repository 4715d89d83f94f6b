"""lazy/cnn-table: training as torch's own, features and their classifiers against plain formulas, the measures."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.lazy.cnn_table import analysis, spec
from resodectl.families.lazy.cnn_table.features import (
    patch_features,
    ridge_accuracies,
    wavelet_moduli,
    whitened_patches,
)
from resodectl.families.lazy.scaled_training import network_of
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.networks.rectified import xavier
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from resodectl.training.images import Images, train_and_test_images
from resodectl.training.scalings import STANDARDISED
from tests.simulated import simulated
from tests.true_format import write_cifar10

NETWORK = {"kind": "residual", "stages": ((3, 1), (4, 1))}
TRAINED = {"network": NETWORK, "gain": 1.5, "lr": 0.05, "epochs": (1, 3)}
VALUES = {"data": "digits", "images": 40, "loss": "cross-entropy", "batch": 16, "lr_halved_at": 2.0, "augment": False}


def logged(seeds: tuple[int, ...] = (0, 1), **method: object) -> pd.DataFrame:
    return simulated("lazy/cnn-table", spec.Point(**VALUES, dtype="float64", method=method), seeds)["table"]


def test_a_standard_network_is_trained_by_torch_s_sgd() -> None:
    rows = logged((4,), kind="standard", **TRAINED)
    assert rows["epoch"].tolist() == [1, 3]
    train, test = train_and_test_images("digits", None, TensorPlace(), STANDARDISED["digits"], 40, random=True)
    network = network_of(spec.Standard(kind="standard", **TRAINED).network, "digits")
    weights = xavier(network, lambda name: [stream(4, name)], 1.5).requires_grad_()
    optimiser = torch.optim.SGD([weights], lr=1.0, momentum=0.9)
    for epoch in range(3):
        optimiser.param_groups[0]["lr"] = 0.05 / (1 + epoch / 2)
        for chosen in torch.from_numpy(stream(4, "order", epoch).permutation(40)).split(16):
            loss = torch.nn.functional.cross_entropy(
                network.outputs(weights, train.inputs[chosen])[0], train.classes[chosen]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    found = rows.set_index("epoch").loc[3]
    for name, images in (("train_accuracy", train), ("test_accuracy", test)):
        right = (network.outputs(weights, images.inputs)[0].argmax(1) == images.classes).double().mean().item()
        assert found[name] == pytest.approx(right)


def test_a_linearised_network_does_not_depend_on_its_huge_alpha() -> None:
    small, large = (logged(kind="linearised", alpha=alpha, **TRAINED) for alpha in (1e6, 1e8))
    assert small["test_accuracy"].tolist() == pytest.approx(large["test_accuracy"].tolist(), abs=2e-3)
    assert not np.allclose(small["test_accuracy"], logged(kind="standard", **TRAINED)["test_accuracy"])


def test_wavelets_see_waves_along_their_direction_and_no_constant() -> None:
    at = torch.arange(16, dtype=torch.float64)
    along = torch.cos(2 * math.pi / 4 * at).expand(16, 16)  # varies to the right, with four pixels a period
    images = torch.stack([along, along.T, torch.ones(16, 16, dtype=torch.float64)]).unsqueeze(1)
    features = wavelet_moduli(images, scales=1, orientations=2, grid=4).view(3, 3, 4, 4)[:, :, 1:3, 1:3].mean((2, 3))
    right, down, flat = features
    assert right[1] > 5 * right[2]
    assert down[2] > 5 * down[1]
    assert flat[0].item() == pytest.approx(1.0)
    assert flat[1:].abs().max().item() < 1e-12


def test_products_with_whitened_patches_have_unit_variance_and_no_mean() -> None:
    images = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(3) + 3
    filters, shift = whitened_patches(images, 20, 3, stream(0, "patches"))
    products = torch.nn.functional.conv2d(images, filters, -shift)
    assert products.mean((0, 2, 3)).abs().max().item() < 1e-10
    assert products.var((0, 2, 3)).numpy() == pytest.approx(np.ones(20), rel=1e-3)
    features = patch_features(images, filters, shift, 2)
    assert features.shape == (50, 20 * 2 * 4)
    assert (features >= 0).all()


@pytest.mark.parametrize("count", [5, 60])
def test_the_classifier_is_ridge_regression_in_both_forms(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    train, test = (torch.randn(30, count, generator=generator, dtype=torch.float64) for _ in range(2))
    classes = torch.arange(30) % 10
    answers = Images(train, classes), Images(test, classes)
    mean, spread = train.mean(0), train.std(0, correction=0)
    z, targets = ((train - mean) / spread).numpy(), torch.nn.functional.one_hot(classes, 10).double().numpy()
    weights = np.linalg.solve(z.T @ z + 0.1 * 30 * np.eye(count), z.T @ (targets - targets.mean(0)))
    for found, features in zip(ridge_accuracies(train, test, answers, 0.1), (train, test), strict=True):
        scores = ((features - mean) / spread).numpy() @ weights + targets.mean(0)
        assert found == pytest.approx((scores.argmax(1) == classes.numpy()).mean())


def test_features_are_far_better_than_chance_and_prior_ones_do_not_depend_on_the_seed() -> None:
    prior = logged(kind="prior-features", scales=1, orientations=4, grid=4, ridge=0.1)
    drawn = logged(kind="random-features", patches=30, side=3, grid=4, ridge=0.1)
    assert prior["test_accuracy"].nunique() == 1
    assert drawn["test_accuracy"].nunique() == 2
    assert (pd.concat([prior, drawn])["test_accuracy"] > 0.6).all()


def rows_of(values: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Test accuracies 0.1 after one epoch and `values` after nine, for two seeds that differ a little."""
    return pd.DataFrame(
        [
            {"method": method, "network": network, "seed": seed, "epoch": epoch, "train_accuracy": 1.0}
            | {"test_accuracy": 0.1 if epoch == 1 else value + 0.001 * seed}
            for (method, network), value in values.items()
            for seed in (0, 1)
            for epoch in (1, 9)
        ]
    )


@pytest.mark.parametrize(("standard", "judgement"), [(0.9, "holds"), (0.8, "fails"), (math.nan, "unclear")])
def test_the_lead_is_that_of_the_higher_method_over_the_lower(standard: float, judgement: str) -> None:
    rows = rows_of({("linearised", "plain"): 0.8, ("standard", "plain"): standard})
    assert judge(analysis.measure_lead(rows), Band(low=0.05, high=0.15)) == judgement
    assert math.isnan(analysis.measure_lead(rows[rows["method"] == "standard"]).value)
    assert math.isnan(analysis.measure_accuracy(rows).value)
    if judgement == "holds":
        assert analysis.measure_accuracy(rows[rows["method"] == "standard"]).value == pytest.approx(0.9005)


def test_a_classifier_in_closed_form_is_compared_at_its_only_record() -> None:
    rows = rows_of({("linearised", "plain"): 0.8, ("prior-features", "none"): 0.9})
    rows = rows[(rows["method"] == "linearised") | (rows["epoch"] == 9)]
    rows.loc[rows["method"] == "prior-features", "epoch"] = 0
    assert analysis.measure_lead(rows).value == pytest.approx(0.1)
    assert analysis.measure_lead(rows[rows["epoch"] <= 1]).value == pytest.approx(0.8, abs=0.002)


def test_the_figure_has_a_line_for_each_row_of_the_table() -> None:
    recipe = load.load(shipped()["lazy/chizat2019-cnn-table"])
    rows = rows_of({(method, network): 0.9 for method, network, *_ in analysis.TABLE})
    (ax,) = analysis.draw_table({"table": rows}, recipe).axes
    assert len(ax.get_yticklabels()) == 6


def test_the_paper_s_setting_is_valid_and_narrower_networks_train_on_cifar(shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py")
    asked = ("run", "lazy/chizat2019-cnn-table", "--profile", "paper", "--data-root", tmp_path, "--seeds", "1")
    assert shell(*asked, "--dry-run").code == 0
    plain = "{kind: plain, groups: [[8], [8], [8, 8], [8, 8], [8, 8]]}"
    residual = "{kind: residual, stages: [[8, 2], [8, 2], [8, 2], [8, 2]]}"
    methods = ", ".join(
        f"{{kind: {kind}, network: {network}, gain: 1.3, lr: 0.01, epochs: [1]}}"
        for kind in ("linearised", "standard")
        for network in (plain, residual)
    )
    features = "{kind: prior-features, scales: 3, orientations: 8, grid: 8, ridge: 1.0e-3}"
    patches = "{kind: random-features, patches: 16, side: 6, grid: 2, ridge: 1.0e-3}"
    ended = shell(*asked, "-j", "1", "--set", f"methods=[{methods}, {features}, {patches}]")
    assert ended.code == 0, ended.err
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log*.parquet")))
    assert len(rows) == 6
    assert rows["test_accuracy"].between(0, 1).all()
