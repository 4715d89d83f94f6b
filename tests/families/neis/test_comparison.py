"""neis/comparison: counted budgets, collapses that change one thing, targets without R, the measures, the figure."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.neis.comparison import analysis, reference, spec
from resodectl.families.neis.comparison.flow import heaviest_mode, learn
from resodectl.families.neis.comparison.simulation import moves_of, simulate
from resodectl.numerics.sampling.annealed import queries
from resodectl.numerics.sampling.targets import Funnel, log_base, mixture, two_modes
from resodectl.numerics.sampling.velocities import Gradient
from resodectl.recipe.schema import Band
from tests.simulated import simulated

MALA = spec.Annealing(name="AIS", levels=4, moves=spec.LangevinMoves(kind="langevin"))
HMC = spec.Annealing(name="AIS", levels=4, moves=spec.HamiltonianMoves(kind="hamiltonian", step=0.3, leaps=3))
FLOW = {
    "velocity": {"kind": "gradient", "units": 3, "scale": 1.0}, "time_steps": 6, "samples": 10, "training_steps": 3,
    "lr": 0.3, "last_lr": 0.2, "assisted": 0.5, "assisted_until": 1.0, "start": 0.0,
}  # fmt: skip
EXAMPLE = {
    "name": "pair", "target": {"kind": "two-modes"}, "flow": FLOW, "estimator": "path", "budget": 4000,
    "reduction": 2.0, "trainings": 2, "view": ((-3.0, 8.0), (-8.0, 3.0)),
}  # fmt: skip


def of(**changes: object) -> spec.Example:
    return spec.Example(**(EXAMPLE | {"flow": spec.Flow(**FLOW)} | changes))


def logged(
    method: str = "NEIS",
    annealing: spec.Annealing | None = None,
    collapse: spec.Collapse | None = None,
    ablation: spec.Ablation = "none",
    **changes: object,
) -> dict[str, pd.DataFrame]:
    at = spec.Point(
        example=of(**changes), method=method, annealing=annealing, collapse=collapse, ablation=ablation, repeats=3,
        check=spec.Check(chains=12, annealing=MALA), lines=4, dtype="float64",
    )  # fmt: skip
    return simulated("neis/comparison", at, (5,))


@pytest.mark.parametrize(("annealing", "each"), [(MALA, 2 * 5), (HMC, 2 + 4 * 4)])
def test_an_annealed_estimate_makes_as_many_queries_as_the_reduced_budget_allows(
    annealing: spec.Annealing, each: int
) -> None:
    rows = logged("AIS", annealing)["estimates"]
    assert rows["queries_each"].tolist() == [each] * 3
    assert rows["samples"].tolist() == [2000 // each] * 3
    assert rows["queries"].tolist() == [2000 // each * each] * 3


@pytest.mark.parametrize(("estimator", "each"), [("path", 7), ("joint-ode", 24)])
def test_a_flow_is_charged_with_its_reduced_training_and_what_is_left_goes_to_samples(
    estimator: str, each: int
) -> None:
    rows = logged(estimator=estimator, flow=spec.Flow(**(FLOW | {"assisted": 0.0})))["estimates"]
    training = 2 * 10 * 2 * 7 / 2  # steps x samples x both kinds of queries x nodes, over the reduction
    assert rows["training_queries"].tolist() == [training] * 6
    assert rows["samples"].tolist() == [int(2000 - training) // each] * 6
    assert (rows["queries"] == training + rows["samples"] * each).all()
    assert rows["queries"].between(2000 - each, 2000).all()


def test_carrying_samples_uphill_is_charged_too() -> None:
    plain, assisted = (
        logged(flow=spec.Flow(**(FLOW | {"assisted": share})))["estimates"]["training_queries"].iloc[0]
        for share in (0.0, 1.0)
    )
    assert assisted > plain + 4 * 6 * 10 / 2 / 2  # of the first step alone, every second sample or more


def test_the_queries_that_are_charged_are_those_that_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plain = two_modes()
    function = type(plain).log_density

    def counting(self: object, x: torch.Tensor) -> torch.Tensor:
        asked.append(x[..., 0].numel())
        return function(self, x)  # type: ignore[arg-type]

    monkeypatch.setattr(type(plain), "log_density", counting)
    context = Context((5,), torch.device("cpu"), torch.float64)
    learned = learn(of(), "untrained", plain, context)
    asked.clear()
    learned.log_weights(torch.zeros(2, 11, 2, dtype=torch.float64))
    assert sum(asked) == 2 * 11 * learned.queries_each


def test_vanilla_estimates_are_means_of_the_ratio_of_both_densities() -> None:
    rows = logged(
        "vanilla", target={"kind": "mixture", "weights": (1.0,), "centres": ((0.5,),), "variances": ((0.5,),)}
    )
    estimates = rows["estimates"]
    assert estimates["samples"].tolist() == [2000] * 3
    target = mixture([1.0], [[0.5]], [[0.5]])
    error = math.sqrt(target.vanilla_variance / 6000)
    ratio = reference.ratios(estimates)
    assert ratio.mean() == pytest.approx(1.0, abs=4 * error)
    assert estimates["variance"].mean() == pytest.approx(target.vanilla_variance, rel=0.15)
    weights = rows["weights"].iloc[0]
    assert weights["mean"] == pytest.approx(ratio.mean())
    assert weights["ess"] / 6000 == pytest.approx(weights["mean"] ** 2 / (weights["mean"] ** 2 + weights["variance"]))


def test_collapses_differ_from_a_right_training_in_one_thing_alone() -> None:
    flow = spec.Flow(**(FLOW | {"assisted": 0.0}))
    target, context = two_modes(), Context((5,), torch.device("cpu"), torch.float64)
    right, unassisted = (learn(of(flow=flow), collapse, target, context) for collapse in (None, "unassisted"))
    for one, other in zip(right.velocity, unassisted.velocity, strict=True):
        assert torch.equal(one, other)  # nothing is left out where nothing was assisted
    only = mixture([0.8], [[0.0, -5.0]], [[0.1, 0.1]])
    alone, on_one = learn(of(flow=flow), None, only, context), learn(of(flow=flow), "one mode", target, context)
    for one, other in zip(alone.velocity, on_one.velocity, strict=True):
        assert torch.equal(one, other)
    assert on_one.target is target
    untrained = learn(of(flow=flow), "untrained", target, context)
    assert isinstance(untrained.velocity, Gradient)
    assert untrained.queries == 0
    moved = torch.cat([(a - b).flatten(1) for a, b in zip(right.velocity, untrained.velocity, strict=True)], 1)
    assert (moved.norm(dim=1) > 0.05).all()


def test_the_heaviest_mode_is_that_of_the_largest_share() -> None:
    found = heaviest_mode(mixture([0.5, 0.4], [[0.0], [1.0]], [[0.1], [0.5]]))
    assert found.centres.tolist() == [[1.0]]
    with pytest.raises(TypeError, match="mixture"):
        heaviest_mode(Funnel())


def test_trainings_are_drawn_apart_and_from_their_seed_alone() -> None:
    rows = logged()["estimates"]
    again = logged()["estimates"]
    pd.testing.assert_frame_equal(rows, again)
    assert rows["log_estimate"].nunique() == 6
    assert sorted(set(zip(rows["training"], rows["repeat"], strict=True))) == [(k, r) for k in (0, 1) for r in range(3)]


def test_the_picture_has_the_density_on_a_grid_and_lines_through_samples_of_the_base() -> None:
    log = logged()
    potential = log["potential"]
    places = torch.tensor(potential[["x", "y"]].to_numpy())
    assert potential["log_density"].to_numpy() == pytest.approx(two_modes().log_density(places).numpy())
    assert (potential["x"].min(), potential["y"].min(), potential["x"].max(), potential["y"].max()) == (-3, -8, 8, 3)
    standing = logged("AIS", MALA)["lines"]
    assert standing[["x", "y"]].nunique().tolist() == [1, 1]
    assert logged("AIS", MALA)["warnings"]["unseen_share"].isna().all()
    starts = log["lines"][log["lines"]["node"] == 10]
    assert len(starts) == 4
    assert log_base(torch.tensor(starts[["x", "y"]].to_numpy())).min().item() > -12


def test_a_target_without_a_known_ratio_is_compared_with_the_best_estimate(tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text("DIM = 2\ndef log_density(x):\n    return -(x - 0.5).square().sum(-1)\n")
    example = of(target={"kind": "file", "file": "target.py"})
    at = spec.Point(
        example=example, method="vanilla", annealing=None, collapse=None, ablation="none", repeats=4,
        check=spec.Check(chains=12, annealing=MALA), lines=4, dtype="float64",
    )  # fmt: skip
    context = Context((0,), torch.device("cpu"), torch.float64, inputs={"target.py": tmp_path / "target.py"})
    blocks = dict(simulate(Cell("neis/comparison", at, (0,)), context))
    assert math.isnan(blocks["estimates"]["log_exact"])
    assert math.isnan(blocks["weights"]["mean"])
    assert blocks["weights"]["variance"].item() == pytest.approx(
        mixture([1.0], [[0.5, 0.5]], [[0.5, 0.5]]).vanilla_variance, rel=0.1
    )
    assert blocks["estimates"]["log_estimate"].exp().mean().item() == pytest.approx(0.5, abs=0.05)


def estimates(**methods: list[float]) -> pd.DataFrame:
    """Rows of two flows with the given ratios for each of the repeats, which are the same for all flows but NEIS'."""
    rows = []
    for method, ratios in methods.items():
        for training in (0, 1) if method.startswith("NEIS") else (0,):
            for repeat, ratio in enumerate(ratios):
                rows.append((method.replace("_", " "), 0, training, repeat, math.log(ratio), 0.0, 100, 50, 2.0))
    columns = [
        "method",
        "seed",
        "training",
        "repeat",
        "log_estimate",
        "log_exact",
        "samples",
        "queries_each",
        "variance",
    ]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(("ratio", "judgement"), [(1.001, "holds"), (0.8, "fails"), (1e-9, "fails")])
