"""Networks under SGD: their learning rates, and their states in checkpoints."""

import pytest
import torch

from resodectl.training.networks import State, learning_rate
from resodectl.training.settings import Cosine, SgdTraining, Steps

TRAINING = {"epochs": 2, "batch": 256, "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0, "augment": False}


def test_learning_rates_follow_the_schedule() -> None:
    steps = SgdTraining(**TRAINING, schedule=Steps(kind="steps", milestones=(1,), factor=0.5))
    assert [learning_rate(steps, epoch) for epoch in (0, 1)] == [0.05, 0.025]
    cosine = SgdTraining(**TRAINING, schedule=Cosine(kind="cosine"))
    assert [learning_rate(cosine, epoch) for epoch in (0, 1)] == pytest.approx([0.05, 0.025])


def test_a_state_remembers_momenta_of_what_is_trained_alone_and_comes_back_from_a_checkpoint() -> None:
    state = State.start({"stem.weight": torch.ones(2, 3), "head.weight": torch.full((2, 4), 2.0)}, trained="head")
    assert list(state.momenta) == ["head.weight"]
    assert torch.equal(state.momenta["head.weight"], torch.zeros(2, 4))
    again = State.restored(state.kept(), torch.device("cpu"))
    assert again.params.keys() == state.params.keys()
    assert all(torch.equal(again.params[name], value) for name, value in state.params.items())
    assert list(again.momenta) == ["head.weight"]
