"""scaling/fbm-paths: paths with the covariance of fractional Brownian motion, and measures that tell others apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.scaling.fbm_paths import analysis, spec
from resodectl.numerics.weights.processes import fractional_noise
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = tuple(range(4))


def logged(seeds=SEEDS, **changes):
    defaults = {"hurst": 0.8, "steps": 64, "paths": 2000, "ablation": "none", "dtype": "float64"}
    return simulated("scaling/fbm-paths", spec.Point(**(defaults | changes)), seeds)


def test_a_path_is_the_sum_of_its_noise_and_starts_at_zero():
    log = logged((5,), hurst=0.3, steps=10, paths=3)
    noise = fractional_noise([stream(5, "noise")], 10, (3,), 0.3)[:, 0].numpy()
    assert log["paths"]["position"].iloc[0] == 0
    assert log["paths"]["position"].to_numpy()[1:] == pytest.approx(10**-0.3 * np.cumsum(noise[:, 0]))
    moments = log["moments"].iloc[0]
    assert moments["variance"] == pytest.approx((noise**2).mean())
    assert moments["lag_covariance"] == pytest.approx(np.mean([noise[k] * noise[k + 1] for k in range(9)]))
    assert moments["end_square"] == pytest.approx((noise.sum(0) ** 2).mean() / 10**0.6)
    for lag, found in zip(*(log["displacements"][name] for name in ("lag", "mean_square")), strict=True):
        sums = [noise[k : k + lag].sum(0) ** 2 for k in range(11 - lag)]
        assert found == pytest.approx(np.mean(sums))
    assert log["displacements"]["lag"].tolist() == [1, 2, 4]


@pytest.mark.parametrize("hurst", [0.2, 0.5, 0.8])
def test_mean_squares_of_displacements_are_powers_of_the_lag(hurst):
    found = logged(hurst=hurst)["displacements"].groupby("lag")["mean_square"].mean()
    assert found.to_numpy() == pytest.approx(found.index.to_numpy() ** (2 * hurst), rel=0.06)


@pytest.mark.parametrize("hurst", [0.5, 0.8, 0.95])
def test_the_official_error_at_the_nyquist_frequency_adds_variance_exactly_as_computed(hurst):
    """(e_0 - e_N) / M more: a wave of alternating sign, so as much less covariance at lag 1."""
    from resodectl.numerics.weights.processes import circulant_eigenvalues

    eigenvalues = circulant_eigenvalues(64, hurst)
    added = (eigenvalues[0] - eigenvalues[-1]) / 128
    right, wrong = (logged(hurst=hurst, ablation=a)["moments"] for a in ("none", "zero_frequency_at_nyquist"))
    assert (wrong["variance"] - right["variance"]).mean() == pytest.approx(added, abs=0.02)
    assert (wrong["lag_covariance"] - right["lag_covariance"]).mean() == pytest.approx(-added, abs=0.02)


def test_noise_dealt_to_the_paths_at_random_keeps_its_variance_and_loses_its_memory():
    right, wrong = (logged(hurst=0.8, ablation=a)["moments"] for a in ("none", "shuffled"))
    assert wrong["variance"].to_numpy() == pytest.approx(right["variance"].to_numpy())
    assert wrong["lag_covariance"].to_numpy() == pytest.approx(np.zeros(len(SEEDS)), abs=0.02)
    assert wrong["end_square"].to_numpy() == pytest.approx(np.full(len(SEEDS), 64**-0.6), rel=0.15)


@pytest.mark.parametrize("hurst", [0.0, 1.0, -0.2])
def test_impossible_hurst_indices_are_refused_by_the_recipe(hurst):
    with pytest.raises(ValidationError, match=f"between 0 and 1, not {hurst:g}"):
        spec.Params(hursts=(0.5, hurst), steps=10, paths=1, seeds=1)


def band(low, high):
    return Band.model_validate([low, high])


@pytest.mark.parametrize(
    ("measure", "right", "wrong", "within"),
    [
        ("variance", {"variance": 1.0}, {"variance": 1.05}, (0.98, 1.02)),
        ("lag_error", {"variance": 1.1, "lag_covariance": 1.1 * (2**0.6 - 1)}, {"lag_covariance": 0.44}, (-0.01, 0.01)),
        ("end_variance", {"end_square": 1.0}, {"end_square": 0.5}, (0.88, 1.12)),
    ],
)
def test_moments_are_judged_on_either_side_of_their_bands(measure, right, wrong, within):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"seed": SEEDS, "hurst": 0.8, "variance": 1.0, "lag_covariance": 0.0, "end_square": 0.0})
    for moments, judgement in ((right, "holds"), (wrong, "fails")):
        own = rows.assign(**{name: value + 1e-3 * rng.standard_normal(len(rows)) for name, value in moments.items()})
        found = getattr(analysis, f"measure_{measure}")(own)
        assert found.units == len(SEEDS)
        assert judge(found, band(*within)) == judgement


@pytest.mark.parametrize(("hurst", "judgement"), [(0.8, "holds"), (0.5, "fails"), (0.9, "fails")])
def test_roughness_is_half_the_power_of_mean_squares(hurst, judgement):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([{"seed": s, "lag": 2**k} for s in SEEDS for k in range(8)])
    rows["mean_square"] = rows["lag"] ** (2 * hurst) * np.exp(0.01 * rng.standard_normal(len(rows)))
    found = analysis.measure_roughness(rows)
    assert found.value == pytest.approx(hurst, abs=0.005)
    assert judge(found, band(0.78, 0.82)) == judgement


@pytest.mark.parametrize("seeds", [(0,), (*SEEDS, 4, 5)])
def test_the_figure_has_a_panel_for_each_hurst_index(seeds):
    path = Path(__file__).parents[3] / "recipes/scaling/marion2022-fbm-paths.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    logs = [logged(seeds, hurst=hurst, paths=2) for hurst in recipe.params.hursts]
    figure = analysis.draw_paths({kind: pd.concat(log[kind] for log in logs) for kind in spec.LOG}, recipe)
    assert len(figure.axes) == len(recipe.params.hursts)
