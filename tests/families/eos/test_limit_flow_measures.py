"""Measures and drawings of logs that are known."""

import numpy as np
import pandas as pd
import pytest

from resodectl.claims.verdict import judge
from resodectl.families.eos.limit_flow import analysis
from resodectl.recipe.schema import Band


def paths(constant: float, order: float = 1.0) -> pd.DataFrame:
    rows = [(lr, constant * lr**order * part) for lr in (0.1, 0.05, 0.02, 0.01) for part in (0.3, 1.0, 0.7)]
    found = pd.DataFrame(rows, columns=["lr", "error"])
    for column in ("pair_stableness", "pair_root_loss", "misalignment"):
        found[column] = found["error"]
    return found


@pytest.mark.parametrize(("constant", "judgement"), [(0.05, "holds"), (0.2, "fails")])
def test_errors_are_measured_at_their_largest_in_units_of_the_rate(constant: float, judgement: str) -> None:
    band = Band(low=None, high=0.1)
    assert analysis.measure_error_per_rate(paths(constant)).value == pytest.approx(constant)
    assert judge(analysis.measure_error_per_rate(paths(constant)), band) == judgement
    for identity in ("stableness", "root_loss"):
        assert judge(analysis.measure_pair_error(paths(constant), identity=identity), band) == judgement


@pytest.mark.parametrize(("order", "judgement"), [(1.0, "holds"), (2.0, "holds"), (0.5, "fails"), (0.0, "fails")])
def test_halving_tells_the_order(order: float, judgement: str) -> None:
    found = analysis.measure_halving(paths(1.0, order))
    assert found.value == pytest.approx(2**order)
    assert judge(found, Band(low=1.7, high=None)) == judgement


def test_halving_without_a_pair_of_rates_is_unclear() -> None:
    rows = paths(1.0)
    assert judge(analysis.measure_halving(rows[rows["lr"] == 0.1]), Band(low=1.7, high=None)) == "unclear"


@pytest.mark.parametrize(
    ("entries", "judgement"), [([1.4, 1.6], "holds"), ([1.4, 1.9], "unclear"), ([0.0, 0.0], "fails")]
)
def test_all_entries_must_be_in_time(entries: list[float], judgement: str) -> None:
    assert judge(analysis.measure_entry(pd.DataFrame({"entry": entries})), Band(low=1.3, high=1.8)) == judgement


def test_never_landing_is_unclear() -> None:
    assert judge(analysis.measure_entry(pd.DataFrame({"entry": [1.4, np.inf]})), Band(low=1.3, high=1.8)) == "unclear"


@pytest.mark.parametrize(("worst", "judgement"), [(1e-6, "holds"), (0.1, "fails")])
def test_the_integrated_flow_and_the_direction_are_judged_at_their_worst(worst: float, judgement: str) -> None:
    flows = pd.DataFrame({"integrated": [1.0, 0.5 + worst], "flow": [1.0, 0.5], "distance": [0.0, worst]})
    assert judge(analysis.measure_integration_error(flows), Band(low=None, high=1e-5)) == judgement
    assert judge(analysis.measure_distance(flows), Band(low=None, high=1e-5)) == judgement
    rows = pd.DataFrame({"misalignment": [0.0, worst]})
    assert judge(analysis.measure_misalignment(rows), Band(low=None, high=1e-2)) == judgement