def test_ratios_are_judged_by_their_logarithm_cut_at_three_decades(ratio: float, judgement: str) -> None:
    found = analysis.measure_log10_ratio(estimates(NEIS=[ratio * 1.001, ratio / 1.001, ratio]))
    assert found.value == pytest.approx(max(math.log10(ratio), -3))
    assert judge(found, Band(low=-0.013, high=0.013)) == judgement


def test_errors_are_compared_repeat_by_repeat() -> None:
    rows = estimates(NEIS=[1.01, 0.99, 1.02], AIS=[1.1, 0.9, 0.8])
    found = analysis.measure_log10_error_ratio(rows, over="AIS")
    assert found.value == pytest.approx(-1.0)
    assert judge(found, Band(low=None, high=-0.5)) == "holds"
    assert judge(analysis.measure_log10_error_ratio(rows, over="NEIS"), Band(low=None, high=-0.5)) == "fails"
    assert judge(analysis.measure_log10_error_ratio(rows, over="absent"), Band(low=None, high=0)) == "unclear"


def test_a_cost_counts_the_bias_of_a_flow_and_the_queries_of_a_sample() -> None:
    rows = estimates(NEIS=[1.1, 0.9, 1.1, 0.9], AIS=[1.0, 1.0, 1.0, 1.0])
    rows.loc[rows["method"] == "AIS", "variance"] = 200.0
    rows.loc[rows["method"] == "AIS", "queries_each"] = 100
    found = analysis.measure_log10_cost_ratio(rows, over="AIS")
    assert found.value == pytest.approx(math.log10(200 * 100 / (2 * 50)))
    first = rows[(rows["method"] == "AIS") | (rows["training"] == 1)]  # the other flow was warned of, say
    assert analysis.measure_log10_cost_ratio(first, over="AIS").value == pytest.approx(found.value)
    biased = estimates(NEIS=[0.5] * 4, AIS=[1.0] * 4)
    assert analysis.measure_log10_cost_ratio(biased, over="AIS").value < 0


