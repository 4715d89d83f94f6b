"""Running cells: skip what the store has, compute the rest, survive failing cells and dying workers."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resodectl.engine.address import address, entries, identity
from resodectl.engine.executors import BROKEN, Executor
from resodectl.engine.fingerprint import parts, watched
from resodectl.engine.guard import Code
from resodectl.engine.inputs import inputs
from resodectl.engine.interrupts import put_off
from resodectl.engine.seen import Seen, seen
from resodectl.engine.worker import Outcome, Task
from resodectl.errors import UserError
from resodectl.experiment import catalogue
from resodectl.experiment.cells import Cell
from resodectl.experiment.outside import data_sets

POLL_S = 0.2
TRIES_IN_POOL = 2
RESTARTS_IN_VAIN = 3
DIED = "its worker process died (a crash in compiled code, or no memory)"


@dataclass(frozen=True)
class Execution:
    """Where and on what cells are computed; none of it but `device` changes a result."""

    store: Path
    device: str = "cpu"
    data_root: Path | None = None
    jobs: int = 1
    checkpoint_every_s: float = 30.0


def tasks(cells: Iterable[Cell], execution: Execution, folder: Path | None = None) -> list[Task]:
    """The tasks of cells, in their order.

    Args:
        folder: the recipe's, where the files that parameters name are looked for.

    Raises:
        DataError: a cell needs a data set that is not there.
        UserError: a file is not there, or the code cannot be read.
    """
    planned = []
    for cell in cells:
        files = inputs(cell, folder, execution.data_root)
        data = tuple(file for name in data_sets(cell.point) for file in data_seen(name, execution.data_root))
        about = identity(cell, execution.device, execution.data_root, files)
        planned.append(
            Task(
                address(about),
                about,
                cell.label,
                execution.store,
                execution.data_root,
                catalogue.plugin_folders(),
                execution.checkpoint_every_s,
                files,
                data,
                code_of(cell.experiment),
            )
        )
    return planned


@cache
def data_seen(name: str, root: Path | None) -> tuple[Seen, ...]:
    """What is seen of the files of a data set, before they are hashed.

    Raises:
        DataError: it is not there.
    """
    from resodectl.datasets.load import locate

    return tuple(map(seen, locate(name, root)))


@cache
def code_of(experiment: str) -> Code:
    """The code of an experiment, for the workers."""
    read = entries(experiment)
    return Code(parts(read), watched(read))


def shard(missing: Sequence[Task], index: int, count: int) -> list[Task]:
    """Shard `index` (from 1) of `count`: chosen by address, so that it does not depend on what is stored."""
    return [task for task in missing if int(task.address[:8], 16) % count == index - 1]


def run(
    waiting: Sequence[Task], using: Executor, report: Callable[[str, float], None] | None = None
) -> Iterator[Outcome]:
    """Compute tasks and yield what became of each, as they finish. A failing cell does not stop the others.

    When a worker dies, the unfinished cells are tried once more together, then one at a time; a cell that kills its
    worker even alone has failed. Where no more cells can be stored, or no worker can be started, the others are not
    computed.
    """
    queue = deque(waiting)
    tries: dict[str, int] = {task.address: 0 for task in waiting}
    under_way: dict[Future[Outcome], Task] = {}
    in_vain = 0

    def has_room() -> bool:
        """Whether the next task may start now: one that was there when workers died stays alone."""
        if any(tries[task.address] >= TRIES_IN_POOL for task in (queue[0], *under_way.values())):
            return not under_way
        return len(under_way) < (1 if using.slots == 1 else 2 * using.slots)

    while queue or under_way:
        broken = False
        while queue and not broken and has_room():
            try:
                under_way[using.submit(queue[0])] = queue[0]
                queue.popleft()
            except BROKEN:
                broken = True
        with put_off():  # an interrupt in the midst of it would leave a future locked, and its executor waiting for it
            done, _ = wait(under_way, timeout=POLL_S, return_when=FIRST_COMPLETED)
        for known, fraction in using.reports():
            if report is not None:
                report(known, fraction)
        for future in done:
            if isinstance(future.exception(), BROKEN):
                broken = True
                continue
            under_way.pop(future)
            yield future.result()
            if future.result().fatal:
                yield from _given_up(queue, "the store cannot be written")
        if broken:
            in_vain = 0 if under_way else in_vain + 1
            if in_vain > RESTARTS_IN_VAIN:
                yield from _given_up(queue, "no worker process can be started")
                return
            lost = list(under_way.values())
            under_way.clear()
            for task in lost:
                tries[task.address] += 1
            died = [task for task in lost if tries[task.address] > TRIES_IN_POOL]
            queue.extendleft(task for task in reversed(lost) if task not in died)
            using.restart()
            for task in died:
                yield Outcome(task.address, error=f"{task.label}: {DIED}")


def _given_up(queue: deque[Task], why: str) -> Iterator[Outcome]:
    """Empty the queue: none of its tasks is computed, all for one reason."""
    while queue:
        yield Outcome(queue.popleft().address, error=f"the other cells are not computed: {why}")


def resolve_device(asked: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`. torch is imported only where there is an NVIDIA driver.

    Raises:
        UserError: CUDA was asked for, and there is none.
    """
    if asked == "cpu":
        return "cpu"
    if any(Path(sign).exists() for sign in ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/dxg")):
        import torch

        if torch.cuda.is_available():
            return "cuda"
    if asked == "cuda":
        raise UserError("--device cuda: no CUDA device can be used here; take --device cpu, or auto")
    return "cpu"


def parse_shard(text: str) -> tuple[int, int]:
    """`i/n` as (i, n), 1 <= i <= n.

    Raises:
        UserError: it is something else.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise UserError(f"--shard {text}: is not of the form i/n with 1 <= i <= n, such as 1/4")
    return int(index), int(count)
