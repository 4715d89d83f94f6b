"""margin: cells that are killed late, between their parts, and go on."""

from typing import Any

import pandas as pd
import pytest
import torch

from resodectl.engine.tables import snapshot, tables
from resodectl.experiment.catalogue import Experiment, shipped
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.recipe.load import Request, load


class Killed(Exception):
    """The moment a process is killed."""


class Memory:
    """Keeps the last state and the rows until then, and kills after some saves."""

    def __init__(self, saves: int) -> None:
        self.saves, self.state, self.rows, self.kept = saves, None, [], 0

    def restore(self) -> Any:
        return self.state

    def save(self, state: Any) -> None:
        self.state, self.kept = state, len(self.rows)
        self.saves -= 1
        if self.saves == 0:
            raise Killed


@pytest.mark.parametrize("name", ["margin/chizat2020-boundaries", "margin/chizat2020-two-biases"])
@pytest.mark.parametrize("saves", [7, 14])
def test_a_cell_killed_late_goes_on_to_the_same_rows(name: str, saves: int) -> None:
    recipe = load(shipped()[name], Request("smoke"))
    of = Experiment(recipe.file.experiment)
    (point,) = of.spec.cells(recipe.params)
    cell = Cell(of.name, point, (0, 1))

    def run(memory: Memory) -> None:
        context = Context(cell.seeds, torch.device("cpu"), torch.float64, checkpoint=memory)
        for block in of.module("simulation").simulate(cell, context):
            memory.rows.append(snapshot(block))

    def logged(memory: Memory) -> dict[str, pd.DataFrame]:
        return {kind: table.to_pandas() for kind, table in tables(memory.rows, of.spec.LOG, cell).items()}

    undisturbed, killed = Memory(10**6), Memory(saves)
    run(undisturbed)
    try:
        run(killed)
    except Killed:
        del killed.rows[killed.kept :]
        run(killed)
    for kind, frame in logged(undisturbed).items():
        pd.testing.assert_frame_equal(logged(killed)[kind], frame, check_exact=True)
