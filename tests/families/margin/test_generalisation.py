"""margin/generalisation: its cells against ascent and SVM by hand, the measures on known logs, the figures."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from sklearn.svm import SVC

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import stream
from resodectl.families.margin.ascent import Wide, ascend_both, begin, normal_start
from resodectl.families.margin.clusters import draw_clusters
from resodectl.families.margin.generalisation import analysis, spec
from resodectl.families.margin.samples import Labelling
from resodectl.numerics.laws.arc_cosine import relu_gram
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 3)


def logged(seeds: tuple[int, ...] = SEEDS, **changes: object) -> pd.DataFrame:
    values = {"discs": 3, "width": 12, "lr": 0.5, "steps": (20, 60), "output_steps": (100, 300), "test": 300}
    values |= {"sample_size": 24, "dim": 5, "labelling": "product", "method": "both", "dtype": "float64"}
    return simulated("margin/generalisation", spec.Point(**(values | changes)), seeds)["errors"]


def streams(label: str) -> list[np.random.Generator]:
    return [stream(seed, label) for seed in SEEDS]


def samples(part: str, size: int, labelling: Labelling = "product"):
    return draw_clusters(streams, part, size, 5, 3, labelling)


def test_errors_of_both_layers_are_shares_of_test_samples_on_the_wrong_side_after_each_number_of_steps() -> None:
    rows = logged()
    ascent = begin(normal_start(streams("hidden"), streams("output"), 12, 5))
    test = samples("test", 300)
    for steps, (step, own) in zip((20, 40), rows.groupby("step"), strict=True):
        ascent = ascend_both(ascent, samples("train", 24), 0.5, steps)
        wrong = ascent.network.values(test.inputs) * test.labels < 0
        assert (own["step"].iloc[0], ascent.step) == (step, step)
        assert own["error"].to_numpy() == pytest.approx(wrong.double().mean(1).numpy())
        assert own["margin"].to_numpy() == pytest.approx(ascent.best.numpy())


def test_the_exact_output_layer_is_that_of_another_hard_margin_machine() -> None:
    """scikit-learn's has an offset; the constraint that goes with it is dropped by samples in opposite pairs."""
    rows = logged(method="output").set_index("seed")
    train, test = samples("train", 24), samples("test", 300)
    for run, seed in enumerate(SEEDS):
        x, y = train.inputs[run].numpy(), train.labels[run].numpy()
        gram = relu_gram(x, x)
        pairs = np.block([[gram, -gram], [-gram, gram]])
        machine = SVC(C=1e9, kernel="precomputed", tol=1e-8).fit(pairs, np.concatenate([y, -y]))
        dual = np.zeros(48)
        dual[machine.support_] = machine.dual_coef_[0]
        coefficients = dual[:24] - dual[24:]
        norm = np.sqrt(coefficients @ gram @ coefficients)
        assert rows.loc[seed, "margin"] == pytest.approx((y * (gram @ coefficients)).min() / norm, rel=1e-4)
        values = relu_gram(test.inputs[run].numpy(), x) @ coefficients
        assert rows.loc[seed, "error"] == pytest.approx((values * test.labels[run].numpy() < 0).mean(), abs=1 / 300)
        assert rows.loc[seed, "step"] == 0


def test_ascent_of_the_output_layer_comes_close_to_the_exact_one() -> None:
    few = {"sample_size": 6, "output_steps": (200, 5000)}
    exact, ascended = (logged(method=method, **few) for method in ("output", "output-ascent"))
    late = ascended[ascended["step"] == 5000]
    assert (late["margin"].to_numpy() > 0.9 * exact["margin"].to_numpy()).all()
    assert (late["margin"].to_numpy() <= exact["margin"].to_numpy() * (1 + 1e-9)).all()
    assert late["error"].to_numpy() == pytest.approx(exact["error"].to_numpy(), abs=0.02)
    assert list(ascended["step"]) == [200, 200, 5000, 5000]


def test_single_precision_of_both_layers_changes_little() -> None:
    double, single = logged(), logged(dtype="float32")
    assert single["margin"].to_numpy() == pytest.approx(double["margin"].to_numpy(), abs=1e-5)


def test_the_labelling_reaches_the_samples() -> None:
    by_rule = {
        name: logged(method="output", labelling=name)["margin"].tolist() for name in ("drawn", "product", "norm")
    }
    assert len({tuple(margins) for margins in by_rule.values()}) == 3
    assert not torch.equal(samples("train", 24).labels, samples("train", 24, "norm").labels)


def test_a_seed_gives_the_same_rows_alone() -> None:
    for method in ("both", "output", "output-ascent"):
        together, alone = logged(method=method), logged((3,), method=method)
        own = together[together["seed"] == 3].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone, rtol=1e-12)


def test_cells_are_of_each_method_and_ascent_is_of_the_first_labelling_alone() -> None:
    params = spec.Params(
        sample_sizes=(8, 16), dims=(5,), labellings=("product", "drawn"), ascended=(16,), width=4, steps=(10,), seeds=1
    )
    found = [(of.labelling, of.method, of.sample_size) for of in spec.cells(params)]
    assert len(set(found)) == len(found) == 9
    assert [of for of in found if of[1] == "output-ascent"] == [("product", "output-ascent", 16)]


