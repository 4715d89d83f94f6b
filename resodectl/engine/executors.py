"""Executors: `submit(task) -> Future`, in a pool of local processes, or on a GPU in this process."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from typing import Protocol

from resodectl.engine.interrupts import ignored, put_off
from resodectl.engine.worker import Outcome, Task, compute, compute_in_pool, start

PRELOADED = [
    "torch",
    "threadpoolctl",
    "pyarrow.parquet",
    "pandas",  # pyarrow imports it with the first array
    "resodectl.engine.worker",
    "resodectl.engine.checkpoint",
    "resodectl.engine.store",
    "resodectl.engine.undisturbed",
]
BROKEN = (BrokenProcessPool, ConnectionError, EOFError)  # the last two: the fork server is gone
STARTING_S = 0.02


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
    """Runs each cell in this process when it is submitted: where the device is a GPU, which one process holds."""

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
        self._others = set(multiprocessing.active_children())
        self._start()

    def _start(self) -> None:
        """Start the fork server and all workers; an interrupt waits until they stand.

        Workers that cannot be started show when a task is submitted.
        """
        self._reports = self._context.SimpleQueue()
        self._pool = ProcessPoolExecutor(self.slots, self._context, initializer=start, initargs=(self._reports,))
        try:
            with put_off(), suppress(*BROKEN):
                with ignored(), _path_in_environment():
                    forkserver.ensure_running()
                wait([self._pool.submit(time.sleep, STARTING_S) for _ in range(self.slots)])
        except BaseException:
            self.stop()
            raise

    def submit(self, task: Task) -> "Future[Outcome]":
        with put_off():  # which would leave the pool's locks taken
            return self._pool.submit(compute_in_pool, task)

    def reports(self) -> list[tuple[str, float]]:
        waiting = []
        while not self._reports.empty():
            waiting.append(self._reports.get())
        return waiting

    def restart(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        for worker in set(multiprocessing.active_children()) - self._others:
            worker.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _path_in_environment() -> Iterator[None]:
    """Within the block, what is started finds modules where this process finds them.

    The fork server loads its modules before it is told a path, and would take those of another resodectl, if any.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
