"""eos/sphere: the simulation against plain loops and closed forms, the measures on logs with known answers."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from resodectl.claims.verdict import judge
from resodectl.experiment.context import stream
from resodectl.families.eos.edges import edge_time
from resodectl.families.eos.sphere import analysis, simulation, spec
from resodectl.numerics.curvature.operators import dense, spherical_hessian
from resodectl.recipe import load
from resodectl.recipe.schema import Band
from tests.simulated import simulated

A = 4.0
SEEDS = (0, 5, 7)


def point(**changes):
    defaults = {"lr": 0.1, "duration": 3.0, "longitude": 0.5, "spread": 0.1, "records": 100, "dtype": "float64"}
    own = {"start": "edge", "norm": None, "decay": 5e-3, "ablation": "none"}
    return spec.Point(**(defaults | own | changes))


def logged(seeds=SEEDS, **changes):
    return simulated("eos/sphere", point(**changes), seeds)


def losses(w):
    u = w / w.norm(dim=1, keepdim=True)
    return (1 + A * u[:, 0] ** 2) * u[:, 2] ** 2 / 2


def directions(count=40):
    return torch.nn.functional.normalize(
        torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64), dim=1
    )


def test_all_seeds_at_once_are_plain_descent_by_autograd():
    found = logged()
    rate = 0.1 * 5e-3
    for seed in SEEDS:
        p = 0.5 + 0.1 * stream(seed, "longitude").uniform(-1, 1)
        u = torch.tensor([[math.cos(p), math.sin(p), math.sqrt(2 * rate) / 2]], dtype=torch.float64)
        w = u / u.norm() * math.sqrt(0.1 * (1 + A * math.cos(p) ** 2) / 2)
        path = []
        for _ in range(120):
            path.append((w / w.norm()).numpy()[0])
            leaf = w.clone().requires_grad_()
            w = (1 - rate) * w - 0.1 * torch.autograd.grad(losses(leaf).sum(), leaf)[0]
        own = found["path"][(found["path"]["seed"] == seed) & (found["path"]["step"] < 120)]
        assert own[["u1", "u2", "u3"]].to_numpy() == pytest.approx(np.array(path)[own["step"]], abs=1e-12)


@pytest.mark.parametrize(
    ("ablation", "norm"),
    [("none", None), ("none", 2.0), ("no-power", None), ("linear-norm", None), ("no-denominator", None)],
)
def test_columns_are_those_of_a_plain_loop(ablation, norm):
    """Every interval's first two steps, and RMSprop v' = b v + (1 - b) |grad L|^2, b = (1 - h l)^4, to its last one."""
    changes = {"duration": 0.1, "records": 10, "ablation": ablation}
    rows = logged((5,), **changes, **({} if norm is None else {"start": "distant", "norm": norm}))["curves"]
    lr, rate = 0.1, 0.1 * 5e-3
    power, keep = (1 if ablation == "linear-norm" else 2), (1 - rate) ** (1 if ablation == "no-power" else 4)
    p = 0.5 + 0.1 * stream(5, "longitude").uniform(-1, 1)
    edge = math.sqrt(lr * (1 + A * math.cos(p) ** 2) / 2)
    u = torch.tensor([[math.cos(p), math.sin(p), math.sqrt(2 * rate) / 2]], dtype=torch.float64)
    w, v, seen = u / u.norm() * (edge if norm is None else norm), None, []
    for step in range(200):
        unit = (w / w.norm()).requires_grad_()
        (slope,) = torch.autograd.grad(losses(unit).sum(), unit)
        eta = lr / ((1 - rate) * w.norm().item() ** power)
        v = 2 * rate / eta**2 if v is None else v
        x, y, z = unit[0].tolist()
        level, turn = 1 + A * x**2 / (x**2 + y**2), -A * 2 * x * y / (x**2 + y**2)
        turn = turn / level if ablation != "no-denominator" else 0.0
        top = dense(spherical_hessian(losses, unit.detach())) if step % 20 < 2 else torch.zeros(1, 3, 3)
        seen.append(
            {
                "loss": losses(unit).item(),
                "longitude": math.atan2(y, x),
                "sharpness": torch.linalg.eigvalsh(top)[0, -1].item(),
                "threshold": 2 / eta,
                "ratio": level * eta / 2,
                "oscillation": z**2,
                "predicted_oscillation": 2 * rate / (4 + turn**2),
                "rmsprop_error": math.sqrt(2 * rate / v) / eta - 1,
            }
        )
        v = keep * v + (1 - keep) * slope.square().sum().item()
        w = (1 - rate) * w - lr * slope / w.norm()
    of_pairs = ("loss", "longitude", "sharpness", "threshold")
    assert rows["step"].tolist() == list(range(0, 200, 20))
    for row in rows.to_dict("records"):
        own = pd.DataFrame(seen[row["step"] : row["step"] + 20])
        for name in own:
            expected = own[name].iloc[-1] if name == "rmsprop_error" else own[name][:2].mean()
            expected = expected if name in of_pairs or name == "rmsprop_error" else own[name].mean()
            assert row[name] == pytest.approx(expected, rel=1e-7, abs=1e-12), name
        assert row["time"] == pytest.approx(row["step"] * rate)
        assert row["time_to_edge"] == pytest.approx(0 if norm is None else math.log(norm / edge))


def test_the_flow_beside_the_descent_starts_where_it_does_and_solves_its_equation():
    def right(_, p):
        slope = -A * np.sin(2 * p) / (1 + A * np.cos(p) ** 2)
        return -2 * slope / (4 + slope**2)

    rows = logged((5, 7))["curves"]
    for seed, own in rows.groupby("seed"):
        start = 0.5 + 0.1 * stream(seed, "longitude").uniform(-1, 1)
        exact = solve_ivp(right, (0, 3), [start], t_eval=own["time"], rtol=1e-10, atol=1e-12).y[0]
        assert own["flow"].to_numpy() == pytest.approx(exact, abs=1e-7)


def test_the_path_has_the_two_first_steps_of_every_interval():
    path = logged((5, 7), duration=0.2, records=10)["path"]
    assert path["step"].tolist() == [step + half for step in range(0, 400, 40) for half in (0, 0, 1, 1)]
    assert path["seed"].tolist() == [5, 7] * 20


def test_the_sharpness_off_the_circle_is_that_of_the_dense_spherical_hessian():
    points = directions()
    found = simulation.spherical_sharpness(points.T[None].numpy(), A)[0]
    assert found == pytest.approx(torch.linalg.eigvalsh(dense(spherical_hessian(losses, points)))[:, -1].numpy(),
                                  rel=1e-10)  # fmt: skip


def test_on_the_circle_it_is_one_plus_a_cos_squared():
    p = np.linspace(0, 3, 20)
    u = np.stack([np.cos(p), np.sin(p), np.zeros_like(p)])[None]
    assert simulation.spherical_sharpness(u, A)[0] == pytest.approx(simulation.sharpness_on_circle(p, A), rel=1e-12)


def test_the_slope_and_the_loss_are_those_of_autograd():
    points = directions().requires_grad_()
    value = losses(points)
    (gradient,) = torch.autograd.grad(value.sum(), points)
    u = points.detach().T[None].numpy()
    assert simulation.squared_slope(u, A)[0] == pytest.approx(gradient.square().sum(1).numpy(), rel=1e-11)
    assert simulation.loss(u, A)[0] == pytest.approx(value.detach().numpy(), rel=1e-13)


@pytest.mark.parametrize("matrix", [np.eye(3), np.zeros((3, 3)), np.diag([1.0, 5.0, 5.0]), np.diag([-3.0, -3.0, 2.0])])
def test_the_closed_form_eigenvalue_is_right_where_eigenvalues_coincide(matrix):
    assert simulation.largest_eigenvalue(matrix) == pytest.approx(np.linalg.eigvalsh(matrix)[-1], abs=1e-7)


def test_the_flow_passes_through_its_reference_values():
    times = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3])
    expected = [0.5, 0.593826, 0.698324, 0.931081, 1.178065, 1.417529, 1.567252]
    fine = np.linspace(0, 3, 301)
    found = simulation.flow_longitudes(np.array([0.5]), fine, A, "none")[:, 0]
    assert np.interp(times, fine, found) == pytest.approx(expected, abs=2e-6)


def test_near_the_flattest_minimiser_the_oscillation_is_half_of_hl():
    late = logged(decay=1e-3)["curves"].query("time >= 2.7")
    assert late.groupby("seed")["oscillation"].mean().to_numpy() / 1e-4 == pytest.approx(0.5, rel=0.02)


def test_rows_are_means_of_two_steps_and_the_wrong_formulas_change_only_what_they_name():
    right = logged()["curves"]
    assert (right["ratio"] - 1).abs().max() < 0.1
    for ablation, changed in {
        "no-denominator": {"flow", "predicted_oscillation"},
        "no-projection": {"flow"},
        "double-time": {"flow"},
        "no-power": {"rmsprop_error"},
        "linear-norm": {"threshold", "ratio", "rmsprop_error"},
    }.items():
        wrong = logged(ablation=ablation)["curves"]
        differs = {name for name in right if name != "ablation" and not (right[name] == wrong[name]).all()}
        assert differs == changed


def test_a_scaled_run_takes_the_same_path():
    """h -> c^2 h, l -> l / c^2: the start at the edge scales along."""
    one, two = logged()["path"], logged(lr=0.2, decay=2.5e-3)["path"]
    names = ["step", "u1", "u2", "u3"]
    assert one[names].to_numpy() == pytest.approx(two[names].to_numpy(), abs=1e-10)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"decays": (20.0,)}, "h l must be below 1"),
        ({"decays": (2.0,), "records": 200}, "do not fit into 15 steps"),
        ({"decays": (5e-3, 5e-3)}, "give each value once"),
    ],
)
def test_impossible_runs_are_refused(changes, sentence):
    with pytest.raises(ValidationError, match=sentence):
        spec.Params(**({"lr": 0.1, "duration": 3.0, "longitude": 0.5, "spread": 0.1, "seeds": 2} | changes))


@pytest.mark.parametrize(
    ("ratios", "when"), [([0.5, 1.0, 2.0], 1.0), ([0.5, 2.0], 0.5), ([1.5, 0.2], 0.0), ([0.1, 0.9], math.inf)]
)
def test_the_edge_is_reached_between_the_rows_where_the_ratio_passes_one(ratios, when):
    assert edge_time(range(len(ratios)), ratios) == pytest.approx(when)


def synthetic(error=0.05, order=1.0, ratio=1.0, noise=0.0, oscillation=1.0, power=1.0):
    """Runs whose distance to the flow is error * e^order at its largest, and so on."""
    rows = []
    rng = np.random.default_rng(0)
    for seed in SEEDS:
        for decay in (2e-2, 5e-3, 1e-3):
            e = math.sqrt(0.2 * decay)
            times = np.linspace(0, 3, 60, endpoint=False)
            run = {"start": "edge", "decay": decay, "lr": 0.1, "seed": seed, "time": times}
            gap = error * (1 + noise * rng.normal()) * e**order * np.sin(times * np.pi / 3 + 1e-9)
            levels = {"ratio": ratio, "sharpness": 3.0 * ratio, "threshold": 3.0, "predicted_oscillation": 1e-4}
            more = {"longitude": 1 + gap, "flow": 1.0, "rmsprop_error": power * 0.1 * decay}
            bump = np.where(times >= 2.5, oscillation, 1.0)
            rows.append(pd.DataFrame(run | levels | more | {"oscillation": 1e-4 * bump}))
    return pd.concat(rows)


@pytest.mark.parametrize("height", [0.2, 0.5, 1.5])
def test_a_run_starts_at_the_given_height_over_the_circle_and_its_zigzag_forgets_it(height):
    found = logged(height=height)
    first = found["path"].query("step == 0")
    over = first["u3"] / np.hypot(first["u1"], first["u2"])
    assert over.to_numpy() == pytest.approx(height * math.sqrt(2 * 0.1 * 5e-3), rel=1e-12)
    late = found["curves"].query("time >= 1.5")
    assert (late["oscillation"] / late["predicted_oscillation"]).mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("measure", "band", "inside", "outside"),
    [
        ("flow_error", [None, 0.1], {"error": 0.05}, {"error": 0.5}),
        ("error_slope", [0.8, None], {"order": 1.1, "noise": 0.01}, {"order": 0.0, "noise": 0.01}),
        ("ratio_error", [None, 0.003], {"ratio": 1.001}, {"ratio": 0.976}),
        ("mean_ratio", [0.99, 1.01], {"ratio": 1.001}, {"ratio": 0.236}),
        ("oscillation_error", [None, 0.05], {"oscillation": 0.97}, {"oscillation": 1.2}),
        ("rmsprop_error", [None, 2.0], {"power": -0.9}, {"power": 250.0}),
    ],
)
def test_the_measures_judge_logs_with_known_answers(measure, band, inside, outside):
    found = getattr(analysis, f"measure_{measure}")
    assert judge(found(synthetic(**inside)), Band.model_validate(band)) == "holds"
    assert judge(found(synthetic(**outside)), Band.model_validate(band)) == "fails"
    assert found(synthetic(**inside)).units == len(SEEDS)


@pytest.mark.parametrize(("reaches", "value"), [(1.9, 0.0), (2.6, 0.7), (9.0, 3.0 - 0.05 - 1.9)])
def test_the_delay_is_that_of_the_edge_or_of_the_end_of_the_run(reaches, value):
    rows = synthetic().query("decay == 0.001").assign(time_to_edge=1.9)
    rows = rows.assign(sharpness=np.exp(rows["time"] - reaches), threshold=1.0)
    assert analysis.measure_edge_delay(rows).value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("decays", "changes"),
    [((5e-3,), {}), ((2e-2, 1e-2, 9e-3, 8e-3, 5e-3), {"records": 20}), ((5e-3, 1e-2), {"ablation": "no-decay"})],
)
@pytest.mark.parametrize("seeds", [(3,), SEEDS])
def test_the_figure_is_drawn_of_any_number_of_weight_decays_and_seeds(decays, changes, seeds):
    path = Path(__file__).parents[3] / "recipes" / "eos" / "lyu2022-sphere.yaml"
    recipe = load.load(path, load.Request(profile="smoke"))
    runs = [logged(seeds, decay=decay, duration=1.0, **changes) for decay in decays]
    log = {kind: pd.concat([run[kind] for run in runs]) for kind in ("curves", "path")}
    figure = analysis.draw_sphere(log, recipe)
    assert {"(b)", "(f)"} <= {ax.get_title(loc="left")[:3] for ax in figure.axes}
    longitude = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("(c)"))
    assert sum(line.get_label().startswith("descent") for line in longitude.lines) == len(decays)