@pytest.mark.parametrize("bad", [{"steps": (20, 10)}, {"output_steps": (5, 5)}, {"ascended": (9,)}, {"dims": (2,)}])
def test_impossible_settings_are_refused(bad: dict[str, object]) -> None:
    good = {"sample_sizes": (8,), "dims": (5,), "width": 4, "steps": (10, 20), "seeds": 2}
    spec.Params(**good)
    with pytest.raises(ValidationError):
        spec.Params(**(good | bad))


def log(**errors: float) -> pd.DataFrame:
    """Errors of methods, equal to a few percent over four seeds; margins ten times as large."""
    rows = []
    for seed in range(4):
        for method, error in errors.items():
            value = error * (1 + 0.01 * seed)
            rows.append({"seed": seed, "method": method.replace("_", "-"), "error": value, "margin": 10 * value})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("both", "ratio", "gap"), [(0.04, "holds", "holds"), (0.15, "fails", "fails")])
def test_ratio_and_gap_compare_both_layers_with_the_exact_output_layer(both: float, ratio: str, gap: str) -> None:
    rows = log(both=both, output=0.2)
    found = analysis.measure_error_ratio(rows), analysis.measure_error_gap(rows)
    assert found[0].value == pytest.approx(both / 0.2)
    assert found[1].value == pytest.approx((0.2 - both) * 1.015)
    assert judge(found[0], Band(low=None, high=0.3)) == ratio
    assert judge(found[1], Band(low=0.1, high=None)) == gap


@pytest.mark.parametrize(("ascended", "judgement"), [(0.199, "holds"), (0.17, "fails"), (0.23, "fails")])
def test_ascent_is_compared_with_the_exact_output_layer(ascended: float, judgement: str) -> None:
    rows = log(output=0.2, output_ascent=ascended)
    ratio, difference = analysis.measure_margin_ratio(rows), analysis.measure_error_difference(rows)
    assert ratio.value == pytest.approx(ascended / 0.2)
    assert difference.value == pytest.approx(abs(ascended - 0.2) * 1.015)
    assert judge(ratio, Band(low=0.98, high=1.000001)) == judgement
    assert judge(difference, Band(low=None, high=0.003)) == judgement


@pytest.mark.parametrize(("most", "judgement"), [(0.005, "holds"), (0.05, "fails")])
def test_the_error_left_is_that_of_the_most_samples_over_that_of_the_fewest(most: float, judgement: str) -> None:
    errors = {256: most, 64: 0.3, 32: 0.5}
    rows = pd.concat([log(both=error).assign(sample_size=size) for size, error in errors.items()])
    found = analysis.measure_error_left(rows)
    assert found.value == pytest.approx(most / 0.5)
    assert judge(found, Band(low=None, high=0.03)) == judgement


def test_without_one_of_the_methods_nothing_is_known() -> None:
    assert judge(analysis.measure_error_ratio(log(both=0.1)), Band(low=None, high=0.3)) == "unclear"


@pytest.mark.parametrize(("name", "panels"), [("error-vs-n", 1), ("error-vs-dimension", 1)])
def test_the_figures_have_a_thick_mean_and_a_thin_line_a_seed_at_the_last_step(name: str, panels: int) -> None:
    recipe = load.load(shipped()[f"margin/chizat2020-{name}"], load.Request("smoke"))
    x = "sample_size" if name == "error-vs-n" else "dim"
    values = recipe.params.sample_sizes if x == "sample_size" else recipe.params.dims
    rows = pd.concat([logged(method=method, **{x: value}) for value in values for method in ("both", "output")])
    draw = analysis.draw_samples if x == "sample_size" else analysis.draw_dimensions
    figure = draw({"errors": rows}, recipe)
    assert len(figure.axes) == panels
    assert figure.axes[0].get_ylim()[0] == 0
    (note,) = figure.axes[0].texts
    assert note.get_text() == "one labelling: a product of two signs"
    for method, curve in list(analysis.CURVES.items())[:2]:
        own = rows[rows["method"] == method]
        means = own[own["step"] == own["step"].max()].groupby(x)["error"].mean()
        (line,) = (line for line in figure.axes[0].lines if line.get_label() == f"{curve.label}, mean")
        assert list(line.get_xdata()) == sorted(values)
        assert line.get_ydata() == pytest.approx(means.to_numpy())
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == 2 * len(SEEDS)


def test_the_start_of_both_layers_is_drawn_from_its_own_streams() -> None:
    start = normal_start(streams("hidden"), streams("output"), 12, 5)
    assert isinstance(start, Wide)
    assert start.hidden[1].numpy() == pytest.approx(stream(3, "hidden").standard_normal((12, 5)))
    assert start.output[0].numpy() == pytest.approx(stream(0, "output").standard_normal(12))


def test_a_network_that_has_diverged_has_no_test_error() -> None:
    assert logged(lr=1e200)["error"].isna().all()
