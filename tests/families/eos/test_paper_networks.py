"""The paper profiles of eos train VGG-11 for two steps on a small CIFAR-10 file in the true format."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.true_format import write_cifar10

# What is left of the sweep is enough for two steps. All else is the paper's.
SMALL = {
    "eos/arora2022-network": (
        "runs=[{algorithm: normalised, lr: 0.25, steps: 3, every: 2}]",
        "images=2",
        "model.micro_batch=2",
        "tolerance=0.1",
    ),
    "eos/lyu2022-network": (
        "weight_decays=[5e-4]",
        "images=4",
        "curvature_images=2",
        "micro_batch=2",
        "steps=3",
        "every=2",
        "tolerance=0.1",
    ),
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
    (log,) = tmp_path.glob("runs/*/*/*/log*.parquet")
    rows = pd.read_parquet(log)
    assert rows["step"].max() >= 2
    assert not rows["diverged"].any()
    assert (rows["sharpness"] > 0).all()
    for _, run in rows.groupby("algorithm" if "algorithm" in rows else "weight_decay"):
        assert run["train_loss"].is_unique
