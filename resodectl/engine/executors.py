"""Executors: `submit(task) -> Future`, in this process or in a pool of local processes."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Protocol

from resodectl.engine.worker import Outcome, Task, compute, compute_in_pool, start

PRELOADED = ["torch", "pyarrow.parquet", "resodectl.engine.worker", "resodectl.engine.checkpoint"]


class Executor(Protocol):
    """The one seam between the engine and what runs its cells."""

    slots: int

    def submit(self, task: Task) -> "Future[Outcome]": ...

    def reports(self) -> list[tuple[str, float]]:
        """(address, fraction done) of cells under way, as reported since the last call."""
        ...

    def restart(self) -> None:
        """Replace dead workers; unfinished futures are lost."""
        ...

    def stop(self) -> None:
        """End at once; finished cells are stored already."""
        ...


class InProcess:
    """Runs each cell in this process when it is submitted."""

    slots = 1

    def __init__(self, report: Callable[[str, float], None] | None = None) -> None:
        self._report = report

    def submit(self, task: Task) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        if self._report is not None:
            self._report(task.address, 0.0)
        future.set_result(compute(task, self._report))
        return future

    def reports(self) -> list[tuple[str, float]]:
        return []

    def restart(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Pool:
    """A pool of `slots` local processes, forked from a server that has torch loaded."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._reports = self._context.SimpleQueue()
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.slots, self._context, initializer=start, initargs=(self._reports,))

    def submit(self, task: Task) -> "Future[Outcome]":
        return self._pool.submit(compute_in_pool, task)

    def reports(self) -> list[tuple[str, float]]:
        found = []
        while not self._reports.empty():
            found.append(self._reports.get())
        return found

    def restart(self) -> None:
        self.stop()
        self._reports = self._context.SimpleQueue()
        self._pool = self._started()

    def stop(self) -> None:
        for worker in multiprocessing.active_children():
            worker.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
