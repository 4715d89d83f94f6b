"""eos/network-flow: paths against torch.nn and torch.optim, an independent start, and the paper's network."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.experiment.context import stream
from resodectl.families.eos.network_flow import simulation, spec
from resodectl.families.eos.network_flow.simulation import approached, landing, task_of
from resodectl.numerics.curvature.lanczos import largest
from resodectl.numerics.curvature.minimisers import jacobian
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.ode.tableaux import EULER
from tests.resuming import cell_run, check_resuming
from tests.simulated import simulated
from tests.true_format import write_mnist

SMALL = {"samples": 6, "hidden": (8,), "horizon": 0.02, "records": 2}
SMALL |= {"flow": spec.Flow(scheme="midpoint", step=0.01), "approach": spec.Approach(lr=0.05, steps=300, until=1e-3)}


def point(**changes: object) -> spec.Point:
    values = {
        "data": "digits",
        "samples": 40,
        "hidden": (24,),
        "retraction": spec.GaussNewtonWay(kind="gauss-newton"),
    }
    values |= {"approach": spec.Approach(lr=0.05, steps=2000, until=1e-3), "horizon": 3.0, "records": 30}
    values |= {"flow": spec.Flow(scheme="midpoint", step=0.05), "dtype": "float64", "path": "normalised", "lr": 0.1}
    return spec.Point(**(values | changes))


def logged(seeds: tuple[int, ...] = (0, 1), **changes: object) -> pd.DataFrame:
    return simulated("eos/network-flow", point(**(SMALL | changes)), seeds)["curves"]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def flat(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()]).unsqueeze(0)


def perceptron(width: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.GELU(), torch.nn.Linear(width, 10)).double()


def test_from_torch_s_own_start_the_approach_and_the_landing_are_those_of_an_independent_implementation() -> None:
    """Drawn in float64 from seed 0: 804 steps to a loss below 1e-3, and lambda_1 = 9.4915 on the minimisers."""
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        weights = flat(perceptron(24))
    finally:
        torch.set_default_dtype(torch.float32)
    of = point()
    task = task_of(of, None, TensorPlace())
    before = approached(task, point(approach=spec.Approach(lr=0.05, steps=803, until=1e-3)), weights)
    after = approached(task, of, weights)
    assert task.operator(before).loss.item() > 1e-3 > task.operator(after).loss.item()
    landed = landing(task, of, after)
    assert task.operator(landed).loss.item() < 1e-20
    sharpness = largest(task.operator(landed), torch.ones_like(landed)[:, None], tolerance=1e-6).values.item()
    assert sharpness == pytest.approx(9.4915, abs=1e-4)


@pytest.mark.parametrize("hidden", [(24,), (7, 5)])
def test_the_jacobian_by_hand_is_that_of_backward_passes(hidden: tuple[int, ...]) -> None:
    task = task_of(point(samples=9, hidden=hidden), None, TensorPlace())
    weights = draw(2, task.network.size)
    torch.testing.assert_close(task.rows(weights), jacobian(task.residuals, weights))


def test_normalised_descent_is_torch_s_gradient_divided_by_its_norm() -> None:
    """A seed's path, by torch.nn and torch.optim: the loss on the path, and the test error."""
    task = task_of(point(**SMALL), None, TensorPlace())
    network = perceptron(8)
    with torch.no_grad():
        for name, value in zip(("weight1", "bias1", "weight2", "bias2"), network.parameters(), strict=True):
            bound = {"1": 64, "2": 8}[name[-1]] ** -0.5
            value.copy_(torch.from_numpy(-bound + 2 * bound * stream(1, "weights", name).random(tuple(value.shape))))
    inputs, targets = task.inputs, task.targets

    def step(lr: float, normalise: bool) -> float:
        loss = (network(inputs) - targets).square().sum(1).mean()
        network.zero_grad()
        loss.backward()
        norm = torch.cat([value.grad.flatten() for value in network.parameters()]).norm()
        for value in network.parameters():
            value.data -= lr * value.grad / (norm if normalise else 1)
        return loss.item()

    for _ in range(20):
        step(0.05, normalise=False)
    losses = [step(0.1, normalise=True) for _ in range(9)]
    rows = logged(approach=spec.Approach(lr=0.05, steps=20))
    rows = rows[rows["seed"] == 1]
    assert rows["loss"].tolist() == pytest.approx([losses[0], losses[4], losses[8]], rel=1e-9)
    assert not rows["diverged"].any()


