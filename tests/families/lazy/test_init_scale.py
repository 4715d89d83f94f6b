"""lazy/init-scale: its cells against descent step by step, the measures on known logs, the figure."""

import dataclasses

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.lazy.init_scale import analysis, simulation, spec
from resodectl.families.lazy.students import Samples, Student, half_mean_square, residuals
from resodectl.recipe import load
from tests.resuming import cell_run, check_resuming
from tests.simulated import simulated

SEEDS = (0, 3)


def point(**changes: object) -> spec.Point:
    values = {"init_scales": (0.5, 30.0), "dim": 6, "samples": 12, "test": 20, "width": 8, "steps": 40, "every": 10}
    values |= {"model": "network", "dtype": "float64"}
    return spec.Point(**(values | changes))


def logged(**changes: object) -> pd.DataFrame:
    return simulated("lazy/init-scale", point(**changes), SEEDS)["curves"]


def drawn(of: spec.Point) -> simulation.Drawn:
    return simulation.draw(of, Context(SEEDS, torch.device("cpu"), torch.float64))


def test_losses_are_those_of_descent_by_automatic_differentiation() -> None:
    rows, of = logged(), point()
    data = drawn(of)
    for run in range(len(SEEDS)):
        for tau, lr in ((0.5, 0.4), (30.0, 0.1 / 900)):
            hidden, output = (tau * weights[[run]] for weights in data.first)
            for step in range(41):
                student = Student(hidden.requires_grad_(), output.requires_grad_())
                losses = [
                    (student.values(part.inputs[[run]]) - part.targets[[run]]).square().mean() / 2
                    for part in (data.train, data.test)
                ]
                if step % 10 == 0:
                    own = rows.query("seed == @SEEDS[@run] and step == @step and init_scale == @tau")
                    assert own[["train_loss", "test_loss"]].to_numpy()[0] == pytest.approx(
                        [loss.item() for loss in losses], rel=1e-9
                    )
                slopes = torch.autograd.grad(losses[0], student)
                hidden, output = (of.detach() - lr * slope for of, slope in zip(student, slopes, strict=True))


def test_a_network_from_very_large_weights_is_its_lazy_limit_at_every_step() -> None:
    scales = (1e3, 2e3)
    network, lazy = (logged(init_scales=scales, model=model) for model in ("network", "lazy"))
    both = network.merge(lazy, on=["seed", "init_scale", "step"])
    assert len(both) == 20
    for part in ("train_loss", "test_loss"):
        assert both[f"{part}_x"].to_numpy() == pytest.approx(both[f"{part}_y"].to_numpy(), rel=1e-5)
    assert lazy.query("step == 40")["train_loss"].mean() < 0.8 * lazy.query("step == 0")["train_loss"].mean()


def test_from_a_start_that_is_not_zero_the_lazy_limit_is_descent_on_the_linearised_network() -> None:
    of = point(start="plain", init_scales=(0.5,), steps=30)
    rows = logged(start="plain", init_scales=(0.5,), steps=30, model="lazy").query("seed == 3")
    data = drawn(of)
    first = [0.5 * weights[1] for weights in data.first]
    errors, jacobians = [], []
    for part in (data.train, data.test):

        def values(hidden: torch.Tensor, output: torch.Tensor, part: Samples = part) -> torch.Tensor:
            return Student(hidden[None], output[None]).values(part.inputs[[1]])[0]

        rows_of = torch.func.jacrev(values, (0, 1))(*first)
        jacobians.append(torch.cat([block.flatten(1) for block in rows_of], 1))
        errors.append(values(*first) - part.targets[1])
    moved = torch.zeros(jacobians[0].shape[1], dtype=torch.float64)
    for step in range(31):
        wrong = [error + jacobian @ moved for error, jacobian in zip(errors, jacobians, strict=True)]
        if step % 10 == 0:
            own = rows.query("step == @step")[["train_loss", "test_loss"]].to_numpy()[0]
            assert own == pytest.approx([of.square().mean().item() / 2 for of in wrong], rel=1e-9)
        moved = moved - 0.4 * jacobians[0].T @ wrong[0] / 12


