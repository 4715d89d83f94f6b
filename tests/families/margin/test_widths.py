"""margin/widths: bounds that nothing trained passes, kernels of units, the measures on known logs, the figure."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin.ascent import ascend_both, begin, normal_start
from resodectl.families.margin.clusters import draw_clusters
from resodectl.families.margin.widths import analysis, spec
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.numerics.margins.kernel_svm import kernel_svm
from resodectl.numerics.margins.variation_norm import arrangement, max_margin
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 3)


def logged(seeds: tuple[int, ...] = SEEDS, **changes: object) -> pd.DataFrame:
    values = {"sample_size": 16, "discs": 3, "labelling": "product", "lr": 0.5, "steps": (300, 1500), "dim": 3}
    values |= {"search_width": 30, "search_steps": 300, "search_rounds": 20, "tolerance": 0.001, "dtype": "float64"}
    return simulated("margin/widths", spec.Point(**(values | {"width": 0} | changes)), seeds)["margins"]


def data(dim: int = 3):
    return draw_clusters(lambda label: [stream(seed, label) for seed in SEEDS], "train", 16, dim, 3, "product")


def test_both_layers_are_ascended_from_normal_weights() -> None:
    rows = logged(method="both", width=9)
    start = normal_start(*([stream(seed, layer) for seed in SEEDS] for layer in ("hidden", "output")), 9, 3)
    for steps, own in rows.groupby("step"):
        best = ascend_both(begin(start), data(), 0.5, int(steps)).best
        assert own["margin"].to_numpy() == pytest.approx(best.numpy())
        assert own["budget"].tolist() == [steps / 1500] * 2
    assert rows["upper"].isna().all()


def test_the_certified_bound_is_that_of_a_search_from_elsewhere_and_training_comes_close_but_never_passes_it() -> None:
    bounds = logged(method="largest-both")
    for (x, y), row in zip(zip(*(of.numpy() for of in data()), strict=True), bounds.itertuples(), strict=True):
        other = max_margin(x, y, arrangement(x), tolerance=1e-6)
        assert row.margin <= other.upper
        assert other.lower <= row.upper * (1 + 1e-12)
        assert row.upper <= 1.0011 * row.margin
    trained = logged(method="both", width=100, steps=(4000,))
    share = trained["margin"].to_numpy() / bounds["upper"].to_numpy()
    assert ((share > 0.85) & (share <= 1)).all()


def test_in_more_dimensions_the_estimated_bounds_close() -> None:
    bounds = logged((0,), method="largest-both", dim=6, tolerance=0.05)
    assert (bounds["margin"] < bounds["upper"]).all()
    assert (bounds["upper"] <= 1.05 * bounds["margin"]).all()


def test_the_output_layer_is_solved_for_with_the_kernel_of_its_units() -> None:
    rows = logged(method="output", width=40, dim=5)
    for seed, x, y, margin in zip(SEEDS, *data(5), rows["margin"], strict=True):
        units = np.maximum(stream(seed, "features").standard_normal((40, 5)) @ x.numpy().T, 0)
        assert margin == pytest.approx(kernel_svm(units.T @ units / 40, y.numpy()).lower, rel=1e-6)


def test_many_units_have_the_margin_of_the_arc_cosine_kernel() -> None:
    infinite, wide = logged(method="largest-output", dim=5), logged(method="output", width=40_000, dim=5)
    assert wide["margin"].to_numpy() == pytest.approx(infinite["upper"].to_numpy(), rel=0.03)
    x, y = (of[0].numpy() for of in data(5))
    assert infinite["margin"].iloc[0] == pytest.approx(kernel_svm(relu_gram(x, x), y).lower)


def test_a_seed_gives_the_same_rows_alone() -> None:
    for method, width in (("both", 5), ("output", 20), ("largest-both", 0), ("largest-output", 0)):
        together, alone = (logged(seeds, method=method, width=width) for seeds in (SEEDS, (3,)))
        own = together[together["seed"] == 3].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone, rtol=1e-9)


def test_there_is_a_cell_for_each_width_and_one_for_each_bound() -> None:
    params = spec.Params(sample_size=8, dims=(3, 5), widths=(4, 8), output_widths=(16,), steps=(10,), seeds=1)
    found = [(of.dim, of.method, of.width) for of in spec.cells(params)]
    of_each = [("largest-both", 0), ("both", 4), ("both", 8), ("largest-output", 0), ("output", 16)]
    assert found == [(dim, *of) for dim in (3, 5) for of in of_each]
    with pytest.raises(ValidationError, match="rising"):
        spec.Params(sample_size=8, dims=(3,), widths=(4,), output_widths=(16,), steps=(10, 5), seeds=1)


def log(**shares: float) -> pd.DataFrame:
    """Margins of widths as shares of a bound that differs between four seeds."""
    rows = []
    for seed in range(4):
        bound = 0.02 + 0.01 * seed
        rows.append({"dim": 15, "seed": seed, "width": 0, "margin": 0.99 * bound, "upper": bound})
        for width, share in shares.items():
            margin = share * bound * (1 + 0.002 * (seed - 1.5))
            rows.append({"dim": 15, "seed": seed, "width": int(width[1:]), "margin": margin, "upper": np.nan})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("share", "judgement"), [(0.95, "holds"), (0.8, "fails"), (1.05, "fails")])
def test_a_share_is_that_of_the_upper_bound_of_the_same_seed(share: float, judgement: str) -> None:
    found = analysis.measure_share_of_largest(log(m512=share))
    assert found.value == pytest.approx(share)
    assert judge(found, Band(low=0.9, high=1.000001)) == judgement


def test_a_share_of_two_widths_at_once_or_without_a_bound_is_unknown() -> None:
    several, alone = log(m16=0.5, m512=0.9), log(m512=0.9)
    for rows in (several, alone[alone["width"] > 0]):
        assert judge(analysis.measure_share_of_largest(rows), Band(low=0.9, high=1.0)) == "unclear"


@pytest.mark.parametrize(("narrow", "grows", "saturates"), [(0.5, "holds", "fails"), (0.94, "fails", "holds")])
def test_the_ratio_of_two_widths_is_that_of_margins_of_the_same_seed(narrow: float, grows: str, saturates: str) -> None:
    rows = log(m8=narrow, m512=0.94)
    found = analysis.measure_width_ratio(rows[rows["width"] > 0])
    assert found.value == pytest.approx(narrow / 0.94)
    assert judge(found, Band(low=None, high=0.95)) == grows
    assert judge(found, Band(low=0.97, high=1.03)) == saturates


def test_the_figure_shows_margins_and_shares_of_the_last_step_below_their_bounds() -> None:
    recipe = load.load(shipped()["margin/chizat2020-margin-vs-width"], load.Request("smoke"))
    rows = pd.concat(
        logged(method=method, width=width, dim=dim, sample_size=8, steps=(20, 40), search_rounds=4)
        for dim in recipe.params.dims
        for method, widths in (("both", (4, 8)), ("output", (8, 16)), ("largest-both", (0,)), ("largest-output", (0,)))
        for width in widths
    )
    figure = analysis.draw_widths({"margins": rows}, recipe)
    assert len(figure.axes) == 3
    late = rows[(rows["dim"] == 15) & (rows["method"] == "both") & (rows["step"] == 40)]
    (line,) = (line for line in figure.axes[0].lines if line.get_label() == "$d = 15$, mean")
    assert line.get_ydata() == pytest.approx(late.groupby("width")["margin"].mean().to_numpy())
    bounds = rows[(rows["dim"] == 15) & (rows["method"] == "largest-both")].set_index("seed")["upper"]
    shares = late["margin"].to_numpy() / bounds.loc[late["seed"]].to_numpy()
    (line,) = (line for line in figure.axes[1].lines if line.get_label() == "$d = 15$, one seed")
    assert line.get_ydata() == pytest.approx(shares)


def test_the_search_has_its_bound_though_its_network_diverges() -> None:
    wild, calm = (logged(method="largest-both", lr=lr) for lr in (1e200, 0.5))
    assert wild["upper"].to_numpy() == pytest.approx(calm["upper"].to_numpy(), rel=0.002)
