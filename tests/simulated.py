"""One cell of an experiment, simulated in this process, as the frames that its analysis reads."""

from pathlib import Path

import pandas as pd
import torch

from resodectl.engine.tables import snapshot, tables
from resodectl.experiment.catalogue import Experiment
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.experiment.settings import Settings


def simulated(
    experiment: str, point: Settings, seeds: tuple[int, ...] = (0,), data_root: Path | None = None
) -> dict[str, pd.DataFrame]:
    """The rows of each kind, with the columns that the spec declares, those of the point included."""
    of = Experiment(experiment)
    cell = Cell(experiment, point, tuple(seeds))
    context = Context(cell.seeds, torch.device("cpu"), getattr(torch, point.model_dump()["dtype"]), data_root)
    blocks = map(snapshot, of.module("simulation").simulate(cell, context))
    return {kind: table.to_pandas() for kind, table in tables(blocks, of.spec.LOG, cell).items()}
