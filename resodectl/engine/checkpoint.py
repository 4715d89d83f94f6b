"""Checkpoints of long cells: state and rows so far, kept atomically, loaded without executing pickles."""

import io
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resodectl.engine.tables import Block
from resodectl.files import write_atomically

EVERY_S = 30.0


class FileCheckpoint:
    """The checkpoint of one cell, bound to its address.

    `blocks` is the list that the engine fills with what the simulation yields; it is saved and restored along with
    the simulation's own state.
    """

    def __init__(self, folder: Path, address: str, blocks: list[Block], every_s: float = EVERY_S) -> None:
        self._path = folder / f"{address}.pt"
        self._address = address
        self._blocks = blocks
        self._every_s = every_s
        self._last = time.monotonic()

    def restore(self) -> Any:
        """The state last saved, or None if there is none that can be read (a torn file starts the cell anew)."""
        if not self._path.exists():
            return None
        try:
            with warnings.catch_warnings(action="ignore"):
                kept = torch.load(self._path, map_location="cpu", weights_only=True)
            if kept["address"] != self._address:
                return None
            self._blocks[:] = [
                (kind, {name: _from_saved(v) for name, v in block.items()}) for kind, block in kept["blocks"]
            ]
            return kept["state"]
        except Exception:  # a checkpoint is only a shortcut: whatever is wrong with it, the cell can start anew
            self.discard()
            return None

    def save(self, state: Any) -> None:
        """Keep the state and the rows so far, unless the last save is less than `every_s` seconds ago."""
        if time.monotonic() - self._last < self._every_s:
            return
        blocks = [(kind, {name: _to_saved(value) for name, value in block.items()}) for kind, block in self._blocks]
        buffer = io.BytesIO()
        torch.save({"address": self._address, "state": state, "blocks": blocks}, buffer)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, buffer.getvalue())
        self._last = time.monotonic()

    def discard(self) -> None:
        """Forget what was saved: the cell is finished."""
        self._path.unlink(missing_ok=True)


def _to_saved(values: np.ndarray) -> Any:
    """Columns as tensors or plain lists: what can be loaded without executing pickles."""
    return values.tolist() if values.dtype.kind in "UO" else torch.from_numpy(values)


def _from_saved(value: Any) -> np.ndarray:
    return value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
