"""Computing the missing cells of jobs, with progress, and handing over each job as soon as it waits for nothing."""

from collections.abc import Callable, Sequence

from resodectl.engine.executors import Executor, InProcess, Pool
from resodectl.engine.progress import Progress
from resodectl.engine.run import Execution, run
from resodectl.engine.store import Store
from resodectl.engine.worker import Task
from resodectl.runs.plan import Job, settle


def compute(
    jobs: Sequence[Job],
    waiting: Sequence[Task],
    execution: Execution,
    progress: Progress,
    ready: Callable[[Job], None],
    force: bool = False,
) -> list[str]:
    """Compute tasks; call `ready` with every job that has all its cells. Returns what failed, a sentence a cell.

    An interrupt ends the workers and passes on; finished cells are stored.
    """
    for job in jobs:
        if not job.waiting:
            ready(job)
    if not waiting:
        return []
    errors = []
    using = executor(execution, len(waiting), progress.report)
    try:
        for outcome in run(waiting, using, progress.report):
            progress.done(outcome)
            if outcome.error:
                errors.append(outcome.error)
            elif force:
                Store(execution.store).keep_newest(outcome.address)
            for job in settle(jobs, outcome):
                ready(job)
    finally:
        using.stop()
    return errors


def executor(execution: Execution, cells: int, report: Callable[[str, float], None] | None = None) -> Executor:
    """A pool for the CPU, for one job and one cell too, so that no simulation can end this process; no more workers
    than cells. In this process for a GPU.
    """
    return InProcess(report) if execution.device == "cuda" else Pool(min(execution.jobs, cells))