def approached_by_hand(seed: int, steps: int, task: simulation.Task) -> torch.nn.Sequential:
    """The network of a seed after some steps of gradient descent, by torch.nn."""
    network = perceptron(8)
    for name, value in zip(("weight1", "bias1", "weight2", "bias2"), network.parameters(), strict=True):
        bound = {"1": 64, "2": 8}[name[-1]] ** -0.5
        value.data = torch.from_numpy(-bound + 2 * bound * stream(seed, "weights", name).random(tuple(value.shape)))
    for _ in range(steps):
        network.zero_grad()
        (network(task.inputs) - task.targets).square().sum(1).mean().backward()
        for value in network.parameters():
            value.data -= 0.05 * value.grad
    return network


def of_dense_hessian(weights: torch.Tensor, task: simulation.Task) -> tuple[float, float, float]:
    """The two largest eigenvalues of Hess L, and L, at flat weights, in the order of torch.nn.Linear."""
    module = perceptron(8)
    names, shapes = zip(*((name, value.shape) for name, value in module.named_parameters()), strict=True)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([math.prod(shape) for shape in shapes])
        values = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        outputs = torch.func.functional_call(module, values, (task.inputs,))
        return (outputs - task.targets).square().sum(1).mean()

    hessian = torch.autograd.functional.hessian(loss, weights, vectorize=True)
    second, first = torch.linalg.eigvalsh(hessian)[-2:].tolist()
    return first, second, loss(weights).item()


@pytest.mark.parametrize("path", ["flow", "normalised"])
@pytest.mark.parametrize("kind", ["gauss-newton", "descent"])
def test_the_first_row_is_that_of_the_dense_hessian_where_the_retraction_lands(path: str, kind: str) -> None:
    retraction = {
        "gauss-newton": spec.GaussNewtonWay(kind="gauss-newton"),
        "descent": spec.DescentWay(kind="descent", lr=0.05, steps=30),
    }
    own = SMALL | {"approach": spec.Approach(lr=0.05, steps=20), "retraction": retraction[kind], "records": 1}
    task = task_of(point(**own), None, TensorPlace())
    network = approached_by_hand(3, 20, task)
    landed = landing(task, point(**own), flat(network))[0]
    if kind == "descent":
        torch.testing.assert_close(landed[None], flat(approached_by_hand(3, 50, task)))
    first, second, landed_loss = of_dense_hessian(landed, task)
    row = logged((2, 3), **own, path=path, lr=0.0 if path == "flow" else 0.1).iloc[1]
    where = landed if path == "flow" else flat(network)[0]
    torch.nn.utils.vector_to_parameters(where, network.parameters())
    loss = (network(task.inputs) - task.targets).square().sum(1).mean().item()
    wrong = (network(task.test_inputs).argmax(1) != task.test_classes).double().mean().item()
    assert (row["seed"], row["s"]) == (3, 0)
    assert row["sharpness"] == pytest.approx(first, rel=1e-6)
    assert row["gap"] == pytest.approx(second / first, rel=1e-5)
    assert row["residual"] <= 1e-6
    assert row["landed_loss"] == pytest.approx(landed_loss, rel=1e-6, abs=1e-18)
    assert row["loss"] == pytest.approx(loss, rel=1e-8, abs=1e-18)
    assert row["test_error"] == pytest.approx(100 * wrong)


