"""Weights of residual networks by their smoothness in depth: layer n of N stands at s = n/N on [0, 1).

On these five kinds the reconstruction of Sander, Ablin & Peyre 2022 (arXiv 2205.14612) has different orders. The draws
of a stream do not depend on the depth, so networks of all depths are samples of one function weights(s).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch

from resodectl.numerics.draws import Streams, normal, uniform

WeightKind = Literal["smooth", "tied", "brownian", "iid", "alternating"]
KINDS: tuple[WeightKind, ...] = get_args(WeightKind)
MODES = 3


def weights(
    kind: WeightKind,
    streams: Streams,
    depth: int,
    shape: Sequence[int],
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """One tensor of weights of order 1 for every layer and seed, `(depth, seeds, *shape)`; scale it to taste.

    - `smooth`: sum over k = 1, 2, 3 of a_k cos(pi k s + p_k) / sqrt(3), a_k ~ N(0, 1) an entry, p_k uniform a tensor;
    - `tied`: one N(0, 1) draw an entry, the same in all layers (expanded: no memory a layer);
    - `brownian`: one N(0, 1) draw an entry plus a Brownian path in s; `depth` must be a power of two;
    - `iid`: an N(0, 1) draw an entry and layer;
    - `alternating`: smooth + (-1)^n delta, delta one N(0, 1) draw an entry.

    Raises:
        ValueError: the depth of `brownian` weights is not a power of two.
    """
    drawn = _KINDS[kind](streams, depth, tuple(shape))
    return drawn.to(device=device, dtype=dtype)


def mlp_weights(
    kind: WeightKind,
    streams: Mapping[str, Streams],
    depth: int,
    dim: int,
    hidden: int,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(W, b, V) for `residuals.mlp`, entries of scales 1/sqrt(dim), 0.5 and 1/sqrt(hidden).

    `streams` holds one stream a seed for each of "W", "b" and "V". Shapes: `(depth, seeds, dim, hidden)`,
    `(depth, seeds, 1, hidden)`, `(depth, seeds, hidden, dim)`.
    """
    first = weights(kind, streams["W"], depth, (dim, hidden), dtype, device)
    bias = weights(kind, streams["b"], depth, (1, hidden), dtype, device)
    second = weights(kind, streams["V"], depth, (hidden, dim), dtype, device)
    return first / math.sqrt(dim), 0.5 * bias, second / math.sqrt(hidden)


def smooth_at(positions: torch.Tensor, streams: Streams, shape: Sequence[int]) -> torch.Tensor:
    """The smooth kind of `weights` at any positions s, `(positions, seeds, *shape)`, in float64 on the CPU."""
    amplitudes = normal(streams, (MODES, *shape))
    phases = uniform(streams, (MODES,), 0.0, 2 * math.pi)
    waves = math.pi * torch.outer(positions, torch.arange(1, MODES + 1, dtype=torch.float64))
    modes = torch.cos(waves[:, None, :] + phases) / math.sqrt(MODES)
    return torch.einsum("nsk,sk...->ns...", modes, amplitudes).contiguous()


def _smooth(streams: Streams, depth: int, shape: tuple[int, ...]) -> torch.Tensor:
    return smooth_at(_positions(depth), streams, shape)


def _tied(streams: Streams, depth: int, shape: tuple[int, ...]) -> torch.Tensor:
    constant = normal(streams, shape)
    return constant.expand(depth, *constant.shape)


def _iid(streams: Streams, depth: int, shape: tuple[int, ...]) -> torch.Tensor:
    return normal(streams, (depth, *shape)).transpose(0, 1).contiguous()


def _alternating(streams: Streams, depth: int, shape: tuple[int, ...]) -> torch.Tensor:
    smooth = _smooth(streams, depth, shape)
    signs = 1.0 - 2.0 * (torch.arange(depth) % 2).to(torch.float64)
    return smooth + torch.tensordot(signs, normal(streams, shape), dims=0)


def _brownian(streams: Streams, depth: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Levy's construction: the path at twice the depth is the path at the depth plus draws for the midpoints."""
    if depth & (depth - 1):
        raise ValueError(f"Brownian weights are refined by halving: the depth must be a power of two, not {depth}")
    constant = normal(streams, shape)
    path = torch.stack([torch.zeros_like(constant), normal(streams, shape)])  # B(0) and B(1), first axis s
    while len(path) <= depth:
        intervals = len(path) - 1
        draws = normal(streams, (intervals, *shape)).transpose(0, 1)
        middles = (path[:-1] + path[1:]) / 2 + draws / (2 * math.sqrt(intervals))
        path = torch.cat([torch.stack([path[:-1], middles], 1).flatten(0, 1), path[-1:]])
    return constant + path[:-1]


def _positions(depth: int) -> torch.Tensor:
    return torch.arange(depth, dtype=torch.float64) / depth


_KINDS = {"smooth": _smooth, "tied": _tied, "brownian": _brownian, "iid": _iid, "alternating": _alternating}
