"""Random tensors with a leading axis of seeds: one numpy stream a seed, drawn in float64 on the CPU, then moved.

So a draw depends on the stream of its seed alone, not on the other seeds of a block, the device or the dtype.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

Streams = Sequence[np.random.Generator]


class TensorPlace(NamedTuple):
    """Where tensors live."""

    dtype: torch.dtype = torch.float64
    device: torch.device | str = "cpu"


def normal(
    streams: Streams, shape: Sequence[int], dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Standard normal entries, `(seeds, *shape)`; draws of n and then m entries are the draw of n + m.

    >>> normal([np.random.default_rng(seed) for seed in (0, 1)], (3,)).shape
    torch.Size([2, 3])
    """
    drawn = np.stack([stream.standard_normal(tuple(shape)) for stream in streams])
    return torch.from_numpy(drawn).to(device=device, dtype=dtype)


def uniform(
    streams: Streams,
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Entries uniform on [low, high), `(seeds, *shape)`."""
    drawn = np.stack([low + (high - low) * stream.random(tuple(shape)) for stream in streams])
    return torch.from_numpy(drawn).to(device=device, dtype=dtype)
