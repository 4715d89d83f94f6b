"""adjoint/untying: what fine-tuning starts from and what it may change, the measures on known logs."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from resodectl.claims.selecting import select
from resodectl.claims.verdict import judge
from resodectl.experiment.catalogue import shipped
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.untying import analysis, spec
from resodectl.families.adjoint.untying.simulation import roughness, simulate
from resodectl.recipe import load
from tests.progress import ascending
from tests.resuming import Blocks, Memory, collected
from tests.simulated import simulated
from tests.true_format import write_cifar10

SEEDS = (0, 1, 2)
TRAINING = {"epochs": 2, "batch": 256, "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0, "augment": False}
TRAINING |= {"schedule": {"kind": "steps", "milestones": (), "factor": 1.0}}
STILL = TRAINING | {"lr": 1e-12}


def point(**changes) -> spec.Point:
    values = {"data": "digits", "model": {"kind": "mlp"}, "scheme": "euler", "gradients": ("backprop", "adjoint")}
    values |= {"depth": 4, "trained_stage": 1, "residual_exponent": 1.0, "dtype": "float64", "starts": ("pretrained",)}
    return spec.Point(**(values | {"pretraining": TRAINING, "finetuning": TRAINING} | changes))


def logged(**changes) -> dict[str, pd.DataFrame]:
    return simulated("adjoint/untying", point(**changes), SEEDS[:2])


def blocks(checkpoint: Memory, data_root: Path | None = None, **changes) -> Blocks:
    cell = Cell("adjoint/untying", point(**changes), SEEDS[:2])
    context = Context(cell.seeds, torch.device("cpu"), torch.float64, data_root, checkpoint, ascending())
    return simulate(cell, context)


def test_untying_changes_nothing_until_it_trains() -> None:
    found = logged(finetuning=STILL)
    curves = found["curves"].set_index(["network", "gradient", "epoch", "seed"]).sort_index()
    for gradient in ("backprop", "adjoint"):
        for epoch in (1, 2):
            for loss in ("train_loss", "test_loss"):
                before = curves.loc["tied", "backprop", 2][loss]
                np.testing.assert_allclose(curves.loc["untied", gradient, epoch][loss], before, rtol=1e-8)
    assert found["layers"]["roughness"].max() < 1e-8


def test_both_gradients_start_from_the_same_pretraining() -> None:
    both, one = (logged(gradients=chosen)["curves"] for chosen in (("backprop", "adjoint"), ("adjoint",)))
    pd.testing.assert_frame_equal(
        both[both["gradient"] == "adjoint"].reset_index(drop=True),
        one[one["network"] == "untied"].reset_index(drop=True),
    )


def last_saved(**changes) -> dict:
    """The state of the last checkpoint."""
    memory = Memory()
    collected(partial(blocks, gradients=("adjoint",), **changes), memory)
    return memory.saved[-1][0]


def test_a_fresh_start_draws_the_layers_that_are_fine_tuned_and_keeps_all_others() -> None:
    kept = last_saved(starts=("fresh",), finetuning=STILL)
    pretrained, fresh = kept["pretrained"], kept["state"]["params"]
    drawn = {name for name in pretrained if not torch.equal(pretrained[name], fresh[name])}
    assert drawn == {name for name in pretrained if name.startswith("residual.")}
    weights = fresh["residual.first.weight"]
    assert weights.shape == pretrained["residual.first.weight"].shape
    assert weights.std().item() == pytest.approx(3 / 4, rel=0.05)  # 3 / sqrt(fan-in) of independent layers
    assert weights.diff(dim=0).std().item() == pytest.approx(3 / 4 * 2**0.5, rel=0.05)


def test_fine_tuning_from_the_pretrained_network_does_not_see_the_other_start() -> None:
    both = logged(starts=("fresh", "pretrained"))["curves"]
    alone = logged()["curves"]
    for network in ("tied", "untied"):
        one, other = (rows[rows["network"] == network].reset_index(drop=True) for rows in (both, alone))
        pd.testing.assert_frame_equal(one, other)
    assert set(both["network"]) == {"tied", "untied", "fresh"}


def test_only_the_chosen_stage_is_fine_tuned() -> None:
    kept = last_saved()
    start, end = kept["pretrained"], kept["state"]["params"]
    changed = {name for name in start if not torch.equal(start[name], end[name])}
    assert changed == {name for name in start if name.startswith("residual.")}
    assert kept["state"]["momenta"].keys() == changed
    whole = last_saved(trained_stage=None)
    assert all(not torch.equal(whole["pretrained"][name], whole["state"]["params"][name]) for name in start)


@pytest.mark.parametrize("saves", range(1, 11))
def test_a_run_cut_after_any_epoch_resumes_to_the_same_log(saves: int) -> None:
    run, memory = partial(blocks, starts=("pretrained", "fresh")), Memory()
    whole = collected(run, memory)
    state, yielded = memory.saved[saves - 1]
    rest = collected(run, Memory(state))
    assert [kind for kind, _ in rest] == [kind for kind, _ in whole[yielded:]]
    for (_, block), (_, expected) in zip(rest, whole[yielded:], strict=True):
        assert block.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(block[name], values, err_msg=name)


def test_roughness_is_n_times_the_jump_over_the_size() -> None:
    depth, seeds = 5, 2
    ramp = torch.arange(depth, dtype=torch.float64).view(depth, 1, 1, 1).expand(depth, seeds, 3, 4)
    params = {"residual.a.weight": ramp, "residual.a.bias": 1e9 * ramp, "head.weight": ramp[0]}
    expected = depth * 1 / np.sqrt(np.mean(np.arange(depth) ** 2))
    np.testing.assert_allclose(roughness(params, {"residual.": depth}), [expected] * seeds)
    same = {"residual.a.weight": torch.ones(depth, seeds, 3, 4)}
    assert roughness(same, {"residual.": depth}).max() == 0


BOTTLENECK = {"kind": "bottleneck", "residuals": (2, "depth"), "adjoint_from": 1, "width": 1}


@pytest.mark.parametrize(("stage", "stages"), [(1, {1: 2}), (2, {2: 3}), (None, {1: 2, 2: 3})])
def test_of_a_network_of_stages_the_chosen_ones_are_untied_and_trained_with_their_first_block(
    stage: int | None, stages: dict[int, int], tmp_path: Path
) -> None:
    """The roughness is the mean over the untied stages."""
    write_cifar10(tmp_path, "bin", samples=1)
    values = {"model": BOTTLENECK, "depth": 3, "trained_stage": stage, "gradients": ("adjoint",), "data": "cifar10"}
    small = TRAINING | {"epochs": 1, "batch": 5}
    kept = Memory()
    values |= {"pretraining": small, "finetuning": small | {"epochs": 2}}
    found = collected(partial(blocks, data_root=tmp_path, **values), kept)
    pretrained, *_, last = (state for state, _ in kept.saved)
    start, end = last["pretrained"], last["state"]["params"]
    assert pretrained["state"]["params"]["stage2.residual.conv1.weight"].shape[0] == 1
    for index, depth in {1: 2, 2: 3}.items():
        assert len(end[f"stage{index}.residual.conv1.weight"]) == (depth if index in stages else 1)
    changed = {name for name, value in start.items() if not torch.equal(value, end[name])}
    prefix = "" if stage is None else f"stage{stage}."
    assert changed == {name for name in start if name.startswith(prefix)}
    rough = roughness(end, {f"stage{index}.residual.": depth for index, depth in stages.items()})
    (layers,) = (block for kind, block in found if kind == "layers")
    assert layers["roughness"] == pytest.approx(rough.numpy())
    each = [roughness(end, {f"stage{index}.residual.": depth}) for index, depth in stages.items()]
    torch.testing.assert_close(rough, torch.stack(each).mean(0))


def test_a_stage_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(ValidationError, match="no stage 2"):
        logged(trained_stage=2)


@pytest.mark.parametrize("repeated", ["gradients", "starts"])
def test_what_the_log_could_not_tell_apart_is_refused(repeated: str) -> None:
    once = point().model_dump()[repeated]
    with pytest.raises(ValidationError, match="give each value once"):
        point(**{repeated: once * 2})


def test_a_stage_without_a_second_layer_is_refused_alone_and_left_out_of_the_roughness_of_several() -> None:
    model = {"kind": "bottleneck", "residuals": (1, "depth"), "adjoint_from": 1}
    assert point(data="cifar10", model=model, trained_stage=None).untied_stages() == {1: 1, 2: 4}
    with pytest.raises(ValidationError, match="nothing to untie"):
        point(data="cifar10", model=model, trained_stage=1)
    with pytest.raises(ValidationError, match="nothing to untie"):
        point(data="cifar10", model=model | {"residuals": (1, 1)}, trained_stage=None)
    with pytest.raises(ValidationError, match="a Heun network needs at least 2 residual layers"):
        point(data="cifar10", model=model, trained_stage=2, scheme="heun")
    ramp = torch.arange(3, dtype=torch.float64).view(3, 1, 1).expand(3, 1, 4)
    params = {"stage1.residual.a.weight": ramp[:1], "stage2.residual.a.weight": ramp}
    both, second = ({"stage1.residual.": 1, "stage2.residual.": 3}, {"stage2.residual.": 3})
    assert torch.equal(roughness(params, both), roughness(params, second))


def log(after: dict) -> dict[str, pd.DataFrame]:
    """A tied loss of 0.1 and error of 5 %; by network and gradient (loss, error, roughness). Test losses double."""
    curves, layers = [], []
    for seed in SEEDS:
        jitter = 1 + 0.01 * seed
        curves += [("tied", "backprop", seed, epoch, loss * jitter, 5 * jitter) for epoch, loss in ((1, 1.0), (2, 0.1))]
        for (network, gradient), (loss, error, rough) in after.items():
            curves += [
                (network, gradient, seed, 1, 1.0, 50.0),
                (network, gradient, seed, 2, loss * jitter, error * jitter),
            ]
            layers.append((network, gradient, seed, rough * jitter))
    return {
        "curves": pd.DataFrame(
            curves, columns=["network", "gradient", "seed", "epoch", "train_loss", "test_error"]
        ).eval("test_loss = 2 * train_loss"),
        "layers": pd.DataFrame(layers, columns=["network", "gradient", "seed", "roughness"]),
    }


GOOD = {("untied", "backprop"): (0.049, 4.8, 0.02), ("untied", "adjoint"): (0.05, 4.8, 0.02)}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (GOOD, ["holds"] * 4),
        ({("untied", "backprop"): (0.05, 5.0, 9.0), ("untied", "adjoint"): (0.1, 9.0, 9.0)}, ["fails"] * 4),
        ({("untied", "backprop"): (0.05, 5.0, 9.0), ("untied", "adjoint"): (np.nan, 100.0, np.nan)}, ["fails"] * 4),
        (dict.fromkeys(GOOD, (0.1, 5.0, 0.0)), ["fails", "fails", "holds", "fails"]),  # nothing was learnt
    ],
)
def test_claims_hold_inside_their_bands_and_fail_outside(after: dict, expected: list[str]) -> None:
    rows, found = log(after), []
    for claim in load.load(shipped()["adjoint/sander2022-untying"]).claims:
        measure = getattr(analysis, f"measure_{claim.claim}")
        found.append(judge(measure(select(rows[claim.kind], claim.where), **claim.options), claim.band("laptop")))
    assert found == expected


def test_measures_compare_the_last_epochs() -> None:
    rows = log(GOOD)["curves"]
    for loss in ("train_loss", "test_loss"):
        change = analysis.measure_loss_change(rows, gradient="adjoint", loss=loss)
        assert change.value == pytest.approx(np.log10(0.5))
    gap = analysis.measure_loss_gap(rows[rows["network"] == "untied"])
    assert gap.value == pytest.approx(np.log10(50 / 49))


@pytest.mark.parametrize(("loss", "networks"), [(0.0, ("untied",)), (np.nan, ("fresh",)), (0.1, ("untied", "fresh"))])
def test_figures_are_drawn_for_all_that_may_be_asked(loss: float, networks: tuple[str, ...]) -> None:
    rows = log({(network, "adjoint"): (loss, 5.0, 1.0) for network in networks})["curves"]
    recipe = load.load(shipped()["adjoint/sander2022-untying"])
    for shown in (rows, rows[(rows["epoch"] == 1) & (rows["seed"] == 0)]):
        figure = analysis.draw_finetuning({"curves": shown}, recipe)
        figure.draw_without_rendering()
        assert len(figure.axes) == 2
