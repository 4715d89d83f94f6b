"""margin/two-biases: the tangent model against autograd, its largest margin against ascent, the measures."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.margin.ascent import Wide
from resodectl.families.margin.two_biases import analysis, spec
from resodectl.families.margin.two_biases.simulation import _largest_tangent, balanced_start, discs, tangent
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated


def point(**changes: object) -> spec.Point:
    values = {"samples": 2, "width": 40, "scale": 300.0, "records": 12, "tolerance": 1e-5, "resolution": 5}
    values |= {"stages": (spec.Stage(lr=0.0007, steps=300), spec.Stage(lr=0.02, steps=100)), "dtype": "float64"}
    return spec.Point(**(values | changes))


def context(*seeds: int) -> Context:
    return Context(seeds, torch.device("cpu"), torch.float64)


def test_the_start_is_zero_everywhere_and_has_the_scale() -> None:
    network = balanced_start(point(width=4000), context(0, 1))
    data = discs(2, context(0, 1))
    assert network.values(data.inputs).abs().max() < 1e-9  # of 1e5 in each unit
    assert network.hidden.std().item() == pytest.approx(300, rel=0.03)
    assert network.output.std().item() == pytest.approx(300, rel=0.03)


def test_points_lie_in_the_discs_of_their_labels() -> None:
    inputs, labels = discs(5, context(0, 1, 2))
    assert inputs.shape == (3, 20, 3)
    assert (inputs[..., 0] == 1).all()
    middle = 0.3 * inputs[..., 1:].sign()
    assert (inputs[..., 1:] - middle).norm(dim=2).max() <= 0.2
    assert torch.equal(labels, inputs[..., 1:].sign().prod(2))
    assert labels.sum() == 0


def test_the_tangent_model_is_the_derivative_of_the_network() -> None:
    network, data = balanced_start(point(width=6), context(0, 1)), discs(2, context(0, 1))
    weights = tuple(part.clone().requires_grad_() for part in network)
    change = Wide(
        *(torch.randn(part.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) for part in network)
    )
    found = tangent(network, data.inputs)
    _, derivative = torch.autograd.functional.jvp(lambda *w: Wide(*w).values(data.inputs), weights, tuple(change))
    torch.testing.assert_close(found.along(change), derivative)
    jacobians = torch.autograd.functional.jacobian(
        lambda *w: Wide(*w).values(data.inputs[:1])[0], tuple(w[:1] for w in weights)
    )
    flat = torch.cat([part.flatten(1) for part in jacobians], 1)
    torch.testing.assert_close(found.kernel(found)[0], 6 * flat @ flat.T)


def test_no_change_of_the_weights_has_a_larger_tangent_margin_and_one_has_it() -> None:
    network, data = balanced_start(point(), context(0, 1)), discs(2, context(0, 1))
    at_data = tangent(network, data.inputs)
    largest = _largest_tangent(at_data, at_data, data)
    reached = (largest.heights * data.labels).amin(1)
    torch.testing.assert_close(reached, largest.margins)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        change = Wide(*(torch.randn(part.shape, dtype=torch.float64, generator=generator) for part in network))
        least = (at_data.along(change) * data.labels).amin(1) / change.square().sqrt()
        assert (least <= largest.margins).all()


def test_a_run_reaches_the_tangent_margin_first_and_never_passes_either_optimum() -> None:
    rows = simulated("margin/two-biases", point(width=200), (0, 1))["biases"]
    assert (rows["tangent"] <= 1 + 1e-9).all()
    assert (rows["f1"] <= 1 + 1e-9).all()
    early = rows[rows["step"] == 300]
    assert (early["stage"] == 1).all()
    assert (early["tangent_best"] > 0.75).all()
    assert (early["f1"] < 0.05).all()
    assert (early["like_tangent"] > 0.95).all()
    for _, own in rows.groupby("seed"):
        assert own["tangent_best"].tolist() == np.maximum.accumulate(own["tangent"]).tolist()
        assert own["step"].tolist() == sorted({*own["step"], 300, 400})
        assert own["relative_change"].iloc[-1] > own["relative_change"].iloc[0]


def test_an_odd_number_of_units_is_refused() -> None:
    with pytest.raises(ValidationError, match="take an even number"):
        point(width=3)


@pytest.mark.parametrize(("reached", "judgement"), [(0.97, "holds"), (0.8, "fails"), (1.1, "fails")])
def test_a_margin_is_judged_at_the_last_step(reached: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1, 1], "step": [1, 2, 2, 1], "f1": [0.1, reached, reached, 0.1]})
    estimate = analysis.measure_reached(rows, quantity="f1")
    assert estimate.value == pytest.approx(reached)
    assert judge(estimate, Band(low=0.9, high=1.0)) == judgement


@pytest.mark.parametrize(
    ("best", "end", "fall", "judgement"),
    [(0.95, 0.1, 0.85, "holds"), (0.95, -9.0, 0.95, "holds"), (0.95, 0.9, 0.05, "fails"), (-0.1, -9.0, 0.0, "fails")],
)
def test_a_tangent_margin_is_lost_if_it_was_there(best: float, end: float, fall: float, judgement: str) -> None:
    rows = pd.DataFrame({"seed": [0, 0, 1], "step": [2, 1, 2], "tangent_best": best, "tangent": [end, best, end]})
    estimate = analysis.measure_lost(rows)
    assert estimate.value == pytest.approx(fall)
    assert judge(estimate, Band(low=0.5, high=1.0)) == judgement


@pytest.mark.parametrize(("like_f1", "share", "judgement"), [(0.99, 1.0, "holds"), (0.9, 0.0, "fails")])
def test_classifiers_are_compared_with_both_optima_at_the_last_step(
    like_f1: float, share: float, judgement: str
) -> None:
    rows = pd.DataFrame(
        {"seed": [0, 0, 1], "step": [2, 1, 2], "like_f1": [like_f1, 0.94, like_f1], "like_tangent": 0.95}
    )
    estimate = analysis.measure_share_like_f1(rows)
    assert estimate.value == share
    assert judge(estimate, Band(low=0.999, high=None)) == judgement


def test_the_figure_marks_where_the_steps_grow() -> None:
    recipe = load.load(shipped()["margin/chizat2020-two-biases"])
    figure = analysis.draw_two_biases(simulated("margin/two-biases", point(), (0, 1)), recipe)
    assert len(figure.axes) == 2
    (start,) = (line for line in figure.axes[0].lines if line.get_label() == "longer steps from here")
    assert set(start.get_xdata()) == {300}
