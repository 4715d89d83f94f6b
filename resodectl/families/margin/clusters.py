"""Labelled clusters in two coordinates, hidden in a space of more dimensions (Chizat & Bach 2020, arXiv 2002.04486).

x_1 = 1. In (x_2, x_3), k x k discs of radius D = 1 / (3k - 1) stand on a grid in [-1/2, 1/2]^2, two neighbouring ones
at a distance of D. A sample draws its disc, an angle, and its distance from the centre uniformly on [0, D], so that it
is denser near the centre. The other coordinates are uniform on [-1/2, 1/2]. Of the discs, floor(k^2 / 2), drawn at
random, have the label -1, the others +1.
"""

from collections.abc import Callable

import numpy as np
import torch

from resodectl.families.margin.ascent import Labelled
from resodectl.families.margin.samples import Labelling
from resodectl.numerics.draws import Streams

FEWEST = 3
"""Coordinates: the constant one, and those of the discs."""


def centres(discs: int) -> np.ndarray:
    """The centres of discs x discs discs, `(discs^2, 2)`."""
    places = (1 + 3 * np.arange(discs)) / (3 * discs - 1) - 0.5
    return np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2)


def draw_clusters(
    streams: Callable[[str], Streams], part: str, samples: int, dim: int, discs: int, labelling: Labelling = "drawn"
) -> Labelled:
    """A sample for each seed, in float64.

    The first samples are the same whatever their number is, and so are their discs and places in them whatever the
    dimension is. Samples of different parts ("train", "test") of a seed share the labels of the discs.

    Args:
        streams: one stream for each seed, of a label.
        dim: the number of coordinates d, the constant one included; at least three.
        discs: how many discs there are in a row; at least two, so that both labels occur.
        labelling: how labels are given. "drawn" is the paper's. With "product" the label of a disc is the product of
            two signs, one a coordinate, + for its first ceil(k / 2) rows; that, too, gives floor(k^2 / 2) discs the
            label -1. With "norm" the discs play no part: the label is +1 where the norm is above the median, that of
            4,000 further samples, so that all coordinates count.

    Raises:
        ValueError: there are too few coordinates or discs.
    """
    if dim < FEWEST or discs < 2:
        raise ValueError(f"clusters: at least {FEWEST} coordinates and 2 discs in a row, got {dim} and {discs}")
    inputs, drawn = _inputs(streams, part, samples, dim, discs)
    if labelling == "norm":
        reference, _ = _inputs(streams, "median", 4000, dim, discs)
        medians = np.median(np.linalg.norm(reference, axis=2), axis=1)
        labels = np.where(np.linalg.norm(inputs, axis=2) > medians[:, None], 1.0, -1.0)
    else:
        labels = np.take_along_axis(_signs(streams, len(inputs), discs, labelling), drawn, 1)
    return Labelled(torch.from_numpy(inputs), torch.from_numpy(labels))


def _signs(streams: Callable[[str], Streams], seeds: int, discs: int, labelling: Labelling) -> np.ndarray:
    """The labels of the discs, `(seeds, discs^2)`."""
    if labelling == "product":
        side = np.where(np.arange(discs) < -(-discs // 2), 1.0, -1.0)
        return np.tile(np.outer(side, side).ravel(), (seeds, 1))
    signs = np.ones((seeds, discs**2))
    for sign, stream in zip(signs, streams("labels"), strict=True):
        sign[stream.permutation(discs**2)[: discs**2 // 2]] = -1.0
    return signs


def _inputs(
    streams: Callable[[str], Streams], part: str, samples: int, dim: int, discs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `(seeds, samples, dim)`, and which disc each is in, `(seeds, samples)`."""
    uniform = np.stack([stream.random((samples, 3)) for stream in streams(part)])
    others = np.stack([stream.random((samples, dim - FEWEST)) for stream in streams(f"{part}, other coordinates")])
    disc = (uniform[..., 0] * discs**2).astype(np.int64)
    angle, distance = 2 * np.pi * uniform[..., 1], uniform[..., 2] / (3 * discs - 1)
    around = distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.concatenate([np.ones((*disc.shape, 1)), centres(discs)[disc] + around, others - 0.5], 2), disc
