"""lazy/population: SGD by autograd on the same batches, fresh samples, measures on known logs, the figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.lazy.population import analysis, simulation, spec
from resodectl.families.lazy.students import Student, teacher
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 3)
SCALES = (0.1, 1.0, 4.0)


def point(**changes: object) -> spec.Point:
    values = {"init_scales": SCALES, "dim": 5, "width": 6, "batch": 8, "teacher_divisor": 2.0, "lr": 0.2}
    values |= {"largest_lr": 3.0, "steps": 6, "window": 3, "dtype": "float64"}
    return spec.Point(**(values | changes))


def logged(seeds: tuple[int, ...] = SEEDS, **changes: object) -> pd.DataFrame:
    return simulated("lazy/population", point(**changes), seeds)["losses"]


def context(seeds: tuple[int, ...] = SEEDS) -> Context:
    return Context(seeds, torch.device("cpu"), torch.float64)


def shown() -> Student:
    drawn = teacher(context().streams("teacher"), 5)
    return Student(drawn.hidden, drawn.output / 2)


def test_losses_are_those_of_sgd_by_autograd_with_d_times_the_step_in_the_input_weights() -> None:
    rows, first = logged(), simulation.start(point(), context())
    batches = simulation.fresh(point(), context(), shown(), 0, 3) + simulation.fresh(point(), context(), shown(), 3, 3)
    for run, (seed, tau) in enumerate((seed, tau) for seed in range(2) for tau in SCALES):
        b, a = (weights[run].clone().requires_grad_() for weights in first)
        lr, losses = min(0.2 / tau**2, 3.0), []
        for batch in batches:
            wrong = torch.relu(batch.inputs[seed] @ b.T) @ a / 6 - batch.targets[seed]
            losses.append(wrong.square().mean().item() / 2)
            slopes = torch.autograd.grad(wrong.square().mean() / 2, (b, a))
            with torch.no_grad():
                b -= 5 * lr * 6 * slopes[0]  # the steps leave out the factor 1/m of the gradient
                a -= lr * 6 * slopes[1]
        own = rows[(rows["seed"] == SEEDS[seed]) & (rows["init_scale"] == tau)].set_index("step")["population_loss"]
        assert own[3] == pytest.approx(np.mean(losses[:3]))
        assert own[6] == pytest.approx(np.mean(losses[3:]))


def test_all_init_scales_start_at_zero_output_from_multiples_of_one_draw() -> None:
    rows, first = logged(), simulation.start(point(), context())
    at_start = rows[rows["step"] == 0]
    assert at_start["population_loss"].to_numpy() == pytest.approx(at_start["null_loss"].to_numpy())
    torch.testing.assert_close(first.hidden[0] * 40, first.hidden[2])
    torch.testing.assert_close(first.output[3] * 10, first.output[4])
    assert first.hidden.shape == (6, 6, 5)


def test_batches_are_on_the_sphere_fresh_and_labelled_by_the_teacher() -> None:
    batches = simulation.fresh(point(), context(), shown(), 0, 3)
    assert len(batches) == 3
    for batch in batches:
        assert batch.inputs.norm(dim=2).numpy() == pytest.approx(np.ones((2, 8)))
        torch.testing.assert_close(batch.targets, shown().values(batch.inputs))
    drawn = torch.cat([of.inputs for of in batches + simulation.fresh(point(), context(), shown(), 3, 3)], 1)
    assert len(drawn[0].unique(dim=0)) == 48


def test_the_teacher_is_divided_so_that_the_null_loss_falls_like_the_square() -> None:
    half, whole = logged(teacher_divisor=2.0), logged(teacher_divisor=1.0)
    assert (whole["null_loss"] / half["null_loss"]).to_numpy() == pytest.approx(4.0)


def test_a_seed_gives_the_same_rows_alone_and_single_precision_changes_little() -> None:
    together, alone = logged(), logged((3,))
    own = together[together["seed"] == 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone, rtol=1e-10)
    single = logged(dtype="float32")
    assert single["population_loss"].to_numpy() == pytest.approx(together["population_loss"].to_numpy(), rel=1e-4)


def test_windows_that_no_part_of_batches_divides_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of batches that are drawn at once changes which are drawn, but not how many steps are taken."""
    monkeypatch.setattr(simulation, "PART", 2)
    rows = logged()
    assert sorted(rows["step"].unique()) == [0, 3, 6]
    assert np.isfinite(rows["population_loss"]).all()


