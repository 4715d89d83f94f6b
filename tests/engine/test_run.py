"""Cells give the same bits wherever they run; failures and deaths stay their own; nothing finished is lost."""

import errno
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resodectl.datasets.dataset import DataError
from resodectl.datasets.load import load as load_data
from resodectl.engine import run as module
from resodectl.engine.address import identity
from resodectl.engine.executors import InProcess, Pool
from resodectl.engine.guard import Code
from resodectl.engine.inputs import Input
from resodectl.engine.run import parse_shard, resolve_device, run, shard
from resodectl.engine.seen import seen
from resodectl.engine.store import Store
from resodectl.engine.worker import Outcome, Task
from resodectl.errors import UserError
from resodectl.experiment.catalogue import experiment
from resodectl.experiment.cells import Cell
from resodectl.experiment.choices import DataName
from resodectl.experiment.settings import Settings
from tests.toy_cells import planned, rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(2)
    yield made
    made.stop()


def test_process_pool_and_order_leave_the_bits_alone(toy: Path, tmp_path: Path, pool: Pool) -> None:
    log = experiment("toy/walk").spec.LOG
    here, there = planned(toy, tmp_path / "a"), planned(toy, tmp_path / "b")
    assert not [outcome.error for outcome in run(here, InProcess()) if outcome.error]
    assert not [outcome.error for outcome in run(there[::-1], pool) if outcome.error]
    assert [rows(tmp_path / "a", task, log) for task in here] == [rows(tmp_path / "b", task, log) for task in there]


def test_two_runs_at_once_leave_one_file_for_each_cell(toy: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; from pathlib import Path; sys.path[:0] = [{str(ROOT)!r}]\n"
        f"from resodectl.experiment import catalogue; catalogue.add_plugins(Path({str(toy.parents[2])!r}))\n"
        "from tests.engine.test_run import *\n"
        f"print([o.error for o in run(planned(Path({str(toy)!r}), Path({str(tmp_path)!r})), InProcess())])"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [f"{[None] * 6}\n"] * 2
    assert len(list(Store(tmp_path))) == len({entry.address for entry in Store(tmp_path)}) == 6
    assert Store(tmp_path).seconds(entry.address for entry in Store(tmp_path)).keys() == {
        e.address for e in Store(tmp_path)
    }


def test_a_cell_computed_twice_has_the_same_bytes(toy: Path, tmp_path: Path) -> None:
    first, second = planned(toy, tmp_path / "a", "pause=0.0"), planned(toy, tmp_path / "b", "pause=0.0")
    list(run(first, InProcess()))
    time.sleep(0.01)
    list(run(second[::-1], InProcess()))
    names = [sorted(entry.path.name for entry in Store(tmp_path / of)) for of in "ab"]
    assert names[0] == names[1]


def test_a_file_that_changes_during_a_run_fails_its_cells(toy: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("1")
    (task, *_) = planned(toy, tmp_path / "store")
    for there in (
        replace(task, code=Code({}, (seen(table),))),
        replace(task, inputs=(Input("table.csv", "", seen(table)),)),
    ):
        table.write_text(table.read_text() + "2")
        (outcome,) = run([there], InProcess())
        assert "table.csv has changed since the run began; run again" in outcome.error
        assert list(Store(tmp_path / "store")) == []


def test_more_seeds_add_cells_and_leave_finished_ones_alone(toy: Path, tmp_path: Path) -> None:
    four, six = planned(toy, tmp_path, seeds=4), planned(toy, tmp_path, seeds=6)
    assert {task.address for task in four} < {task.address for task in six}


def test_what_determines_a_result_determines_the_address(toy: Path, tmp_path: Path) -> None:
    plain = planned(toy, tmp_path)[0].address
    assert planned(toy, tmp_path / "elsewhere")[0].address == plain
    changed = [planned(toy, tmp_path, text)[0].address for text in ("drift=0.1", "dtype=float32", "lengths=[5]")]
    assert len({plain, *changed}) == 4


def test_a_failing_cell_does_not_stop_the_others(toy: Path, tmp_path: Path) -> None:
    outcomes = {outcome.address: outcome for outcome in run(planned(toy, tmp_path, "fail_at=400"), InProcess())}
    failed = [outcome for outcome in outcomes.values() if outcome.error]
    assert (len(outcomes), len(failed)) == (6, 2)
    assert "ValueError: the walk fell off a cliff" in failed[0].error
    assert "\n" not in failed[0].error
    kept = tmp_path / "failures" / f"{failed[0].address}.txt"
    assert "Traceback" in kept.read_text("utf-8")


def test_a_dying_worker_costs_only_its_own_cell(toy: Path, tmp_path: Path, pool: Pool) -> None:
    outcomes = list(run(planned(toy, tmp_path, "die_at=400"), pool))
    died = [outcome for outcome in outcomes if outcome.error]
    assert (len(outcomes), len(died)) == (6, 2)
    assert all("its worker process died" in outcome.error for outcome in died)
    assert len({entry.address for entry in Store(tmp_path)}) == 4  # one may be stored twice, if its worker died then


class Dying:
    """Workers that die as soon as the task `killer` starts, with everything that is under way beside it."""

    slots = 2

    def __init__(self, killer: str) -> None:
        self.killer = killer
        self.under_way: dict[str, Future[Outcome]] = {}

    def submit(self, task: Task) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        self.under_way[task.address] = future
        return future

    def reports(self) -> list[tuple[str, float]]:
        return []

    def restart(self) -> None:
        self.under_way.clear()

    def stop(self) -> None:
        pass


def test_a_cell_tried_alone_has_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = Dying("b")

    def advance(futures, **_):
        """The killer takes everything along; without it, the oldest task is done."""
        alive = {address: future for address, future in dying.under_way.items() if not future.done()}
        if dying.killer in alive:
            for future in alive.values():
                future.set_exception(BrokenProcessPool())
        elif alive:
            address, future = next(iter(alive.items()))
            future.set_result(Outcome(address))
        return wait(futures, timeout=0)

    monkeypatch.setattr(module, "wait", advance)
    outcomes = list(run([Task(name, {}, name, tmp_path, None) for name in "abcdefgh"], dying))
    assert sorted(outcome.address for outcome in outcomes) == list("abcdefgh")
    assert [outcome.address for outcome in outcomes if outcome.error] == ["b"]


class Refusing(Dying):
    """Workers that cannot be started."""

    def submit(self, task: Task) -> "Future[Outcome]":
        raise ConnectionRefusedError


def test_workers_that_can_never_be_started_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.0)
    outcomes = list(run([Task(name, {}, name, tmp_path, None) for name in "ab"], Refusing("")))
    assert [outcome.address for outcome in outcomes] == ["a", "b"]
    assert all("no worker process can be started" in outcome.error for outcome in outcomes)


def test_a_full_store_ends_the_run(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def full(self: Store, address: str, data: bytes) -> None:
        tried.append(address)
        raise OSError(errno.ENOSPC, "No space left on device", "the store")

    monkeypatch.setattr(Store, "put", full)
    first, *others = run(planned(toy, tmp_path), InProcess())
    assert (len(tried), len(others)) == (1, 5)
    assert first.error.endswith("No space left on device (the store)")
    assert {outcome.error for outcome in others} == {"the other cells are not computed: the store cannot be written"}


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (DataError("x: is damaged"), "x: is damaged"),
        (ValueError("\udcff"), "ValueError: \udcff"),
    ],
)
def test_whatever_a_simulation_raises_is_a_failed_cell(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    raised: BaseException, says: str,
) -> None:  # fmt: skip
    def simulate(cell, context):
        print("here I am")
        raise raised

    (task, *_) = planned(toy, tmp_path)
    monkeypatch.setattr(experiment("toy/walk").module("simulation"), "simulate", simulate)
    (outcome,) = run([task], InProcess())
    assert outcome.error.startswith(f"{task.label}: {says}")
    assert (tmp_path / "failures").exists() != isinstance(raised, DataError)
    assert capsys.readouterr() == ("", "here I am\n")


