"""eos/descent: records against torch.nn, and the flow against scipy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from resodectl.experiment.context import stream
from resodectl.families.eos.descent import simulation, spec
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import training_images
from resodectl.training.scalings import by_root_mean_square
from tests.resuming import cell_run, check_resuming
from tests.simulated import simulated
from tests.true_format import write_cifar10

IMAGES = {"kind": "images", "samples": 30, "hidden": (5,), "scaling": "global"}
CHEBYSHEV = {"kind": "chebyshev", "degree": 5}
GRADIENT = {"kind": "gradient", "lrs": (0.5,), "steps": 7}
REST = {"tolerance": 1e-8, "stop_accuracy": None, "flow_alpha": 1.0, "flow_cap": 0.05, "dtype": "float64", "every": 3}


def point(problem=IMAGES, method=GRADIENT, **changes) -> spec.Point:
    data = "digits" if problem["kind"] == "images" else None
    return spec.Point(**(REST | {"data": data, "problem": problem, "method": method} | changes))


def logged(problem=IMAGES, method=GRADIENT, seeds=(4,), **changes) -> pd.DataFrame:
    return simulated("eos/descent", point(problem, method, **changes), seeds)["curves"]


def plain_network(seed: int) -> torch.nn.Sequential:
    """The network 64-5-10 of a seed."""
    layers = [torch.nn.Linear(64, 5).double(), torch.nn.Tanh(), torch.nn.Linear(5, 10).double()]
    for level, layer in enumerate(layers[::2], 1):
        bound = layer.in_features**-0.5
        for name, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            drawn = stream(seed, "weights", f"{name}{level}").random(tuple(tensor.shape))
            tensor.data = torch.from_numpy(2 * bound * drawn - bound)
    return torch.nn.Sequential(*layers)


def plain_loss(network, x, y):
    return 0.5 * (network(x) - y).square().sum(1).mean()


def plain_sharpness(network, x, y) -> float:
    """The largest eigenvalue of the full matrix of second derivatives."""
    names, values = zip(*network.named_parameters(), strict=True)

    def loss(flat):
        parts = flat.split([value.numel() for value in values])
        shaped = {name: part.view_as(value) for name, part, value in zip(names, parts, values, strict=True)}
        return 0.5 * (torch.func.functional_call(network, shaped, (x,)) - y).square().sum(1).mean()

    flat = torch.nn.utils.parameters_to_vector(values).detach()
    return torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1].item()


METHODS = {
    "gradient": GRADIENT,
    "polyak": {"kind": "polyak", "momentum": 0.7, "lrs": (0.5,), "steps": 7},
    "nesterov": {"kind": "nesterov", "momentum": 0.7, "lrs": (0.5,), "steps": 7},
}


@pytest.mark.parametrize("kind", METHODS)
def test_records_are_those_of_torch_optim_and_of_the_dense_hessian_for_every_seed(kind):
    rows = logged(method=METHODS[kind], seeds=(4, 9))
    images = training_images("digits", None, TensorPlace(), by_root_mean_square, 30).flat()
    x, y = images.inputs, images.one_hot()
    for seed in (4, 9):
        network = plain_network(seed)
        beta = METHODS[kind].get("momentum", 0.0)
        sgd = torch.optim.SGD(network.parameters(), lr=0.5, momentum=beta, nesterov=kind == "nesterov")
        losses, sharpness = [plain_loss(network, x, y).item()], {0: plain_sharpness(network, x, y)}
        for step in range(1, 8):
            sgd.zero_grad()
            plain_loss(network, x, y).backward()
            sgd.step()
            losses.append(plain_loss(network, x, y).item())
            if step in (3, 6, 7):
                sharpness[step] = plain_sharpness(network, x, y)
        own = rows[rows["seed"] == seed]
        assert own["step"].tolist() == [0, 3, 6, 7]
        np.testing.assert_allclose(own["loss"], [losses[step] for step in own["step"]], rtol=1e-10)
        np.testing.assert_allclose(own["sharpness"], [sharpness[step] for step in own["step"]], rtol=1e-7)
        spans = [(1, 4), (4, 7), (7, 8)]
        np.testing.assert_allclose(own["mean_loss"][1:], [np.mean(losses[a:b]) for a, b in spans], rtol=1e-10)
        rises = [np.mean(np.diff(losses)[a - 1 : b - 1] > 0) for a, b in spans]
        np.testing.assert_allclose(own["rises"][1:], rises)
        right = (network(x).argmax(1) == y.argmax(1)).double().mean().item()
        assert own["accuracy"].iloc[-1] == right


def test_thresholds_are_those_of_the_methods():
    for kind, value in {"gradient": 4, "polyak": 3.4 / 0.5, "nesterov": 3.4 / (2.4 * 0.5)}.items():
        assert logged(method=METHODS[kind])["threshold"].unique() == pytest.approx(value)


@pytest.mark.parametrize("kind", ["gradient", "flow"])
def test_a_run_does_not_depend_on_those_beside_it(kind):
    method = GRADIENT | {"kind": kind}
    alone = logged(method=method, seeds=(9,), flow_cap=10.0)
    both = logged(method=method | {"lrs": (0.1, 0.5)}, seeds=(4, 9), flow_cap=10.0)
    own = both[(both["seed"] == 9) & (both["lr"] == 0.5)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="products"), own.drop(columns="products"), rtol=1e-9)


@pytest.mark.parametrize(("lr", "crossing"), [(0.4, 580), (0.2, 2800)])
def test_from_weights_drawn_by_torch_sharpness_crosses_at_known_steps(monkeypatch, lr, crossing):
    """T_5, torch.manual_seed(0), first and last weights in this order, in float64: an independent code has the same."""
    torch.manual_seed(0)
    first = torch.nn.init.xavier_normal_(torch.empty(100, 1, dtype=torch.float64), 1.9)
    last = torch.nn.init.xavier_normal_(torch.empty(1, 100, dtype=torch.float64))
    drawn = torch.cat([first.flatten(), torch.zeros(100, dtype=torch.float64), last.flatten()])[None]
    monkeypatch.setattr(simulation, "xavier_normal", lambda *_: drawn)
    method = GRADIENT | {"lrs": (lr,), "steps": crossing + 20}
    rows = logged(CHEBYSHEV, method, every=20, tolerance=1e-4)
    at = rows["sharpness"] >= rows["threshold"]
    assert rows["step"][at].min() == crossing
    assert (rows["phase"] == np.where(rows["step"] <= crossing, "before", "after")).all()
    assert rows.loc[rows["phase"] == "before", "rises"].max() == 0


def test_a_chebyshev_polynomial_is_fitted_from_weights_by_xavier_on_evenly_spaced_points():
    """x -> w_2 . tanh(w_1 x), both of deviation gain sqrt(2 / (inputs + outputs)), the second one with the gain 1."""
    problem = CHEBYSHEV | {"width": 7, "points": 9, "gain": 1.9}
    first = logged(problem, seeds=(4, 9)).query("step == 0").set_index("seed")
    x = np.linspace(-1, 1, 9)
    polynomial = 16 * x**5 - 20 * x**3 + 5 * x
    for seed in (4, 9):
        inner = 1.9 * 0.5 * stream(seed, "weights", "weight1").standard_normal(7)
        outer = 0.5 * stream(seed, "weights", "weight2").standard_normal(7)
        errors = np.tanh(np.outer(x, inner)) @ outer - polynomial
        assert first.loc[seed, "loss"] == pytest.approx(np.square(errors).mean() / 2, rel=1e-10)
        assert np.isnan(first.loc[seed, "accuracy"])


@pytest.mark.parametrize(("lr", "cap"), [(0.5, 0.05), (0.01, 10.0)])
def test_the_flow_is_that_of_scipy_at_the_times_of_descent(lr, cap):
    """In ten substeps a step, and in one."""
    method = {"kind": "flow", "lrs": (lr,), "steps": 6}
    rows = logged(method=method, flow_cap=cap)
    images = training_images("digits", None, TensorPlace(), by_root_mean_square, 30).flat()
    x, y = images.inputs, images.one_hot()
    network = plain_network(4)

    def field(_, flat):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(flat), network.parameters())
        slopes = torch.autograd.grad(plain_loss(network, x, y), list(network.parameters()))
        return -torch.nn.utils.parameters_to_vector(slopes).numpy()

    start = torch.nn.utils.parameters_to_vector(plain_network(4).parameters()).detach().numpy()
    exact = solve_ivp(field, (0, 6 * lr), start, t_eval=[0, 3 * lr, 6 * lr], rtol=1e-10, atol=1e-12)
    for row, weights in zip(rows.itertuples(), exact.y.T, strict=True):
        torch.nn.utils.vector_to_parameters(torch.from_numpy(np.ascontiguousarray(weights)), network.parameters())
        assert row.loss == pytest.approx(plain_loss(network, x, y).item(), rel=1e-6)
    assert rows["rises"].max() == 0


@pytest.mark.parametrize("kind", ["gradient", "polyak", "flow"])
def test_a_run_goes_on_from_a_checkpoint(kind):
    method = METHODS.get(kind, GRADIENT | {"kind": kind})
    check_resuming(cell_run("eos/descent", point(method=method), (4, 9)), saves=3)


def test_divergence_is_a_flag():
    rows = logged(method=GRADIENT | {"lrs": (1e6, 0.1), "steps": 60})
    lost = rows[rows["diverged"]]
    assert set(lost["lr"]) == {1e6}
    assert lost["sharpness"].isna().any()
    assert not rows[rows["lr"] == 0.1]["diverged"].any()


def test_training_ends_once_all_runs_are_accurate_enough():
    rows = logged(method=GRADIENT | {"steps": 3000}, seeds=(4, 9), stop_accuracy=0.9)
    last = rows[rows["step"] == rows["step"].max()]
    earlier = rows[rows["step"] == rows["step"].max() - 3]
    assert last["accuracy"].min() >= 0.9 > earlier["accuracy"].min()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": None}, "name a data set if and only if"),
        ({"problems": (CHEBYSHEV,)}, "name a data set if and only if"),
        ({"methods": (GRADIENT | {"momentum": 0.5},)}, "'gradient' and momentum 0.5 do not go together"),
        ({"methods": (GRADIENT | {"kind": "polyak"},)}, "'polyak' and momentum 0 do not go together"),
        ({"problems": (CHEBYSHEV,), "data": None, "stop_accuracy": 0.9}, "only images have right answers"),
        ({"problems": (IMAGES | {"samples": 1797},)}, "problems: digits has only 1796 images"),
        ({"tolerance": 0.0}, "greater than 0"),
        ({"problems": (IMAGES, IMAGES | {"hidden": (3,)})}, "problems: two have one name in the log"),
        ({"problems": (IMAGES, CHEBYSHEV, CHEBYSHEV | {"width": 3})}, "problems: two have one name in the log"),
        ({"methods": (GRADIENT, GRADIENT | {"steps": 7})}, "give the runs different names"),
        ({"methods": (GRADIENT | {"lrs": (0.1, 0.2, 0.1)},)}, "give each value once"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, says):
    good = {"data": "digits", "problems": (IMAGES,), "methods": (GRADIENT,), "every": 3, "tolerance": 1e-3, "seeds": 1}
    with pytest.raises(ValidationError, match=says):
        spec.Params(**(good | changes))


@pytest.mark.parametrize("name", ["sharpening", "momentum"])
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps(name: str, device: str, shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py", samples=4)
    methods = {
        "sharpening": "[{name: large, kind: gradient, lrs: [0.01], steps: 2}, {kind: flow, lrs: [0.01], steps: 2}]",
        "momentum": "[{kind: polyak, momentum: 0.9, lrs: [0.019], steps: 2}, "
        "{kind: nesterov, momentum: 0.9, lrs: [6.7857e-3], steps: 2}]",
    }
    sets = [f"methods={methods[name]}", "every=1", "stop_accuracy=null"]
    sets.append("problems=[{kind: images, samples: 20, hidden: [200, 200], scaling: pixel}]")
    ended = shell(
        "run", f"eos/cohen2021eos-{name}", "--profile", "paper", "--seeds", "1", "--data-root", tmp_path,
        "--device", device, "-j", "1", *[part for setting in sets for part in ("--set", setting)],
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (path,) = tmp_path.glob("runs/*/*/*/log*.parquet")
    rows = pd.read_parquet(path)
    assert sorted(rows["step"].unique()) == [0, 1, 2]
    assert not rows["diverged"].any()
    assert (rows["residual"] <= 2e-3 * rows["sharpness"]).all()
    for _, own in rows.groupby(["method", "seed"]):
        assert own["loss"].nunique() == 3
