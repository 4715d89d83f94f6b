"""Cells give the same bits wherever they run; failures and deaths stay their own; nothing finished is lost."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from resodectl.engine.checkpoint import FileCheckpoint
from resodectl.engine.executors import InProcess, Pool
from resodectl.engine.run import Setting, parse_shard, resolve_device, run, shard, tasks
from resodectl.engine.store import Store
from resodectl.engine.tables import unpack
from resodectl.engine.worker import Task
from resodectl.errors import UserError
from resodectl.pipeline.planning import cells
from resodectl.recipe.load import Request, load


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(2)
    yield made
    made.stop()


def planned(toy: Path, store: Path, *sets: str, seeds: int = 4) -> list[Task]:
    recipe = load(toy, Request("laptop", sets, seeds))
    return tasks(cells(recipe), Setting(store, checkpoint_every_s=0.0))


def rows(store: Path, task: Task, log) -> dict[str, bytes]:
    found = Store(store)
    data = found.get(found.find([task.address])[task.address])
    kinds = unpack(pq.read_table(io.BytesIO(data)), log)
    return {kind: hashlib.sha256(repr(table.to_pydict()).encode()).digest() for kind, table in kinds.items()}


def test_process_pool_and_order_leave_the_bits_alone(toy: Path, tmp_path: Path, pool: Pool) -> None:
    from resodectl.recipe.catalogue import experiment

    log = experiment("toy/walk").spec.LOG
    here, there = planned(toy, tmp_path / "a"), planned(toy, tmp_path / "b")
    assert not [outcome.error for outcome in run(here, InProcess()) if outcome.error]
    assert not [outcome.error for outcome in run(there[::-1], pool) if outcome.error]
    assert [rows(tmp_path / "a", task, log) for task in here] == [rows(tmp_path / "b", task, log) for task in there]


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
    assert len(list(Store(tmp_path))) == 4


class Cut(BaseException):
    """The moment a process is killed."""


@pytest.mark.parametrize("saves", [1, 2])
def test_a_cell_cut_at_any_save_resumes_bit_for_bit(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    from resodectl.recipe.catalogue import experiment

    log, save = experiment("toy/walk").spec.LOG, FileCheckpoint.save
    (undisturbed, *_), (task, *_) = planned(toy, tmp_path / "a"), planned(toy, tmp_path / "b")
    list(run([undisturbed], InProcess()))
    done = 0

    def cut_after(self: FileCheckpoint, state: object) -> None:
        nonlocal done
        save(self, state)
        done += 1
        if done == saves:
            raise Cut

    monkeypatch.setattr(FileCheckpoint, "save", cut_after)
    with pytest.raises(Cut):
        list(run([task], InProcess()))
    monkeypatch.setattr(FileCheckpoint, "save", save)
    assert list((tmp_path / "b/checkpoints").iterdir())
    list(run([task], InProcess()))
    assert rows(tmp_path / "a", undisturbed, log) == rows(tmp_path / "b", task, log)
    assert not list((tmp_path / "b/checkpoints").iterdir())


@pytest.mark.parametrize("content", [b"", b"torn", b"\x80\x04cos\nsystem\n(S'true'\ntR."])
def test_a_torn_or_foreign_checkpoint_starts_the_cell_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "abc.pt").write_bytes(content)
    assert FileCheckpoint(tmp_path, "abc", []).restore() is None


def test_a_checkpoint_belongs_to_its_address(tmp_path: Path) -> None:
    FileCheckpoint(tmp_path, "abc", [], 0.0).save({"x": torch.ones(2)})
    (tmp_path / "abc.pt").rename(tmp_path / "def.pt")
    assert FileCheckpoint(tmp_path, "def", []).restore() is None


def test_checkpoints_are_written_at_most_as_often_as_said(tmp_path: Path) -> None:
    FileCheckpoint(tmp_path, "abc", [], every_s=30.0).save({"x": 1})
    assert not list(tmp_path.iterdir())


def test_shards_are_disjoint_and_cover_the_cells(toy: Path, tmp_path: Path) -> None:
    all_tasks = planned(toy, tmp_path, seeds=40)
    parts = [shard(all_tasks, index, 3) for index in (1, 2, 3)]
    addresses = [task.address for part in parts for task in part]
    assert sorted(addresses) == sorted(task.address for task in all_tasks)
    assert all(parts)
    assert shard(all_tasks[10:], 1, 3) == [task for task in all_tasks[10:] if task in parts[0]]


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/0", "-1/3"])
def test_shards_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not of the form i/n"):
        parse_shard(text)


def test_cuda_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device can be used here"):
        resolve_device("cuda")
    assert resolve_device("auto") == "cpu"
