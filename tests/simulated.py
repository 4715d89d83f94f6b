"""One cell of an experiment, simulated in this process, as the frames that its analysis reads."""

from pathlib import Path

import pandas as pd
import torch

from resodectl.engine.tables import snapshot, tables
from resodectl.experiment.catalogue import Experiment
from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.experiment.settings import Settings
from tests.progress import ascending


def simulated(
    experiment: str, point: Settings, seeds: tuple[int, ...] = (0,), data_root: Path | None = None
) -> dict[str, pd.DataFrame]:
    """The rows of each kind, with the columns that the spec declares, those of the point included.

    It fails where a simulation yields other columns, or tells of progress that does not ascend.
    """
    of = Experiment(experiment)
    cell = Cell(experiment, point, tuple(seeds))
    dtype = getattr(torch, point.model_dump()["dtype"])
    context = Context(cell.seeds, torch.device("cpu"), dtype, data_root, report=ascending())
    blocks = map(snapshot, of.module("simulation").simulate(cell, context))
    return {kind: table.to_pandas() for kind, table in tables(blocks, of.spec.LOG, cell).items()}
