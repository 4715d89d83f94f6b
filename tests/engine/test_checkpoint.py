"""A cell cut anywhere goes on bit for bit; a checkpoint that is torn, foreign or of another cell is none."""

from pathlib import Path

import pytest
import torch

from resodectl.engine.checkpoint import FileCheckpoint
from resodectl.engine.executors import InProcess
from resodectl.engine.run import run
from resodectl.experiment.catalogue import experiment
from tests.toy_cells import planned, rows


class Cut(BaseException):
    """The moment a process is killed."""


@pytest.mark.parametrize("saves", [1, 2])
def test_a_cell_cut_at_any_save_resumes_bit_for_bit(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
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