def test_shares_of_runs_are_counted() -> None:
    rows = pd.DataFrame({"unseen_share": [0.0, 0.3, 0.2], "warned": [False, True, True], "tail_index": [0.1, 0.9, 2.0]})
    assert analysis.measure_warned(rows).value == pytest.approx(2 / 3)
    assert analysis.measure_heavy_tailed(rows).value == pytest.approx(2 / 3)
    assert analysis.measure_unseen_share(rows).value == pytest.approx(0.5 / 3)
    assert judge(analysis.measure_warned(rows[1:]), Band(low=0.9, high=None)) == "holds"
    assert judge(analysis.measure_warned(rows[1:]), Band(low=None, high=0.1)) == "fails"


def test_a_run_is_warned_of_where_more_than_a_tenth_of_the_mean_is_unseen() -> None:
    log = logged("vanilla")  # no sample of the base comes near the modes
    assert (log["warnings"]["unseen_share"] > 0.5).all()
    assert log["warnings"]["warned"].all()
    assert log["estimates"]["warned"].all()
    near = {"kind": "mixture", "weights": (1.0,), "centres": ((0.1,),), "variances": ((0.9,),)}
    log = logged("vanilla", target=near)
    assert not log["warnings"]["warned"].any()
    assert not log["estimates"]["warned"].any()
    assert log["warnings"]["mean"].item() == pytest.approx(log["weights"]["mean"].item())


