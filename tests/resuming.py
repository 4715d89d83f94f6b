"""What it means that a simulation goes on from a checkpoint: its rows are those of an undisturbed run, to the bit."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.catalogue import Experiment
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.experiment.settings import Settings

Blocks = Iterator[tuple[str, dict[str, Any]]]


class Memory:
    """A checkpoint in memory; it keeps a copy of every state, and how many blocks had been yielded before."""

    def __init__(self, state: Any = None) -> None:
        self.state = state
        self.saved: list[tuple[Any, int]] = []
        self.yielded = 0

    def restore(self) -> Any:
        return copy.deepcopy(self.state)

    def save(self, state: Any) -> None:
        self.saved.append((copy.deepcopy(state), self.yielded))


def cell_run(experiment: str, point: Settings, seeds: tuple[int, ...]) -> Callable[[Memory], Blocks]:
    """The simulation of one cell, as a function of the checkpoint from which it goes on."""
    cell = Cell(experiment, point, seeds)
    dtype = getattr(torch, point.model_dump()["dtype"])

    def run(memory: Memory) -> Blocks:
        context = Context(seeds, torch.device("cpu"), dtype, checkpoint=memory)
        return Experiment(experiment).module("simulation").simulate(cell, context)

    return run


def collected(simulated: Callable[[Memory], Blocks], memory: Memory) -> list[tuple[str, dict[str, np.ndarray]]]:
    found = []
    for kind, block in simulated(memory):
        found.append((kind, {name: np.asarray(values).copy() for name, values in block.items()}))
        memory.yielded = len(found)
    return found


def check_resuming(simulated: Callable[[Memory], Blocks], saves: int) -> None:
    """From the first and from the last but one state saved, `simulated` yields what is left of the whole run.

    `saves` is how many states a whole run saves.
    """
    memory = Memory()
    whole = collected(simulated, memory)
    assert len(memory.saved) == saves
    for state, yielded in {0: memory.saved[0], 1: memory.saved[-2]}.values():
        rest = collected(simulated, Memory(state))
        assert len(rest) == len(whole) - yielded
        for (kind, block), (expected_kind, expected) in zip(rest, whole[yielded:], strict=True):
            assert kind == expected_kind
            for name, values in expected.items():
                np.testing.assert_array_equal(block[name], values, err_msg=name)
