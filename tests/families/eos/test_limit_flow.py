"""eos/limit-flow: paths and integrated flows against plain loops and closed forms, and the measures."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from resodectl.families.eos.limit_flow import analysis, spec
from resodectl.families.eos.limit_flow.simulation import descend
from resodectl.families.eos.toys import TOYS
from tests.simulated import simulated


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def logged(**changes: object) -> dict[str, pd.DataFrame]:
    values = {"toy": "surface", "algorithm": "normalised", "horizon": 0.5, "lrs": (0.1, 0.05), "records": 7}
    values |= {"flow_steps": 10, "ablation": "none", "dtype": "float64"}
    return simulated("eos/limit-flow", spec.Point(**(values | changes)))


@pytest.mark.parametrize("algorithm", ["normalised", "square-root"])
def test_paths_of_all_rates_are_the_plain_loops_of_each(algorithm: str) -> None:
    lrs, steps = (0.1, 0.03), 50
    toy = TOYS["surface"]
    path = descend(toy, algorithm, toy.start(tensor(lrs)), tensor(lrs), steps)
    for index, lr in enumerate(lrs):
        x, y = 2.0, 0.3 * lr
        for t in range(steps + 2):
            assert path[t, index].tolist() == pytest.approx([x, y], rel=1e-10, abs=1e-12)
            loss, slope = (1 + x * x) * y * y, (2 * x * y * y, 2 * (1 + x * x) * y)
            scale = math.hypot(*slope) if algorithm == "normalised" else 2 * math.sqrt(loss)
            x, y = x - lr * slope[0] / scale, y - lr * slope[1] / scale


@pytest.mark.parametrize(
    ("algorithm", "lr", "horizon", "end"),
    [("normalised", 0.1, 4.0, 1.09728), ("normalised", 0.05, 4.0, 1.09665), ("square-root", 0.1, 2.0, 0.73242)],
)
def test_paths_end_where_an_independent_implementation_does(
    algorithm: str, lr: float, horizon: float, end: float
) -> None:
    steps = round(horizon / lr**2)
    toy = TOYS["surface"]
    path = descend(toy, algorithm, toy.start(tensor([lr])), tensor([lr]), steps)
    assert path[steps, 0, 0].item() == pytest.approx(end, abs=6e-6)


@pytest.mark.parametrize(("algorithm", "largest"), [("normalised", 0.0087), ("square-root", 0.0067)])
def test_from_the_nominal_start_the_ellipse_s_error_is_that_of_an_independent_implementation(
    algorithm: str, largest: float
) -> None:
    lr, toy = 0.01, TOYS["ellipse"]
    steps = round((6.0 if algorithm == "normalised" else 3.0) / lr**2)
    path = descend(toy, algorithm, toy.start(tensor([lr])), tensor([lr]), steps)[: steps + 1, 0]
    flow = toy.clocks[algorithm].flow(tensor(1.2), torch.arange(steps + 1) * lr**2)
    assert (toy.coordinate(path) - flow).abs().max().item() == pytest.approx(largest, abs=2e-4)


@pytest.mark.parametrize("algorithm", ["normalised", "square-root"])
def test_two_steps_drift_by_the_flow_s_velocity(algorithm: str) -> None:
    """-(lr^2 / 2) grad log lambda_1, or -(lr^2 / 4) grad lambda_1, for lambda_1 = 2 (1 + x^2)."""
    lr, toy = 1e-3, TOYS["surface"]
    path = descend(toy, algorithm, toy.start(tensor([lr])), tensor([lr]), 101)[:, 0]
    drift = (path[101, 0] - path[99, 0]).item()
    x = path[99, 0].item()
    expected = -(lr**2) / 2 * 2 * x / (1 + x * x) if algorithm == "normalised" else -(lr**2) / 4 * 4 * x
    assert drift == pytest.approx(expected, rel=5e-3)


def test_what_is_largest_between_rows_is_largest_over_all_steps() -> None:
    """However many rows are kept."""
    few, many = logged(records=3)["paths"], logged(records=40)["paths"]
    for column in ("error", "pair_stableness", "pair_root_loss", "misalignment"):
        assert few.groupby("lr")[column].max().tolist() == many.groupby("lr")[column].max().tolist()


LRS, HORIZON = (0.1, 0.05), 0.5


def surface_path(algorithm: str, lr: float) -> list[tuple[float, float]]:
    """The iterates 0 to steps + 1 on (1 + x^2) y^2, in a loop."""
    path, (x, y) = [], (2.0, 0.3 * lr)
    for _ in range(round(HORIZON / lr**2) + 2):
        path.append((x, y))
        loss, slope = (1 + x * x) * y * y, (2 * x * y * y, 2 * (1 + x * x) * y)
        scale = math.hypot(*slope) if algorithm == "normalised" else 2 * math.sqrt(loss)
        x, y = x - lr * slope[0] / scale, y - lr * slope[1] / scale
    return path


def of_steps(algorithm: str, lr: float, flow: np.ndarray) -> dict[str, np.ndarray]:
    """What is measured at each step, from the formulas of the surface; `flow` is where the limiting flow is."""
    x, y = np.array(surface_path(algorithm, lr)).T
    roots = np.sqrt(1 + x * x) * np.abs(y)
    slopes = np.stack([2 * x * y * y, 2 * (1 + x * x) * y], 1)
    hessians = np.array([[[2 * b * b, 4 * a * b], [4 * a * b, 2 * (1 + a * a)]] for a, b in zip(x, y, strict=True)])
    values, vectors = np.linalg.eigh(hessians)
    norms = np.linalg.norm(slopes, axis=1)
    inverse = norms / (lr * values[:, -1])
    valley = 2 * (1 + x * x)
    sums = lr * np.sqrt(valley / 2) if algorithm == "normalised" else lr * valley / 2
    pairs = np.abs(inverse[:-1] + inverse[1:] - 1)
    return {
        "error": np.abs(x[:-1] - flow),
        "pair_stableness": pairs if algorithm == "normalised" else np.full_like(pairs, np.nan),
        "pair_root_loss": np.abs((roots[:-1] + roots[1:]) / sums[:-1] - 1),
        "misalignment": (1 - np.abs((slopes * vectors[:, :, -1]).sum(1)) / norms)[:-1],
    }


def reading(algorithm: str, q: float) -> float:
    """What falls at the rate 1/2 along both flows on the surface."""
    return math.log(q) + (q * q / 2 if algorithm == "normalised" else 0.0)


@pytest.mark.parametrize(("algorithm", "speed"), [("normalised", 1), ("square-root", 1), ("normalised", 2)])
def test_rows_are_the_largest_of_their_steps_by_the_formulas_of_the_surface(algorithm: str, speed: int) -> None:
    """Gradient flow keeps log x + x^2/2 - y^2/2, so that it lands where log q + q^2/2 = log 2 + 2 - (0.3 lr)^2/2."""
    found = logged(algorithm=algorithm, ablation="double-time" if speed == 2 else "none", lrs=LRS, horizon=HORIZON)
    for index, lr in enumerate(LRS):
        level = math.log(2) + 2 - (0.3 * lr) ** 2 / 2
        landing = brentq(lambda q, level=level: reading("normalised", q) - level, 1, 3)
        assert found["landings"]["landing"][index] == pytest.approx(landing, abs=1e-8)
        assert found["landings"]["entry"][index] == 0
        steps = round(HORIZON / lr**2)
        levels = [reading(algorithm, landing) - speed * t * lr**2 / 2 for t in range(steps + 1)]
        flow = np.array([brentq(lambda q, at=at: reading(algorithm, q) - at, 0.1, 3) for at in levels])
        own = found["paths"][found["paths"]["lr"] == lr]
        kept = sorted({round(part) for part in np.linspace(0, steps, 7)})
        assert own["step"].tolist() == kept
        assert own["landed"].all()
        assert own["flow"].to_numpy() == pytest.approx(flow[kept], abs=1e-6)
        assert own["coordinate"].to_numpy() == pytest.approx([surface_path(algorithm, lr)[t][0] for t in kept])
        assert own["time"].to_numpy() == pytest.approx(np.array(kept) * lr**2, rel=1e-6)
        assert own["fraction"].to_numpy() == pytest.approx(np.array(kept) / steps, rel=1e-6)
        for name, values in of_steps(algorithm, lr, flow).items():
            largest = [values[a:b].max() for a, b in zip(kept, [*kept[1:], steps + 1], strict=True)]
            assert own[name].to_numpy() == pytest.approx(largest, rel=1e-5, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize(("algorithm", "scale"), [("normalised", 1 / 4), ("square-root", 1 / 8)])
def test_the_integrated_flow_is_the_midpoint_rule_on_the_valley(algorithm: str, scale: float) -> None:
    """dx/dtau is -(log lambda_1)' / 4 = -x / (2 (1 + x^2)), or -lambda_1' / 8 = -x / 2."""

    def velocity(x: float) -> float:
        return -scale * (2 * x / (1 + x * x) if algorithm == "normalised" else 4 * x)

    found = logged(algorithm=algorithm)
    flows = found["flows"]
    for index, lr in enumerate(LRS):
        own = flows[flows["lr"].sub(lr).abs() < 1e-6]
        x, step = found["landings"]["landing"][index], HORIZON / 10
        for row in own.itertuples():
            assert row.integrated == pytest.approx(x, abs=1e-9)
            level = reading(algorithm, found["landings"]["landing"][index]) - row.time / 2
            closed = brentq(lambda q, level=level: reading(algorithm, q) - level, 0.1, 3)
            assert row.flow == pytest.approx(closed, abs=1e-9)
            x += step * velocity(x + step / 2 * velocity(x))
        assert own["time"].to_numpy() == pytest.approx(step * np.arange(11))
        assert own["distance"].max() < 1e-9


def test_a_path_that_does_not_land_in_its_horizon_is_never_flagged_though_its_landing_is_known() -> None:
    """The landing of gradient flow is that of a stiff integrator."""

    def field(_: float, p: np.ndarray) -> np.ndarray:
        a, b, z = p
        along = 2 * z * a * a + 0.1 * np.cos(z) * b * b
        return -np.array([2 * (1 + z * z) * a, (1 + 0.2 * np.sin(z)) * b, along])

    end = solve_ivp(field, (0, 40), [0.8, 1.0, 2.0], method="LSODA", rtol=1e-11, atol=1e-13).y[2, -1]
    found = logged(toy="two-normals", lrs=(0.04,), horizon=0.01)
    assert found["landings"]["landing"].item() == pytest.approx(end, abs=1e-7)
    assert found["landings"]["entry"].tolist() == [math.inf]
    assert not found["paths"]["landed"].any()


def test_a_path_from_afar_lands_once_and_is_flagged_from_then_on() -> None:
    found = logged(toy="two-normals", lrs=(0.04, 0.02), horizon=0.4)
    assert found["landings"]["entry"].tolist() == pytest.approx([1.56, 1.54])
    paths = found["paths"]
    entries = dict(zip(found["landings"]["lr"], found["landings"]["entry"], strict=True))
    assert (paths["landed"] == (paths["step"] * paths["lr"] >= paths["lr"].map(entries) - 1e-9)).all()


def test_landing_after_the_last_recorded_step_does_not_count() -> None:
    """At 0.04 the path comes within lr of the minimisers at step 39: t lr = 1.56."""
    short, exact = (logged(toy="two-normals", lrs=(0.04,), horizon=steps * 0.04**2) for steps in (38, 39))
    assert short["landings"]["entry"].tolist() == [math.inf]
    assert not short["paths"]["landed"].any()
    assert exact["landings"]["entry"].tolist() == [pytest.approx(1.56)]
    assert exact["paths"]["landed"].tolist() == [False] * (len(exact["paths"]) - 1) + [True]


def test_times_are_as_exact_as_the_rates() -> None:
    found = logged(lrs=(0.1, 0.05))
    assert found["paths"]["time"].tolist() == (found["paths"]["step"] * found["paths"]["lr"] ** 2).tolist()
    assert set(found["flows"]["lr"]) == {0.1, 0.05}
    assert found["flows"]["time"].tolist() == [0.05 * part for part in range(11) for _ in range(2)]


@pytest.mark.parametrize(
    ("toy", "start"),
    [
        ("surface", (1.5, 1.0)),
        ("surface", (-2.5, 2.5)),
        ("ellipse", (2.0, -1.0)),
        ("two-normals", (1.0, 2.0, -1.5)),
        ("two-normals", (0.1, 2.5, 0.1)),  # lands beyond z = 0
    ],
)
def test_a_path_from_a_given_start_follows_the_flow_from_where_gradient_flow_lands(toy: str, start: tuple) -> None:
    of = TOYS[toy]
    end = solve_ivp(
        lambda _, p: -of.loss_and_gradient(tensor(p)[None])[1][0].numpy(),
        (0, 60), start, method="LSODA", rtol=1e-11, atol=1e-13,
    ).y[:, -1]  # fmt: skip
    found = logged(toy=toy, start=start, lrs=(0.01,), horizon=0.2)
    landing = found["landings"]["landing"].item()
    assert landing == pytest.approx(of.coordinate(tensor(end)).item(), abs=1e-6)
    assert found["paths"]["coordinate"].iloc[0] == of.coordinate(tensor(start)).item()
    last = found["paths"].iloc[-1]
    assert last["landed"]
    flow = of.clocks["normalised"].flow(tensor(abs(landing)), tensor(last["time"])).item()
    assert last["flow"] == pytest.approx(math.copysign(flow, landing), abs=1e-9)
    assert last["pair_mean"] == pytest.approx(last["flow"], abs=0.02)


def test_without_a_component_along_the_top_eigenvector_a_path_never_has_one() -> None:
    found = logged(toy="two-normals", start=(0.0, 1.0, 2.0), lrs=(0.04,), horizon=0.1)["paths"]
    assert found["misalignment"].min() == pytest.approx(1)


def test_pair_means_are_of_consecutive_iterates() -> None:
    rows = logged(lrs=(0.1,))["paths"]
    path = surface_path("normalised", 0.1)
    assert rows["pair_mean"].to_numpy() == pytest.approx([(path[t][0] + path[t + 1][0]) / 2 for t in rows["step"]])


def test_without_retraction_the_flow_drifts_off_and_without_projection_too_it_leaves() -> None:
    """The drift of the midpoint scheme falls with its step; what leaves along the normal does not."""

    def off(ablation: str, steps: int) -> float:
        return logged(toy="ellipse", ablation=ablation, flow_steps=steps)["flows"]["distance"].max()

    coarse, fine, ambient = off("no-retraction", 10), off("no-retraction", 20), off("ambient-flow", 10)
    assert 3 * fine < coarse < 0.01 * ambient


def test_ablations_break_what_they_name() -> None:
    right, twice = logged(), logged(ablation="double-time")
    pd.testing.assert_series_equal(right["paths"]["coordinate"], twice["paths"]["coordinate"])
    assert twice["paths"]["error"].max() > 20 * right["paths"]["error"].max()
    on, off = (logged(toy="ellipse", ablation=name)["flows"] for name in ("none", "ambient-flow"))
    assert on["distance"].max() < 1e-10 < 1e-2 < off["distance"].max()


@pytest.mark.parametrize("bad", [{"lrs": (0.1, 0.1)}, {"lrs": (0.25,)}, {"lrs": (0.0,)}, {"seeds": 2}])
def test_rates_that_make_no_path_are_refused(bad: dict[str, object]) -> None:
    runs = (spec.Run(toy="surface", algorithm="normalised", horizon=0.1),)
    with pytest.raises(ValidationError):
        spec.Params(**({"runs": runs, "lrs": (0.1,)} | bad))


def test_runs_that_the_log_could_not_tell_apart_are_refused() -> None:
    run = {"toy": "surface", "algorithm": "normalised", "horizon": 0.1}
    with pytest.raises(ValidationError, match="runs: an algorithm is given twice on one toy"):
        spec.Params(runs=(run, run | {"start": (1.0, 1.0)}), lrs=(0.1,))


@pytest.mark.parametrize(
    ("toy", "bad", "message"),
    [
        ("surface", {"start": (1.0, 0.0)}, "divide by zero on the minimisers"),
        ("ellipse", {"start": (2.0, 0.0)}, "divide by zero on the minimisers"),
        ("ellipse", {"start": (-1.0, 1.0)}, "entered from x > 0"),
        ("two-normals", {"start": (0.0, 0.0, 1.0)}, "divide by zero on the minimisers"),
        ("two-normals", {"start": (1.0, 1.0)}, "has 3 coordinates"),
        ("surface", {"start": (9.0, 1.0)}, "less than or equal to 2.5"),
        ("surface", {"axes": (3.0, 1.0)}, "'surface' has none"),
        ("ellipse", {"axes": (1.0, 1.0)}, "longer one first"),
    ],
)
def test_starts_and_axes_that_make_no_flow_are_refused(toy: str, bad: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec.Run(**({"toy": toy, "algorithm": "normalised", "horizon": 1.0} | bad))


@pytest.mark.parametrize(
    "changes",
    [
        {"lrs": (0.1,), "runs": ({"toy": "two-normals", "algorithm": "square-root", "horizon": 0.05},)},  # never lands
        {
            "lrs": (0.2, 0.1, 0.09),
            "runs": (
                {"toy": "ellipse", "algorithm": "normalised", "horizon": 0.2, "axes": (3.0, 1.5)},
                {"toy": "ellipse", "algorithm": "square-root", "horizon": 0.2, "start": (1.0, -1.0)},
                {"toy": "surface", "algorithm": "normalised", "horizon": 0.2, "start": (0.0, 2.0)},
            ),
        },
    ],
)
def test_figures_are_drawn_of_other_settings(changes: dict) -> None:
    params = spec.Params(**changes, flow_steps=2, records=3)
    logs = [simulated("eos/limit-flow", point)["paths"] for point in spec.cells(params)]
    recipe = SimpleNamespace(title="a title", params=params, claims=())
    figure = analysis.draw_flows({"paths": pd.concat(logs)}, recipe)
    figure.canvas.draw()
    assert len(figure.axes) == 2 * len({run.toy for run in params.runs})
    if len(params.runs) > 1:
        assert "x^2/a^2" in figure.axes[1].get_title()  # two ellipses in one panel


def test_the_figure_names_the_ellipse() -> None:
    run = {"toy": "ellipse", "algorithm": "normalised", "horizon": 0.2, "axes": (3.0, 1.5)}
    assert analysis._formula("ellipse", spec.Params(runs=(run,), lrs=(0.1,))) == "$(x^2/9+y^2/2.25-1)^2/2$"