def test_the_residual_is_that_of_the_first_eigenvalue_relative_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spied(*args: object, **options: object) -> object:
        seen.append(largest(*args, **options))
        return seen[-1]

    monkeypatch.setattr(simulation, "largest", spied)
    rows = logged(records=1)
    expected = torch.cat([ritz.residuals[:, 0] / ritz.values[:, 0] for ritz in seen])
    assert rows["residual"].tolist() == pytest.approx(expected.tolist())


def test_records_are_evenly_spaced_and_the_steps_of_descent_are_those_that_fit() -> None:
    """4 s / lr^2 steps to the time s: 0.02 = 8 steps of 0.1, after 3, 5 and 8 of which a record is due."""
    rows, each = (
        logged((1,), records=3, flow=spec.Flow(scheme="midpoint", step=0.02 / 3)),
        logged((1,), records=8),
    )
    assert rows["s"].tolist() == pytest.approx([0, 0.02 / 3, 0.04 / 3, 0.02])
    assert rows["loss"].tolist() == pytest.approx([each["loss"][step] for step in (0, 3, 5, 8)], rel=1e-9)


def test_the_euler_and_the_midpoint_scheme_follow_one_flow_to_their_orders() -> None:
    def ends(scheme: str) -> list[float]:
        flows = [spec.Flow(scheme=scheme, step=step) for step in (0.02, 0.01)]
        return [logged((0,), path="flow", lr=0.0, records=1, flow=flow)["sharpness"][1] for flow in flows]

    euler, midpoint = ends("euler"), ends("midpoint")
    exact = midpoint[1] + (midpoint[1] - midpoint[0]) / 3
    assert (euler[0] - exact) / (euler[1] - exact) == pytest.approx(2, abs=0.2)
    assert abs(euler[1] - exact) > 10 * abs(midpoint[1] - exact)


@pytest.mark.parametrize("path", ["flow", "normalised"])
def test_a_path_goes_on_from_a_checkpoint(path: str) -> None:
    of = point(**SMALL | {"path": path, "lr": 0.0 if path == "flow" else 0.1})
    check_resuming(cell_run("eos/network-flow", of, (0, 1)), saves=3)


def test_a_seed_s_path_is_the_same_in_every_block() -> None:
    for path, lr in (("flow", 0.0), ("normalised", 0.1)):
        alone, together = (logged(seeds, path=path, lr=lr) for seeds in ((1,), (0, 1)))
        own = together[together["seed"] == 1].reset_index(drop=True)
        compared = ["s", "sharpness", "loss", "test_error"]
        pd.testing.assert_frame_equal(alone[compared], own[compared], rtol=1e-6, atol=1e-12)


def test_the_flow_s_sharpness_falls_by_the_squared_norm_of_its_velocity() -> None:
    """d log lambda_1 / ds = -|P grad log lambda_1|^2 along the flow, by differences on both sides."""
    from resodectl.numerics.curvature.minimisers import GaussNewton, SharpnessFlow, retract, squared

    of = point(**SMALL)
    task = task_of(of, None, TensorPlace())
    weights = approached(task, of, 0.1 * draw(1, task.network.size).sin())
    at = retract(task.residuals, weights)
    flow = SharpnessFlow(squared(task.residuals), "log-sharpness", lambda w: GaussNewton(task.residuals, w), 1e-10)
    velocity, start = flow.velocity(at, GaussNewton(task.residuals, at), torch.ones_like(at)[:, None])

    def log_sharpness(step: float) -> float:
        after, _ = flow.advance(at, start, step, EULER)
        return largest(task.operator(after), start, tolerance=1e-10).values.log().item()

    slope = (log_sharpness(1e-5) - log_sharpness(-1e-5)) / 2e-5
    assert slope == pytest.approx(-velocity.square().sum().item(), rel=1e-6)