def test_the_lazy_limit_depends_on_tau_through_the_capped_learning_rate_alone() -> None:
    rows = logged(model="lazy", init_scales=(0.02, 0.1, 5.0)).pivot(
        index=["seed", "step"], columns="init_scale", values="test_loss"
    )
    assert rows[0.1].to_numpy() == pytest.approx(rows[5.0].to_numpy(), rel=1e-9)
    assert (rows[0.02] - rows[0.1]).abs().max() > 1e-4


def test_the_first_half_of_the_units_has_positive_output_weights_and_the_output_is_zero() -> None:
    data = drawn(point())
    output = data.first.output
    assert (output[:, :4] > 0).all()
    assert torch.equal(output[:, 4:], -output[:, :4])
    start = half_mean_square(residuals(data.first, data.test, torch.ones(2, dtype=torch.float64)))
    torch.testing.assert_close(start, data.test.targets.square().mean(1) / 2)
    plain = drawn(point(start="plain")).first
    assert plain.hidden.shape == (2, 8, 6)
    assert plain.values(data.test.inputs).abs().min() > 0


def test_draws_do_not_depend_on_the_init_scales_or_on_the_other_seeds() -> None:
    rows = logged().query("init_scale == 30.0 and seed == 3")
    alone = simulated("lazy/init-scale", point(init_scales=(30.0,)), (3,))["curves"]
    assert rows["test_loss"].to_numpy() == pytest.approx(alone["test_loss"].to_numpy(), rel=1e-12)


def test_large_scales_run_in_float64_and_the_lazy_limit_once_for_all() -> None:
    params = spec.Params(init_scales=(0.1, 3.0, 10.0), steps=100, seeds=2)
    cells = spec.cells(params)
    assert [(of.model, of.dtype, of.init_scales) for of in cells] == [
        ("network", "float32", (0.1,)),
        ("network", "float64", (3.0, 10.0)),
        ("lazy", "float64", (0.1, 3.0, 10.0)),
    ]
    alike = spec.cells(params.model_copy(update={"layers": "hidden"}))
    assert alike[:2] == cells[:2]  # a control by another kernel trains nothing again
    assert alike[2] != cells[2]
    double = spec.cells(params.model_copy(update={"dtype": "float64", "start": "plain"}))
    assert [(of.model, of.init_scales) for of in double] == [(model, (0.1, 3.0, 10.0)) for model in ("network", "lazy")]