def test_a_field_names_a_data_set_by_its_type_and_not_by_its_name() -> None:
    class Task(Settings):
        images: DataName

    class Point(Settings):
        data: str
        task: Task
        further: tuple[DataName, ...] = ()

    point = Point(data="no such set", task=Task(images="digits"))
    digests = identity(Cell("adjoint/memory", point, (0,)), "cpu", None)["data"]
    assert list(digests) == ["digits"]
    assert len(digests["digits"]) == 64
    with pytest.raises(DataError, match="the data set 'cifar10' needs a folder"):
        identity(Cell("adjoint/memory", point.model_copy(update={"further": ("cifar10",)}), (0,)), "cpu", None)


def test_a_simulation_cannot_load_a_data_set_that_its_address_does_not_cover(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def simulate(cell, context):
        yield "ends", {"seed": list(cell.seeds), "end": float(load_data("digits", context.data_root).classes)}

    (task, *_) = planned(toy, tmp_path)
    monkeypatch.setattr(experiment("toy/walk").module("simulation"), "simulate", simulate)
    (outcome,) = run([task], InProcess())
    assert "the simulation loads the data set 'digits', which no field of its Point names" in outcome.error
    assert load_data("digits", None).classes == 10


def test_shards_are_disjoint_and_cover_the_cells(toy: Path, tmp_path: Path) -> None:
    all_tasks = planned(toy, tmp_path, seeds=40)
    parts = [shard(all_tasks, index, 3) for index in (1, 2, 3)]
    addresses = [task.address for part in parts for task in part]
    assert sorted(addresses) == sorted(task.address for task in all_tasks)
    assert all(parts)
    assert shard(all_tasks[10:], 1, 3) == [task for task in all_tasks[10:] if task in parts[0]]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/0", "-1/3", "²/3"])
def test_shards_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not of the form i/n"):
        parse_shard(text)


def test_cuda_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device can be used here"):
        resolve_device("cuda")
    assert resolve_device("auto") == "cpu"


def test_an_interrupt_in_the_midst_of_waiting_leaves_no_future_locked(tmp_path: Path, toy: Path) -> None:
    """A future that stays locked keeps its executor from stopping: the tool would hang after Ctrl-C."""

    class Waiting:
        """Never computes what is submitted; an interrupt comes as soon as its future is locked."""

        slots = 1

        def __init__(self) -> None:
            self.future: Future[Outcome] = Future()
            self.lock = self.future._condition.acquire
            self.future._condition.acquire = self.interrupted

        def interrupted(self) -> bool:
            taken = self.lock()
            self.future._condition.acquire = self.lock
            signal.raise_signal(signal.SIGINT)
            return taken

        def submit(self, task: Task) -> "Future[Outcome]":
            return self.future

        def reports(self) -> list[tuple[str, float]]:
            return []

    using = Waiting()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run(planned(toy, tmp_path)[:1], using))
    finally:
        signal.signal(signal.SIGINT, before)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(using.lock, False).result()
