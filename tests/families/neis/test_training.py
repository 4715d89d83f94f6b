"""neis/training: rows against plain loops and quadrature, the ways of weighing, the measures, the figures."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy import integrate

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.neis.flow_settings import Flow
from resodectl.families.neis.learned import first_field
from resodectl.families.neis.training import analysis, spec
from resodectl.families.neis.training.simulation import weighed
from resodectl.numerics.sampling.flows import log_weights
from resodectl.numerics.sampling.targets import ball_probability, mixture, two_modes
from resodectl.numerics.sampling.velocities import Linear
from resodectl.recipe.schema import Band
from tests.simulated import simulated

FLOW = {"time_steps": 10, "samples": 15, "training_steps": 3, "lr": 0.3, "last_lr": 0.2, "assisted": 0.0, "start": 0.0}
NETWORK = Flow(velocity={"kind": "gradient", "units": 4}, **FLOW)
FUNNEL = Flow(velocity={"kind": "funnel"}, **FLOW)


def logged(flow: Flow, target: str = "two-modes", seeds: tuple[int, ...] = (0, 1)) -> dict[str, pd.DataFrame]:
    values = {"flow": flow, "target": {"kind": target}, "fresh": 12, "joint": 8, "dtype": "float64"}
    return simulated("neis/training", spec.Point(**values), seeds)


def test_the_first_step_logs_the_weights_of_the_untrained_field() -> None:
    log = logged(NETWORK)
    for seed in (0, 1):
        field = first_field(NETWORK.velocity, [stream(seed, "field", "gradient", 4)], 2)
        x = torch.from_numpy(stream(seed, "training", "gradient", 4, 1).standard_normal((1, 15, 2)))
        ratios = log_weights(field, two_modes().log_density, x, 10).exp().numpy() / 0.1
        (row,) = log["steps"].query("seed == @seed and step == 1").itertuples()
        assert row.relative_mean == pytest.approx(ratios.mean(), rel=1e-9)
        assert row.relative_variance == pytest.approx(ratios.var(), rel=1e-9)
        assert row.queries == 2 * 11 * 15
        assert row.vanilla_variance == pytest.approx(1854198.2, rel=1e-6)


def test_a_seed_has_the_same_rows_in_any_block() -> None:
    together, alone = logged(NETWORK), logged(NETWORK, seeds=(1,))
    for kind in ("steps", "fresh"):
        of_seed = together[kind].query("seed == 1").reset_index(drop=True)
        pd.testing.assert_frame_equal(of_seed, alone[kind].reset_index(drop=True), rtol=1e-9)


def test_there_are_tests_before_the_first_and_the_last_step() -> None:
    log = logged(NETWORK)
    assert sorted(log["steps"]["step"].unique()) == [1, 2, 3]
    assert sorted(log["fresh"]["step"].unique()) == [1, 3]
    assert set(log["fresh"]["ablation"]) == {"none", "no-jacobian", "fixed-window"}
    assert log["steps"]["beta"].isna().all()


def test_the_funnels_field_begins_at_2_and_moves_by_the_length_of_a_step() -> None:
    log = logged(FUNNEL, "funnel")
    for _, weights in log["steps"].groupby("seed"):
        path = weights.sort_values("step")[["beta", "alpha"]].to_numpy()
        assert path[0].tolist() == [2.0, 2.0]
        lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
        np.testing.assert_allclose(lengths, [0.3 / (1 + 4 / 3 * step) for step in (1, 2)])


def test_without_its_ball_the_funnel_has_another_constant() -> None:
    fresh = logged(FUNNEL, "funnel")["fresh"].set_index(["seed", "step", "ablation"])["relative_mean"].unstack()
    np.testing.assert_allclose(fresh["no-ball"] / fresh["none"], ball_probability(10, 25.0))


def test_the_ways_of_weighing_are_what_quadrature_gives() -> None:
    """Along b = c x, a sample of the line has F_t = exp(c t - U(x e^(c t)))."""
    c, x, start = -0.7, 1.3, -0.25
    target = mixture([0.5], [[0.4]], [[0.5]])
    field = Linear(torch.tensor([[[c]]], dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
    got = weighed(field, target, torch.tensor([[[x]]], dtype=torch.float64), 400, start)

    def base(t: float, jacobian: float = 1.0) -> float:
        return math.exp(jacobian * c * t - (x * math.exp(c * t)) ** 2 / 2)

    def above(t: float, jacobian: float = 1.0) -> float:
        return 0.5 * math.exp(jacobian * c * t - (x * math.exp(c * t) - 0.4) ** 2)

    def window(low: float, high: float, jacobian: float = 1.0) -> float:
        return float(integrate.quad(base, low, high, args=(jacobian,))[0])

    def ratio(t: float, jacobian: float) -> float:
        return above(t, jacobian) / window(t - start - 1, t - start, jacobian)

    expected = {
        "none": integrate.quad(ratio, start, start + 1, args=(1.0,))[0],
        "no-jacobian": integrate.quad(ratio, start, start + 1, args=(0.0,))[0],
        "fixed-window": integrate.quad(above, start, start + 1)[0] / window(-0.5, 0.5),
    }
    assert {name: of.exp().item() for name, of in got.items()} == pytest.approx(expected, rel=1e-5)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of 1 / time_steps = 1 / 10"):
        Flow(velocity={"kind": "linear"}, **(FLOW | {"start": -0.55}))
    shared: dict[str, Any] = {"target": {"kind": "two-modes"}, "fresh": 12, "seeds": 1}
    with pytest.raises(ValidationError, match="different numbers of units"):
        spec.Params(
            flows=(
                NETWORK,
                NETWORK.model_copy(update={"lr": 0.1}),
            ),
            **shared,
        )
    with pytest.raises(ValidationError, match="for the target 'funnel' alone"):
        spec.Params(flows=(FUNNEL,), **shared)
    with pytest.raises(ValidationError, match="no more than the fresh samples"):
        spec.Params(flows=(NETWORK,), **(shared | {"joint": 13}))


def rows(values: dict[str, list[float]]) -> pd.DataFrame:
    """A row for each value, of two fields and as many seeds as it takes."""
    number = len(next(iter(values.values())))
    run = {"ansatz": ["gradient"] * number, "units": [20 + 10 * (at % 2) for at in range(number)]}
    return pd.DataFrame(run | {"seed": [at // 2 for at in range(number)]} | values)


INSIDE, OUTSIDE = [1.01, 0.98, 1.02, 1.0], [0.8, 0.7, 0.8, 0.75]
PLAIN = {"vanilla_variance": [1e6] * 4}


@pytest.mark.parametrize(
    ("measure", "inside", "outside", "band"),
    [
        ("mean", {"relative_mean": INSIDE}, {"relative_mean": OUTSIDE}, (0.95, 1.05)),
        ("mean_error", {"relative_mean": INSIDE}, {"relative_mean": OUTSIDE}, (None, 0.05)),
        ("log_variance", {"relative_variance": [2.0, 3.0, 1.5, 2.0]}, {"relative_variance": [20.0] * 4}, (0.0, 0.6)),
        ("log_gain", {"relative_mean": INSIDE, "relative_variance": [1.0, 2.0, 3.0, 1.0], **PLAIN},
         {"relative_mean": OUTSIDE, "relative_variance": [1.0] * 4, **PLAIN}, (4.5, 7.0)),
        ("log_joint_gap", {"joint_gap": [1e-4, 2e-4] * 2}, {"joint_gap": [0.02, 0.03, 0.04, 0.03]}, (None, -3.0)),
    ],
)  # fmt: skip
def test_measures_hold_inside_their_band_and_fail_outside(
    measure: str, inside: dict[str, list[float]], outside: dict[str, list[float]], band: tuple[float, float]
) -> None:
    of = getattr(analysis, f"measure_{measure}")
    assert judge(of(rows(inside)), Band(low=band[0], high=band[1])) == "holds"
    assert judge(of(rows(outside)), Band(low=band[0], high=band[1])) == "fails"


def test_a_weight_is_averaged_over_the_rows_of_a_run() -> None:
    run = {"ansatz": "funnel", "units": 0}
    table = pd.DataFrame([run | {"seed": s, "step": t, "beta": s + t, "alpha": 1.0} for s in (0, 1) for t in (1, 3)])
    found = analysis.measure_weight(table, name="beta")
    assert (found.value, found.units) == (2.5, 2)
