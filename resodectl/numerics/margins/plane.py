"""The hard-margin support vector machine through the origin, for points in the plane: exact, many sets at once.

max over |u| = 1 of min_i <u, x_i>, where the points x_i are already multiplied by their labels. The optimum is the
distance of their convex hull from the origin, and u points to the nearest point of the hull, which lies on a segment
between two of the points.
"""

import torch


def hard_margin(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The direction `(..., 2)` of the largest margin, and that margin `(...)`, of points times labels `(..., n, 2)`.

    Where no line through the origin separates the points, their hull contains the origin: the margin is 0, and the
    direction is NaN. Time grows like n^2, memory like n.

    >>> direction, margin = hard_margin(torch.tensor([[1.0, 3.0], [1.0, -1.0], [5.0, 0.0]]))
    >>> direction, margin
    (tensor([1., 0.]), tensor(1.))
    >>> hard_margin(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))[1]
    tensor(0.)
    """
    nearest, least = points[..., 0, :], points[..., 0, :].square().sum(-1)
    for j in range(points.shape[-2]):
        at = _nearest_on_segments(points[..., j : j + 1, :], points)
        lengths, place = at.square().sum(-1).min(-1)
        found = at.gather(-2, place[..., None, None].expand(*place.shape, 1, 2)).squeeze(-2)
        nearest = torch.where((lengths < least).unsqueeze(-1), found, nearest)
        least = torch.minimum(lengths, least)
    direction = nearest / nearest.norm(dim=-1, keepdim=True)
    margin = (points @ direction.unsqueeze(-1)).squeeze(-1).amin(-1)
    separable = (margin > 0).unsqueeze(-1)
    return torch.where(separable, direction, torch.nan), torch.where(separable.squeeze(-1), margin, 0.0)


def _nearest_on_segments(start: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """The points `(..., n, 2)` nearest to the origin on the segments from `start` to each of `ends`."""
    along = ends - start
    lengths = along.square().sum(-1, keepdim=True)
    fractions = (-(start * along).sum(-1, keepdim=True) / lengths.where(lengths > 0, 1.0)).clamp(0.0, 1.0)
    return start + fractions * along