def test_a_run_is_warned_of_where_the_annealing_has_found_nothing(tmp_path: Path) -> None:
    (tmp_path / "far.py").write_text(
        "import torch\nDIM = 2\ndef log_density(x):\n"
        "    return torch.where((x > 99).all(-1), -x.square().sum(-1), -torch.inf)\n"
    )
    at = spec.Point(
        example=of(target={"kind": "file", "file": "far.py"}), method="vanilla", annealing=None, collapse=None,
        ablation="none", repeats=4, check=spec.Check(chains=12, annealing=MALA), lines=4, dtype="float64",
    )  # fmt: skip
    context = Context((0,), torch.device("cpu"), torch.float64, inputs={"far.py": tmp_path / "far.py"})
    warnings = dict(simulate(Cell("neis/comparison", at, (0,)), context))["warnings"]
    assert warnings["unseen_share"].isnan().all()
    assert warnings["warned"].all()


def test_acceptance_is_averaged_over_estimates() -> None:
    found = analysis.measure_acceptance(pd.DataFrame({"acceptance": [0.88, 0.89, 0.90]}))
    assert found.value == pytest.approx(0.89)


def test_the_best_estimate_is_of_the_method_that_spreads_least_and_is_not_warned_of() -> None:
    rows = estimates(NEIS=[1.0, 1.01, 0.99], AIS=[1.2, 0.9, 1.1], NEIS_one_mode=[0.8, 0.8001, 0.8]).assign(warned=False)
    best, method = reference.log_best(rows)
    assert (method, best) == ("NEIS", pytest.approx(0.0, abs=1e-9))
    _, method = reference.log_best(rows.assign(warned=rows["method"] == "NEIS"))
    assert method == "AIS"


@pytest.mark.parametrize(
    "changes",
    [
        {"collapses": ("one mode",), "target": {"kind": "funnel"}},
        {"view": ((1.0, 1.0), (0.0, 1.0))},
        {"reduction": 0.5},
        {"budget": 400},
        {"reduction": 1000.0},
    ],
)
def test_impossible_examples_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        of(**changes)


def test_two_methods_of_one_name_are_refused() -> None:
    good = {
        "examples": (of(),),
        "rivals": (MALA,),
        "check": spec.Check(chains=12, annealing=MALA),
        "repeats": 2,
        "rival_repeats": 3,
        "seeds": 1,
    }
    assert len(spec.cells(spec.Params(**good))) == 3
    assert len(spec.cells(spec.Params(**(good | {"learned": False, "vanilla": False})))) == 1
    for rivals in ((MALA, HMC), (MALA.model_copy(update={"name": "NEIS"}),)):
        with pytest.raises(ValidationError):
            spec.Params(**(good | {"rivals": rivals}))
    assert moves_of(HMC).queries == 4
    for annealing in (MALA, HMC):
        assert annealing.queries == queries(annealing.levels, moves_of(annealing))
    with pytest.raises(ValidationError, match="two samples"):
        spec.Params(**(good | {"rivals": (MALA.model_copy(update={"levels": 1000}),)}))


def test_wrong_moves_change_the_acceptance() -> None:
    right, wrong = (
        logged("AIS", MALA, ablation=name)["estimates"]["acceptance"].mean() for name in ("none", "no-rejection")
    )
    assert wrong == 1.0 > right
    assert np.isnan(logged("vanilla")["estimates"]["acceptance"]).all()