def test_ablations_change_the_path_that_they_name_and_no_other() -> None:
    params = {name: getattr(point(), name) for name in spec.Shared.model_fields}
    of_flow = dict.fromkeys(("double-time", "no-retraction", "ambient-flow"), "flow")
    for ablation, changed in {**of_flow, "plain-descent": "normalised"}.items():
        points = spec.cells(spec.Params(**(params | {"ablation": ablation, "lrs": (0.1,), "seeds": 1})))
        assert {of.path: of.ablation for of in points} == {"flow": "none", "normalised": "none"} | {changed: ablation}
    right = logged(path="flow", lr=0.0)
    twice = logged(path="flow", lr=0.0, ablation="double-time", records=1, flow=spec.Flow(scheme="midpoint", step=0.01))
    longer = logged(path="flow", lr=0.0, horizon=0.04, records=2)
    assert twice["sharpness"].tolist()[2:] == pytest.approx(longer["sharpness"].tolist()[4:], rel=1e-9)
    ambient = logged(path="flow", lr=0.0, ablation="ambient-flow")
    drifting = logged(path="flow", lr=0.0, ablation="no-retraction")
    assert right["loss"].max() < 1e-18 < 1e-12 < drifting["loss"].max() < 0.1 * ambient["loss"].max()
    by_descent = spec.DescentWay(kind="descent", lr=0.01, steps=5)
    left, ambient = (
        logged(path="flow", lr=0.0, retraction=by_descent, ablation=name) for name in ("no-retraction", "ambient-flow")
    )
    pd.testing.assert_frame_equal(left, ambient)
    plain = logged(ablation="plain-descent")
    assert plain["loss"].iloc[-1] < plain["loss"].iloc[0] < logged()["loss"].iloc[-1]


def test_a_descent_that_explodes_is_flagged() -> None:
    rows = logged((0,), approach=spec.Approach(lr=1.0, steps=3000), hidden=(64,), samples=20)
    assert rows["diverged"].all()
    assert rows["sharpness"].isna().all()
    assert (rows["test_error"] == 100).all()


def test_digits_are_scaled_by_their_training_part() -> None:
    task = task_of(point(), None, TensorPlace())
    assert (len(task.inputs), len(task.test_classes)) == (40, 1757)
    assert task.inputs.mean(0).abs().max() < 1e-12
    assert task.inputs.square().mean().item() == pytest.approx(1)
    assert (task.targets.sum(1) == 1).all()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"records": 29}, "no multiple"),
        ({"lrs": (1.0,), "records": 300, "horizon": 60.0}, "less than a step"),
        ({"lrs": (0.1, 0.05, 0.1)}, "give each value once"),
        ({"samples": 1797}, "digits has only 1796 images to train on"),
    ],
)
def test_records_between_steps_and_more_images_than_there_are_are_refused(bad: dict[str, object], words: str) -> None:
    params = {name: getattr(point(), name) for name in spec.Shared.model_fields} | {"lrs": (0.1,), "seeds": 1}
    with pytest.raises(ValidationError, match=words):
        spec.Params(**(params | bad))


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps_on_both_paths(device: str, shell, tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist", compressed=True)
    sets = ("samples=5", "approach.steps=2", "retraction.steps=2", "horizon=5e-5", "flow.step=2.5e-5", "records=2")
    ended = shell(
        "run", "eos/arora2022-network-flow", "--profile", "paper", "--seeds", "1", "--data-root", tmp_path,
        "--device", device, "-j", "1", *[part for setting in sets for part in ("--set", setting)],
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (log,) = tmp_path.glob("runs/*/*/*/log*.parquet")
    rows = pd.read_parquet(log)
    assert rows.groupby("path")["s"].nunique().to_dict() == {"flow": 3, "normalised": 3}
    assert not rows["diverged"].any()
    assert (rows.groupby("path")["loss"].nunique() == 3).all()