@pytest.mark.parametrize(
    "bad", [{"width": 5}, {"steps": 7}, {"averaged": 4}, {"averaged": 9}, {"init_scales": (0.0,)}, {"init_scales": ()}]
)
def test_impossible_settings_are_refused(bad: dict[str, object]) -> None:
    good = {
        "init_scales": SCALES,
        "width": 6,
        "teacher_divisor": 2.0,
        "steps": 6,
        "window": 3,
        "averaged": 3,
        "seeds": 2,
    }
    assert len(spec.cells(spec.Params(**good))) == 1
    with pytest.raises(ValidationError):
        spec.Params(**(good | bad))


def test_a_student_that_has_diverged_has_no_loss() -> None:
    rows = logged(lr=1e200, largest_lr=1e200)
    assert rows[rows["step"] == 6]["population_loss"].isna().all()


def losses(share: float, of_others: float = 1.0) -> pd.DataFrame:
    """Losses at init scale 1, and those of init scale 4 by a factor; the null loss differs between seeds."""
    rows = [
        {"seed": seed, "init_scale": tau, "population_loss": share * (1 + seed) * factor, "null_loss": 1.0 + seed}
        for seed in range(4)
        for tau, factor in ((1.0, 1.0), (4.0, of_others * (1 + 1e-4 * seed)))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("share", "judgement"), [(0.2, "holds"), (0.1, "fails"), (1.0, "fails")])
def test_a_share_is_that_of_the_null_loss(share: float, judgement: str) -> None:
    rows = losses(share)
    rows = rows[rows["init_scale"] == 1]
    found, log10 = analysis.measure_share(rows), analysis.measure_log10_share(rows)
    assert (found.value, log10.value) == pytest.approx((share, np.log10(share)))
    assert judge(found, Band(low=0.17, high=0.28)) == judgement
    assert judge(log10, Band(low=-0.77, high=-0.55)) == judgement


@pytest.mark.parametrize(("factor", "judgement"), [(1.0, "holds"), (0.98, "fails"), (1.02, "fails")])
def test_a_ratio_is_that_to_init_scale_one_of_the_same_seed(factor: float, judgement: str) -> None:
    found = analysis.measure_ratio(losses(0.2, factor))
    assert found.value == pytest.approx(factor * 1.00015)
    assert judge(found, Band(low=0.997, high=1.003)) == judgement


def test_several_rows_of_a_seed_and_several_init_scales_are_refused_and_none_are_unclear() -> None:
    rows = losses(0.2)
    with pytest.raises(ValueError, match="several rows"):
        analysis.measure_share(rows)
    with pytest.raises(ValueError, match="several init scales"):
        analysis.measure_ratio(pd.concat([rows, rows[rows["init_scale"] == 4].assign(init_scale=0.4)]))
    assert judge(analysis.measure_ratio(rows[rows["init_scale"] == 1]), Band(low=0.9, high=1.1)) == "unclear"


def test_the_figure_averages_the_last_steps_until_the_end_and_until_the_half_of_training() -> None:
    recipe = load.load(shipped()["lazy/chizat2019-population"], load.Request("smoke"))
    of = recipe.params
    assert (of.steps, of.window, of.averaged) == (40, 10, 20)
    rows = logged(init_scales=of.init_scales, steps=40, window=10)
    figure = analysis.draw_population({"losses": rows}, recipe)
    assert [ax.get_yscale() for ax in figure.axes] == ["linear", "log"]
    largest = rows[rows["step"] >= 30].groupby("init_scale")["population_loss"].mean().max()
    for steps, label in (((30, 40), "until step 40, mean"), ((10, 20), "until step 20, mean")):
        means = rows[rows["step"].isin(steps)].groupby("init_scale")["population_loss"].mean()
        for ax in figure.axes:
            (line,) = (line for line in ax.lines if line.get_label() == label)
            assert line.get_ydata() == pytest.approx((means / largest).to_numpy())
