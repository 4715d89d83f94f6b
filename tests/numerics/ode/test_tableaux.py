"""Tableaux: order conditions, orders measured, and the formulas of textbooks."""

import math

import pytest
import torch

from resodectl.numerics.ode.runge_kutta import runge_kutta, runge_kutta_step
from resodectl.numerics.ode.tableaux import EULER, HEUN, MIDPOINT, RK4, TABLEAUX


def field(x, s):
    return x * math.cos(s) + x.sin()


def test_a_tableau_is_found_by_its_name():
    assert TABLEAUX == {"euler": EULER, "heun": HEUN, "midpoint": MIDPOINT, "rk4": RK4}


@pytest.mark.parametrize("name", TABLEAUX)
def test_order_conditions_hold_up_to_the_order_and_no_further(name):
    """sum b = 1, sum b c = 1/2, sum b c^2 = 1/3 and sum b a c = 1/6, sum b c^3 = 1/4 (Butcher 2016, section 31)."""
    tableau = TABLEAUX[name]
    b, c = tableau.weights, tableau.times
    inner = [sum(a * at for a, at in zip(row, c, strict=False)) for row in tableau.stages]
    conditions = [
        (sum(b), 1),
        (sum(w * at for w, at in zip(b, c, strict=True)), 1 / 2),
        (sum(w * at**2 for w, at in zip(b, c, strict=True)), 1 / 3),
        (sum(w * at for w, at in zip(b, inner, strict=True)), 1 / 6),
        (sum(w * at**3 for w, at in zip(b, c, strict=True)), 1 / 4),
    ]
    of_order = {1: 1, 2: 2, 4: 5}[tableau.order]
    assert all(value == pytest.approx(known) for value, known in conditions[:of_order])
    assert of_order == 5 or not all(value == pytest.approx(known) for value, known in conditions[: of_order + 1])


@pytest.mark.parametrize("name", TABLEAUX)
def test_the_error_falls_with_the_order(name):
    """x' = x cos s has the solution exp(sin s)."""
    tableau, x = TABLEAUX[name], torch.ones(1, dtype=torch.float64)
    ends = [runge_kutta(lambda x, s: x * math.cos(s), x, 0.0, 2.0, steps, tableau).item() for steps in (40, 80)]
    errors = [abs(end - math.exp(math.sin(2))) for end in ends]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(tableau.order, abs=0.15)


def test_steps_are_the_formulas_of_textbooks():
    x, s, step = torch.tensor([0.3, -1.2], dtype=torch.float64), 0.4, 0.1
    first = field(x, s)
    second = field(x + step / 2 * first, s + step / 2)
    third = field(x + step / 2 * second, s + step / 2)
    last = field(x + step * third, s + step)
    assert torch.equal(runge_kutta_step(field, x, s, step, EULER), x + step * first)
    assert torch.equal(runge_kutta_step(field, x, s, step, MIDPOINT), x + step * second)
    heun = x + step / 2 * (first + field(x + step * first, s + step))
    assert torch.equal(runge_kutta_step(field, x, s, step, HEUN), heun)
    assert torch.equal(runge_kutta_step(field, x, s, step), x + step / 6 * (first + 2 * second + 2 * third + last))


@pytest.mark.parametrize("name", TABLEAUX)
def test_each_state_may_have_a_step_of_its_own(name):
    x = torch.tensor([[0.3], [-1.2]], dtype=torch.float64)
    steps = torch.tensor([[0.1], [0.2]], dtype=torch.float64)
    together = runge_kutta_step(lambda x, _: x.sin(), x, 0.0, steps, TABLEAUX[name])
    for run, step in enumerate((0.1, 0.2)):
        alone = runge_kutta_step(lambda x, _: x.sin(), x[run], 0.0, step, TABLEAUX[name])
        torch.testing.assert_close(together[run], alone, rtol=1e-15, atol=0)
