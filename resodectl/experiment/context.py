"""What a simulation receives besides its cell: device, dtype, random streams, data folder, progress, checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch


def stream(seed: int, *labels: str | int) -> np.random.Generator:
    """The random stream of (seed, labels): derived by hashing alone, so no order of execution can change it."""
    digest = hashlib.sha256(json.dumps([seed, *labels]).encode()).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "big"))))


class Checkpoint(Protocol):
    """Where a long cell keeps its state."""

    def restore(self) -> Any: ...

    def save(self, state: Any) -> None: ...


class Context:
    """Everything that a simulation may use besides its cell; nothing else is global.

    Attributes: `seeds` (of the cell), `device`, `dtype`, `data_root` (folder of the real data sets, or None).
    What else a simulation reads stands beside it, or is a file that a parameter of the type `FileName` names.
    """

    def __init__(
        self,
        seeds: tuple[int, ...],
        device: torch.device,
        dtype: torch.dtype,
        data_root: Path | None = None,
        checkpoint: Checkpoint | None = None,
        report: Any = None,
        inputs: Mapping[str, Path] | None = None,
    ) -> None:
        self.seeds = seeds
        self.device = device
        self.dtype = dtype
        self.data_root = data_root
        self._checkpoint = checkpoint
        self._report = report
        self._inputs = dict(inputs or {})

    def streams(self, *labels: str | int) -> list[np.random.Generator]:
        """One fresh stream for each seed of the cell. Draw on the CPU, then move: CPU and GPU see the same draws."""
        return [stream(seed, *labels) for seed in self.seeds]

    def input(self, name: str) -> Path:
        """The file that a parameter of the type `FileName` names; what it holds is a part of the cell's address.

        Raises:
            LookupError: none names it.
        """
        if name not in self._inputs:
            known = ", ".join(self._inputs) or "none"
            raise LookupError(f"the simulation asks for the file '{name}'; the files that parameters name: {known}")
        return self._inputs[name]

    def progress(self, fraction: float) -> None:
        """Tell how much of the cell is done, in [0, 1]."""
        if self._report is not None:
            self._report(fraction)

    def restore(self) -> Any:
        """The state last saved for this cell, or None. Rows yielded before that save must not be yielded again."""
        return self._checkpoint.restore() if self._checkpoint is not None else None

    def save(self, state: Any) -> None:
        """Keep `state` (nested dicts and lists of tensors, numbers and strings) with all rows yielded so far.

        Written atomically, at most every 30 s, so it may be called after every epoch.
        """
        if self._checkpoint is not None:
            self._checkpoint.save(state)