def test_a_cell_goes_on_from_its_last_record() -> None:
    check_resuming(cell_run("lazy/init-scale", point(), SEEDS), 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 7}, "give an even number"),
        ({"every": 7}, "no multiple of every"),
        ({"init_scales": (1.0, 1.0)}, "give each value once"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec.Params(**({"init_scales": (1.0,), "steps": 100, "seeds": 1} | changes))


def curves(scale: float, test: list[float], train: list[float] | None = None, model: str = "network") -> pd.DataFrame:
    """Rows of two seeds at three steps; the second seed's losses are those of the first times 1.01."""
    losses = {"test_loss": test + [1.01 * loss for loss in test], "train_loss": (train or test) * 2}
    return pd.DataFrame(
        {"model": model, "init_scale": scale, "seed": [0] * 3 + [1] * 3, "step": [0, 10, 20] * 2, **losses}
    )


def shipped_recipe(profile: str) -> load.Recipe:
    return load.load(shipped()["lazy/chizat2019-init-scale"], load.Request(profile))


def verdict(index: int, rows: pd.DataFrame) -> str:
    """Whether a shipped claim of the laptop profile holds on the rows."""
    claim = shipped_recipe("laptop").claims[index]
    measured = getattr(analysis, f"measure_{claim.claim}")(rows, **claim.options)
    return judge(measured, claim.band("laptop"))


def test_ratios_compare_the_largest_init_scale_with_the_smallest_at_the_end() -> None:
    small, large = curves(0.03, [6e-3, 1e-3, 0.5e-3]), curves(1.0, [6e-3, 2e-3, 3e-3])
    rows = pd.concat([large, small])
    assert analysis.measure_ratio(rows).value == pytest.approx(6)
    assert analysis.measure_ratio(rows, large="best").value == pytest.approx(4)
    assert [verdict(index, rows) for index in (0, 1)] == ["holds", "holds"]
    untrained = rows[rows["step"] == 0]
    assert [verdict(index, untrained) for index in (0, 1)] == ["fails", "fails"]
    diverged = pd.concat([small, large.assign(test_loss=[1.0, 1.0, float("nan")] * 2)])
    assert verdict(0, diverged) == "unclear"


def test_losses_and_their_shares_are_read_at_the_last_step() -> None:
    rows = curves(1.0, [6e-3, 2e-3, 2.7e-3], [6e-3, 1e-3, 0.12e-3])
    assert analysis.measure_test_loss(rows).value == pytest.approx(2.7 * 1.005)
    assert analysis.measure_best_over_end(rows).value == pytest.approx(2 / 2.7)
    assert analysis.measure_train_loss_left(rows).value == pytest.approx(0.02)
    assert [verdict(index, rows) for index in (3, 5, 6)] == ["holds"] * 3
    early = rows[rows["step"] <= 10]
    assert [verdict(index, early) for index in (3, 5, 6)] == ["fails"] * 3  # 2.0, all that was left, and 1
    assert verdict(2, curves(0.1, [6e-3, 2e-3, 1.75e-3])) == "holds"
    assert verdict(2, curves(0.1, [6e-3, 2e-3, 2.7e-3])) == "fails"
    for start, state in ((5.9e-3, "holds"), (12e-3, "fails")):  # with equal signs of the teacher it is 12
        assert verdict(8, curves(1.0, [start, 2e-3, 2.7e-3]).query("step == 0")) == state


def test_the_plateau_is_a_rise_that_has_ended() -> None:
    rows = [curves(0.03, [6, 1, 0.4]), curves(1.0, [6, 2, 2.8])]
    flat, rising, unmoved = (curves(3.0, [6, 2, end]) for end in (2.82, 3.4, 2.8))
    assert analysis.measure_further_rise(pd.concat([*rows, rising])).value == pytest.approx(0.25)
    assert verdict(4, pd.concat([*rows, flat])) == "holds"
    assert verdict(4, pd.concat([*rows, rising])) == "fails"
    assert verdict(4, pd.concat([*rows, unmoved]).query("step == 0")) == "unclear"  # nothing has risen
    assert verdict(4, pd.concat(rows)) == "unclear"  # an init scale is missing


def test_the_lazy_error_is_the_largest_over_all_steps() -> None:
    network = curves(3.0, [6.0, 2.0, 3.0])
    for middle, value, state in ((2.005, 0.005 / 2.005, "holds"), (2.2, 0.2 / 2.2, "fails")):
        rows = pd.concat([network, curves(3.0, [6.0, middle, 3.0], model="lazy")])
        assert analysis.measure_lazy_error(rows).value == pytest.approx(value)
        assert verdict(7, rows) == state
    assert verdict(7, network) == "unclear"


def test_the_figure_shows_end_best_and_lazy_limit_and_the_distance_between() -> None:
    scales = (0.1, 0.3, 3.0)
    rows = pd.concat([logged(init_scales=scales, model=model) for model in ("network", "lazy")])
    recipe = shipped_recipe("smoke")
    params = recipe.params.model_copy(update={"init_scales": scales})
    figure = analysis.draw_scales({"curves": rows}, dataclasses.replace(recipe, params=params))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:3] == ["end of training", "best throughout training", "lazy limit, end, closed form"]
    end, best = figure.axes[0].lines[0].get_ydata(), figure.axes[0].lines[2].get_ydata()
    assert (best <= end + 1e-12).all()
    assert figure.axes[1].get_yscale() == "log"
