"""The networks of the paper's own profiles take two steps on a small CIFAR-10 file in the true format."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.true_format import write_cifar10

# What is left of the sweep, and a batch that holds the file's five images; all else is the paper's setting.
SMALL = {
    "adjoint/sander2022-tied-weights": ("gradients=[adjoint]", "depths=[8]", "training.epochs=2"),
    "adjoint/sander2022-failure": ("gradients=[adjoint]", "depths=[22]", "training.epochs=2"),
    "adjoint/sander2022-untying": (
        "gradients=[adjoint]",
        "starts=[pretrained]",
        "pretraining.epochs=1",
        "finetuning.epochs=2",
    ),
    "adjoint/sander2022-gradient-error": ("weights.training.epochs=2", "depths=[8, 64]"),
    "heun/sander2022-training": ("gradients=[adjoint]", "depths=[64]", "training.epochs=2"),
    "heun/sander2022-gradient-error": ("schemes=[heun]", "weights.training.epochs=2", "depths=[8, 64]"),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
    ],
)
def test_the_paper_s_network_takes_two_steps(name: str, device: str, shell, tmp_path: Path) -> None:
    write_cifar10(tmp_path, "py", samples=1)
    sets = [part for setting in SMALL[name] for part in ("--set", setting)]
    ended = shell(
        "run", name, "--profile", "paper", "--seeds", "1", "--data-root", tmp_path, "--device", device, "-j", "1", *sets
    )
    assert ended.code == 0, ended.err
    (log,) = [path for path in tmp_path.glob("runs/*/*/*/log*.parquet") if "layers" not in path.name]
    rows = pd.read_parquet(log)
    if "train_loss" in rows:
        steps = rows[rows["network"] != "tied"] if "network" in rows else rows
        assert steps["epoch"].max() == 2  # one batch an epoch
        assert (steps["gradient"] == "adjoint").all()
        assert not rows["diverged"].any()
        losses = steps.groupby("epoch")["train_loss"].mean()
        assert losses[1] != losses[2]
    else:
        assert rows["squared_error"].notna().any()
        assert set(rows["depth"]) == {8, 64}
