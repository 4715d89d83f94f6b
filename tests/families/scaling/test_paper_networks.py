"""The full paper networks of Figures 8 and 9 take two steps on small MNIST and CIFAR-10 files in the true formats."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.true_format import write_cifar10, write_mnist

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")),
]
TWO_STEPS = ("--set", "training.epochs=2", "--seeds", "1", "-j", "1")  # the files hold less than one batch


@pytest.fixture
def log(shell, tmp_path: Path):
    """The tables of a run of a paper profile on small files, by kind."""
    write_mnist(tmp_path / "mnist", compressed=False)
    write_cifar10(tmp_path, "py", samples=2)

    def run(name: str, device: str, *args: str) -> dict[str, pd.DataFrame]:
        ended = shell("run", name, "--profile", "paper", "--data-root", tmp_path, "--device", device, *TWO_STEPS, *args)
        assert ended.code == 0, ended.err
        return {path.stem: pd.read_parquet(path) for path in tmp_path.glob("runs/*/*/*/log*.parquet")}

    return run


@pytest.mark.parametrize("device", DEVICES)
def test_a_thousand_layers_are_trained_on_mnist_and_followed(device: str, log) -> None:
    found = log("scaling/marion2022-trained-weights", device)
    training, paths = found["log-training"], found["log-paths"]
    assert training["epoch"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert not training["diverged"].any()
    losses = training.pivot(index="epoch", columns=["weights", "beta"], values="train_loss")
    assert (losses.loc[1] != losses.loc[2]).all()
    assert len(paths) == 3 * 1000
    moved = (paths["after"] - paths["before"]).abs()
    assert 0 < moved.max() < 0.021  # Adam moves an entry by the learning rate of 0.01 in a step, or a little less
    smooth = training[(training["weights"] == "rbf") & (training["epoch"] == 0)]["roughness"].item()
    assert smooth == pytest.approx(0.5 * 0.01**2, rel=0.05)


@pytest.mark.parametrize("device", DEVICES)
def test_a_thousand_layers_are_trained_at_places_of_both_maps(device: str, log) -> None:
    corners = ("hursts.count=2", "betas.count=2", "lrs=[1e-4, 1e-3]")
    sets = [part for corner in corners for part in ("--set", corner)]
    (rows,) = log("scaling/marion2022-trained-map", device, *sets).values()
    assert set(rows["data"]) == {"mnist", "cifar10"}
    assert len(rows) == 2 * 8
    scaled = rows[rows["beta"] == 0.9]  # close to the loss of a guess, log 10, after two small steps
    assert not scaled["diverged"].any()
    assert scaled["train_loss"].between(1, 4).all()
    rates = scaled.pivot(index=["data", "hurst"], columns="lr", values="train_loss")
    assert (rates[1e-4] != rates[1e-3]).all()
