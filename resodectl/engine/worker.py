"""Computing one cell: the simulation's blocks become one Parquet file in the store."""

import errno
import io
import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from resodectl.engine.guard import Code, guarded
from resodectl.engine.inputs import Input
from resodectl.engine.seen import Seen
from resodectl.errors import UserError
from resodectl.experiment import catalogue
from resodectl.experiment.cells import Cell

Report = Callable[[str, float], None]
REPORT_EVERY_S = 0.5
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class Task:
    """A cell with all that is needed to compute it in any process."""

    address: str
    identity: dict[str, Any]
    label: str
    store: Path
    data_root: Path | None
    plugins: tuple[str, ...] = ()
    checkpoint_every_s: float = 30.0
    inputs: tuple[Input, ...] = ()
    data: tuple[Seen, ...] = ()
    code: Code = field(default_factory=Code)


@dataclass(frozen=True)
class Outcome:
    """What became of a task: stored after `seconds`, or the one-sentence `error`.

    `fatal`: the store takes no more files, so that all further cells would be lost.
    """

    address: str
    seconds: float = 0.0
    error: str | None = None
    fatal: bool = False


def compute(task: Task, report: Report | None = None) -> Outcome:
    """Compute one cell and store it. Whatever goes wrong inside comes back as the outcome's `error`."""
    started = time.perf_counter()
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results: a simulation's print() must not mix with them
            _compute(task, report, started)
    except (Exception, SystemExit) as error:
        fatal = isinstance(error, OSError) and error.errno in _NO_ROOM
        return Outcome(task.address, time.perf_counter() - started, _explain(task, error), fatal)
    return Outcome(task.address, time.perf_counter() - started)


def _compute(task: Task, report: Report | None, started: float) -> None:
    import pyarrow.parquet as pq

    from resodectl.datasets.load import declared
    from resodectl.engine.checkpoint import FileCheckpoint
    from resodectl.engine.store import Store
    from resodectl.engine.tables import Block, pack, snapshot, tables
    from resodectl.engine.undisturbed import undisturbed
    from resodectl.experiment.context import Context

    torch = single_threaded_torch()
    if task.identity["device"] == "cuda":  # on the CPU one thread is enough
        warnings.filterwarnings("ignore", message=".*deterministic")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False
    for folder in task.plugins:
        catalogue.add_plugins(Path(folder))
    identity = task.identity
    experiment = catalogue.Experiment(identity["experiment"])
    blocks: list[Block] = []
    checkpoint = FileCheckpoint(task.store / "checkpoints", task.address, blocks, task.checkpoint_every_s)
    guard = guarded(experiment.name, task.code, task.inputs, task.data)
    with undisturbed(), guard, declared(identity["data"]):
        point = experiment.spec.Point.model_validate_json(json.dumps(identity["point"]))
        cell = Cell(experiment.name, point, tuple(identity["seeds"]))
        context = Context(
            cell.seeds,
            torch.device(identity["device"]),
            getattr(torch, point.dtype),
            task.data_root,
            checkpoint,
            (lambda fraction: report(task.address, fraction)) if report else None,
            {file.name: file.seen.path for file in task.inputs},
        )
        for block in experiment.module("simulation").simulate(cell, context):
            blocks.append(snapshot(block))
    row = pack(tables(blocks, experiment.spec.LOG, cell))
    about = {"identity": identity, "parts": task.code.parts}
    row = row.replace_schema_metadata({"resodectl": json.dumps(about, sort_keys=True)})
    buffer = io.BytesIO()
    pq.write_table(row, buffer, compression="zstd")
    store = Store(task.store)
    store.put(task.address, buffer.getvalue())
    store.note(task.address, time.perf_counter() - started)
    checkpoint.discard()


def single_threaded_torch() -> Any:
    """torch with one thread, for it and for BLAS: the number of threads changes the bits of sums."""
    import threadpoolctl
    import torch

    torch.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)
    return torch


def _explain(task: Task, error: BaseException) -> str:
    """One sentence; the traceback goes to a file for the author of the simulation."""
    if isinstance(error, UserError):
        return f"{task.label}: {error}"
    says = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
    if isinstance(error, OSError):
        return f"{task.label}: {error.strerror or says}" + (f" ({error.filename})" if error.filename else "")
    try:
        kept = task.store / "failures" / f"{task.address}.txt"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text("".join(traceback.format_exception(error)), "utf-8", "backslashreplace")
    except OSError:
        return f"{task.label}: {says}"
    return f"{task.label}: {says} (where: {kept})"


# In a pool's worker process.
_reports: Any = None


def start(reports: Any) -> None:
    """Set a worker process up: interrupts are the parent's business, and it ends when the parent is gone.

    What compiled code or another program writes to the standard output goes where messages go: stdout is for results.
    """
    global _reports
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _reports = reports
    threading.Thread(target=_end_with_parent, daemon=True).start()
    single_threaded_torch()


def compute_in_pool(task: Task) -> Outcome:
    """`compute` in a worker process, reporting through the pool's queue, at most every `REPORT_EVERY_S`."""
    last = time.monotonic()

    def report(address: str, fraction: float) -> None:
        nonlocal last
        if time.monotonic() - last > REPORT_EVERY_S:
            last = time.monotonic()
            _reports.put((address, fraction))

    _reports.put((task.address, 0.0))
    return compute(task, report)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
