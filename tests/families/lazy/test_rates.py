"""lazy/rates: gaps against autograd and closed forms, the second-order expansion against jvp, measures, figure."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch.func import jvp

from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.context import Context
from resodectl.families.lazy.rates import analysis, spec
from resodectl.families.lazy.rates.simulation import Task, draw_task, expanded_gaps, flat, largest_gaps, unflat
from resodectl.families.lazy.students import ActivationName, Samples, Student, gradients, residuals
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

SEEDS = (0, 3)
SMOOTH: tuple[ActivationName, ...] = ("tanh", "softplus")


def point(**changes: object) -> spec.Point:
    values = {"alphas": (10.0, 100.0), "dim": 3, "sample_size": 6, "width": 8, "times": (0.5, 2.0), "step": 0.05}
    values |= {"dtype": "float64", "activation": "tanh", "start": "centred"}
    return spec.Point(**(values | changes))


def task(**changes: object) -> Task:
    return draw_task(point(**changes), Context(SEEDS, torch.device("cpu"), torch.float64))


def logged(seeds: tuple[int, ...] = SEEDS, **changes: object) -> pd.DataFrame:
    return simulated("lazy/rates", point(**changes), seeds)["gaps"]


def at(rows: pd.DataFrame, **where: object) -> pd.DataFrame:
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_the_jacobian_at_the_start_is_that_of_central_differences(activation: ActivationName) -> None:
    of = task(activation=activation)
    jacobian, start = of.jacobian(), flat(of.student)
    for parameter in (0, 7, 24, 31):
        moved = torch.zeros_like(start)
        moved[:, parameter] = 1e-6
        up, down = (
            of.scale * unflat(start + sign * moved, of.student).values(of.inputs, activation) for sign in (1, -1)
        )
        torch.testing.assert_close(jacobian[:, :, parameter], (up - down) / 2e-6, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("start", ["centred", "doubled", "uncentred"])
def test_gaps_are_those_of_euler_steps_by_autograd_one_run_at_a_time(start: spec.Start) -> None:
    of, rows = task(start=start), logged(start=start)
    for seed in range(len(SEEDS)):
        x, y = of.inputs[seed], of.targets[seed]
        w0 = flat(of.student)[seed]
        like = Student(of.student.hidden[:1], of.student.output[:1])

        def h(w: torch.Tensor, x: torch.Tensor = x, like: Student = like) -> torch.Tensor:
            return like.output.shape[1] ** -0.5 * unflat(w[None], like).values(x[None], "tanh")[0]

        subtracted = 0 * h(w0) if start == "uncentred" else h(w0)
        jacobian = torch.func.jacrev(h)(w0)
        for alpha in (10.0, 100.0):
            w, linear, largest = w0.clone(), w0.clone(), torch.zeros(3, dtype=torch.float64)
            for step in range(41):
                outputs = alpha * (h(w) - subtracted), alpha * (h(w0) - subtracted + jacobian @ (linear - w0))
                gap = (outputs[0] - outputs[1]).square().mean().sqrt()
                largest = torch.maximum(largest, torch.stack([(w - w0).norm(), (w - linear).norm(), gap]))
                if step == 10:
                    early = largest
                slope = torch.func.jacrev(h)(w).T @ (outputs[0] - y) / len(y) / alpha
                w, linear = w - 0.05 * slope, linear - 0.05 * jacobian.T @ (outputs[1] - y) / len(y) / alpha
            for time, expected in ((0.5, early), (2.0, largest)):
                (row,) = at(rows, seed=SEEDS[seed], alpha=alpha, time=time)[list(analysis.POWERS)].to_numpy()
                assert row == pytest.approx(expected.numpy(), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_the_second_order_expansion_by_hand_is_that_by_forward_derivatives(activation: ActivationName) -> None:
    of, step, steps = task(activation=activation), 0.05, 30
    start = tuple(of.student)

    def outputs(hidden: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return of.scale * Student(hidden, output).values(of.inputs, activation)

    def pull(at: tuple[torch.Tensor, ...], errors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(gradients(Student(*at), of.inputs, errors, activation).scaled(of.scale))

    first = second = tuple(torch.zeros_like(weights) for weights in start)
    largest = torch.zeros(2, len(SEEDS), dtype=torch.float64)
    for _ in range(steps):
        rise, bend = jvp(lambda *at, v=first: jvp(outputs, at, v)[1], start, first)
        errors, behind = rise - of.targets, jvp(outputs, start, second)[1] + bend / 2
        turned = jvp(lambda *at, e=errors: pull(at, e), start, first)[1]
        fall, drawn = pull(start, errors), pull(start, behind)
        first = tuple(w - step * by for w, by in zip(first, fall, strict=True))
        second = tuple(w - step * (a + b) for w, a, b in zip(second, turned, drawn, strict=True))
        largest = torch.maximum(
            largest, torch.stack([flat(Student(*second)).norm(dim=1), behind.square().mean(1).sqrt()])
        )
    torch.testing.assert_close(expanded_gaps(of, of.jacobian(), step, steps), largest)


@pytest.mark.parametrize("activation", SMOOTH)
def test_gaps_tend_to_the_limits_of_the_expansion_and_movement_to_that_of_the_kernel(
    activation: ActivationName,
) -> None:
    rows = at(logged(activation=activation, alphas=(3000.0,), step=0.01), time=2.0)
    for of, power in analysis.POWERS.items():
        shares = rows[of] * 3000.0**power / rows[f"limit_{of}"]
        assert shares.to_numpy() == pytest.approx(np.ones(2), rel=1e-2)


def test_the_first_order_output_gap_of_a_doubled_start_is_zero() -> None:
    rows = at(logged(start="doubled"), time=2.0)
    assert (rows["limit_output_gap"] < 1e-12).all()
    slopes = analysis.measure_slope(rows, of="output_gap")
    assert slopes.value == pytest.approx(-2, abs=0.05)


def test_a_descent_of_centred_outputs_is_that_of_shifted_targets() -> None:
    of = task()
    jacobian, alphas = of.jacobian(), torch.tensor([10.0], dtype=torch.float64)
    (largest,) = largest_gaps(of, jacobian, alphas, "centred", 0.05, [1])
    scale = torch.full((len(SEEDS),), 10 * of.scale, dtype=torch.float64)
    shifted = Samples(of.inputs, of.targets + 10 * of.scale * of.student.values(of.inputs, "tanh"))
    slope = gradients(of.student, of.inputs, residuals(of.student, shifted, scale, "tanh"), "tanh")
    torch.testing.assert_close(largest[0], 0.05 * of.scale / 10 * flat(slope).norm(dim=1))


def test_a_seed_gives_the_same_rows_alone() -> None:
    together, alone = logged(), logged((3,))
    own = at(together, seed=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone, rtol=1e-9)


@pytest.mark.parametrize(
    "bad",
    [{"width": 7}, {"times": (2.0, 1.0)}, {"times": (0.07,)}, {"alphas": (0.0,)}, {"times": (0.01,)}],
)
def test_impossible_settings_are_refused(bad: dict[str, object]) -> None:
    good: dict[str, object] = {
        "activations": ("relu",), "starts": ("doubled",), "alphas": (1.0,), "dim": 3, "sample_size": 4, "width": 6,
        "times": (0.1, 0.2), "step": 0.05, "seeds": 1,
    }  # fmt: skip
    assert len(spec.cells(spec.Params(**good))) == 1
    with pytest.raises(ValidationError):
        spec.Params(**(good | bad))


def gaps(exponent: float, factor: float = 1.0, seeds: int = 5) -> pd.DataFrame:
    """Quantities that are factor alpha^exponent, up to a per cent over seeds, with the limits 1, 1 and 1."""
    rows = []
    for seed in range(seeds):
        for alpha in (10.0, 100.0):
            value = factor * (1 + 0.002 * seed) * alpha**exponent
            rows.append({"seed": seed, "alpha": alpha, **dict.fromkeys(analysis.POWERS, value)})
    return pd.DataFrame(rows).assign(**{f"limit_{of}": 1.0 for of in analysis.POWERS})


@pytest.mark.parametrize(("exponent", "judgement"), [(-1.0, "holds"), (-2.0, "fails"), (0.0, "fails")])
def test_a_slope_is_the_exponent(exponent: float, judgement: str) -> None:
    found = analysis.measure_slope(gaps(exponent), of="output_gap")
    assert found.value == pytest.approx(exponent)
    assert judge(found, Band(low=-1.1, high=-0.9)) == judgement


@pytest.mark.parametrize(("spoilt", "judgement"), [(0, "holds"), (1, "holds"), (10, "fails")])
def test_the_share_of_seeds_at_a_slope_bears_some_that_are_spoilt(spoilt: int, judgement: str) -> None:
    rows = gaps(-1.0, seeds=12)
    rows.loc[(rows["seed"] < spoilt) & (rows["alpha"] == 10.0), "output_gap"] *= 50
    found = analysis.measure_seeds_at_slope(rows, of="output_gap", slope=-1.0, tolerance=0.1)
    assert found.value == pytest.approx(1 - spoilt / 12)
    assert judge(found, Band(low=0.7, high=None)) == judgement


def test_a_slope_that_is_no_number_counts_neither_way() -> None:
    rows = at(gaps(-1.0), alpha=10.0)
    found = analysis.measure_seeds_at_slope(rows, of="output_gap", slope=-1.0, tolerance=0.1)
    assert judge(found, Band(low=0.7, high=None)) == "unclear"


@pytest.mark.parametrize(("factor", "judgement"), [(0.998, "holds"), (0.9, "fails"), (1.1, "fails")])
def test_a_share_of_the_limit_takes_the_power_of_its_quantity(factor: float, judgement: str) -> None:
    for of, power in analysis.POWERS.items():
        found = analysis.measure_share_of_limit(at(gaps(-power, factor), alpha=100.0), of=of)
        assert found.value == pytest.approx(factor * 1.004)
        assert judge(found, Band(low=0.99, high=1.01)) == judgement


@pytest.mark.parametrize(("factor", "judgement"), [(0.05, "holds"), (0.001, "fails"), (0.4, "fails")])
def test_the_scaled_gap_is_measured_in_logarithms(factor: float, judgement: str) -> None:
    found = analysis.measure_log10_scaled(at(gaps(-2.0, factor), alpha=100.0), of="parameter_gap", power=2)
    assert found.value == pytest.approx(np.log10(factor), abs=0.005)
    assert judge(found, Band(low=-1.92, high=-0.66)) == judgement


def test_several_rows_of_a_seed_have_no_share() -> None:
    with pytest.raises(ValueError, match="several rows"):
        analysis.measure_share_of_limit(gaps(-1.0), of="movement")


def test_the_figure_has_a_panel_a_quantity_with_the_limit_of_each_activation() -> None:
    recipe = load.load(shipped()["lazy/chizat2019-rates"], load.Request("smoke"))
    rows = pd.concat(
        [
            logged(activation=activation, start=start, alphas=tuple(recipe.params.alphas))
            for activation in ("tanh", "relu")
            for start in ("centred", "doubled", "uncentred")
        ]
    )
    figure = analysis.draw_rates({"gaps": rows}, recipe)
    assert len(figure.axes) == 3
    for ax in figure.axes:
        lines = [line.get_label() for line in ax.lines]
        assert lines.count("limit of centred training, computed without training") == 2
        assert {"tanh, centred", "relu, doubled", "relu, uncentred"} < set(lines)
        assert ax.get_xscale() == ax.get_yscale() == "log"
    (line,) = (line for line in figure.axes[0].lines if line.get_label() == "tanh, centred")
    shown = at(rows, activation="tanh", start="centred", time=2.0).groupby("alpha")["movement"].median()
    assert line.get_ydata() == pytest.approx(shown.to_numpy())
