"""lazy/kernel-spectrum: the kernel by single gradients, the law of independent gradients, the measures, CIFAR-10."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from resodectl.claims.verdict import judge
from resodectl.datasets.load import load as load_data
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.lazy.kernel_spectrum import analysis, spec
from resodectl.families.lazy.kernel_spectrum.simulation import _independent
from resodectl.families.lazy.scaled_training import network_of
from resodectl.numerics.networks.rectified import xavier
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from resodectl.training.scalings import STANDARDISED
from tests.simulated import simulated
from tests.true_format import write_cifar10

VALUES = {
    "data": "digits",
    "sample_size": 6,
    "network": {"kind": "plain", "groups": ((4,), (3,))},
    "gain": 2.0,
    "steps": (1, 20),
    "block": 4,
    "dtype": "float64",
}


def logged(source: str, seeds: tuple[int, ...] = (0, 1), **changes: object) -> dict[str, pd.DataFrame]:
    return simulated("lazy/kernel-spectrum", spec.Point(**(VALUES | changes), source=source), seeds)


def by_single_gradients(seed: int) -> tuple[np.ndarray, torch.Tensor]:
    """The kernel of the digits of a seed from one gradient at a time, and their classes."""
    point = spec.Point(**VALUES, source="images")
    network = network_of(point.network, "digits")
    weights = xavier(network, lambda name: [stream(seed, name)], 2.0).requires_grad_()
    data = load_data("digits", None)
    pixels = torch.from_numpy(data.train.inputs).double() / 16
    mean, spread = STANDARDISED["digits"](pixels)
    chosen = stream(seed, "images").permutation(1797)[:6]
    outputs = network.outputs(weights, (pixels[chosen] - mean) / spread)[0].flatten()
    rows = torch.stack([torch.autograd.grad(value, weights, retain_graph=True)[0][0] for value in outputs])
    return (rows @ rows.T).numpy(), torch.from_numpy(data.train.labels)[chosen]


def test_eigenvalues_and_descent_are_those_of_single_gradients_and_of_steps() -> None:
    log = logged("images", (2,))
    gram, classes = by_single_gradients(2)
    expected = np.linalg.eigvalsh(gram)[::-1]
    assert log["spectra"]["eigenvalue"].to_numpy() == pytest.approx(expected, rel=1e-8, abs=1e-9 * expected[0])
    targets = torch.nn.functional.one_hot(classes, 10).double()
    error = start = (targets - targets.mean(0)).flatten().numpy()
    left = {}
    for step in range(1, 21):
        error = error - gram @ error / expected[0]
        left[step] = (error @ error) / (start @ start)
    assert log["descent"]["residual"].tolist() == pytest.approx([left[1], left[20]], rel=1e-8)


def test_the_whole_kernel_has_no_error_and_each_layer_is_missed() -> None:
    rows = logged("uniform")["layers"]
    whole, missing = rows[rows["layer"] == 0], rows[rows["layer"] > 0]
    assert sorted(rows["layer"].unique()) == [0, 1, 2, 3]
    assert (whole["product_error"] < 1e-12).all()
    assert whole["homogeneity"].to_numpy() == pytest.approx([3.0, 3.0], rel=1e-10)
    assert (missing["product_error"] > 1e-3).all()
    assert missing["homogeneity"].to_numpy() == pytest.approx([2.0] * 6, rel=1e-10)
    assert (missing.groupby("seed")["trace"].sum() / whole.set_index("seed")["trace"]).tolist() == pytest.approx([2, 2])


def test_random_pixels_are_those_of_images_in_range_and_not_those_of_the_images() -> None:
    images, uniform = (logged(source)["spectra"]["eigenvalue"].to_numpy() for source in ("images", "uniform"))
    assert not np.allclose(images, uniform)
    assert (images > 0).all()


def test_independent_gradients_have_marchenko_and_pastur_s_edges() -> None:
    values = np.linalg.eigvalsh(_independent(300, 3000, stream(0, "g")).numpy()) / 3000
    root = math.sqrt(0.1)
    assert values[[0, -1]] == pytest.approx([(1 - root) ** 2, (1 + root) ** 2], rel=0.05)
    assert values.mean() == pytest.approx(1, rel=0.01)
    assert logged("independent")["layers"]["product_error"].isna().all()
    few = np.linalg.eigvalsh(_independent(20, 8, stream(0, "g")).numpy())
    assert (few[12:] > 1e-3).all()
    assert np.abs(few[:12]).max() < 1e-9


def spectra(values: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"source": source, "seed": seed, "index": place + 1, "eigenvalue": value * (1 + seed)}
            for source, own in values.items()
            for seed in (0, 1)
            for place, value in enumerate(own)
        ]
    )


@pytest.mark.parametrize(("middle", "judgement"), [(1e-3, "holds"), (0.1, "fails"), (0.0, "unclear")])
def test_eigenvalues_are_compared_with_the_largest(middle: float, judgement: str) -> None:
    rows = spectra({"images": [5.0, 5 * middle, 0.001 * middle, 1e-5 * middle]})
    assert judge(analysis.measure_log10_eigenvalue(rows, at=0.5), Band(low=-3.5, high=-2.5)) == judgement


def test_the_gap_is_that_of_images_minus_the_other_source() -> None:
    rows = spectra({"images": [1.0, 1e-2], "uniform": [3.0, 3e-5]})
    assert analysis.measure_log10_gap(rows, at=1.0).value == pytest.approx(3.0)


def test_the_other_measures_take_the_last_steps_and_the_worst_product() -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "steps": [1, 9, 1, 9], "residual": [0.9, 0.1, 0.8, 0.3]})
    assert analysis.measure_residual(rows).value == pytest.approx(0.2)
    layers = pd.DataFrame(
        {"seed": [0, 0, 1, 1], "product_error": [0.0, 0.2, 0.4, 0.1], "homogeneity": [4.0, 4.0, 4.0, 4.0]}
    )
    assert analysis.measure_product_error(layers).value == pytest.approx(0.3)
    assert analysis.measure_homogeneity(layers).value == 4


def test_the_figure_shows_spectra_and_descent() -> None:
    recipe = load.load(shipped()["lazy/chizat2019-kernel-spectrum"])
    logs = [logged(source) for source in spec.SOURCES]
    log = {kind: pd.concat([part[kind] for part in logs]) for kind in ("spectra", "layers", "descent")}
    figure = analysis.draw_spectra(log, recipe)
    assert [len(ax.lines) >= 3 for ax in figure.axes] == [True, True]


def test_the_paper_s_setting_is_valid_and_a_narrow_network_gives_a_kernel_on_cifar(shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py")
    asked = ("run", "lazy/chizat2019-kernel-spectrum", "--profile", "paper", "--data-root", tmp_path, "--seeds", "1")
    assert shell(*asked, "--dry-run").code == 0
    narrow = "network={kind: plain, groups: [[4], [4], [4, 4], [4, 4], [4, 4]]}"
    sets = [part for value in ("sample_size=4", "block=3", narrow) for part in ("--set", value)]
    ended = shell(*asked, "-j", "1", *sets)
    assert ended.code == 0, ended.err
    rows = pd.read_parquet(next(tmp_path.glob("runs/*/*/*/log-layers.parquet")))
    whole = rows[(rows["layer"] == 0) & (rows["source"] != "independent")]
    assert whole["homogeneity"].to_numpy() == pytest.approx([9.0, 9.0], rel=1e-9)
    assert (whole["product_error"] < 1e-12).all()
