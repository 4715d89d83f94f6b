"""The hard-margin support vector machine through the origin, for points in the plane: exact, many sets at once.

max over |u| = 1 of min_i <u, x_i>, where the points x_i are already multiplied by their labels. The optimum is the
distance of their convex hull from the origin, and u points to the nearest point of the hull, which lies on a segment
between two of the points (Wolfe 1976, Finding the nearest point in a polytope).
"""

import torch


def hard_margin(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The direction `(..., 2)` of the largest margin, and that margin `(...)`, of points times labels `(..., n, 2)`.

    Where no line through the origin separates the points, their hull contains the origin: the margin is 0, and the
    direction is NaN.

    >>> direction, margin = hard_margin(torch.tensor([[1.0, 3.0], [1.0, -1.0], [5.0, 0.0]]))
    >>> direction, margin
    (tensor([1., 0.]), tensor(1.))
    >>> hard_margin(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))[1]
    tensor(0.)
    """
    first = second = _picked(points, points.square().sum(-1))
    nearest, length = first, first.square().sum(-1)
    for _ in range(points.shape[-2]):
        third = _picked(points, (points @ nearest.unsqueeze(-1)).squeeze(-1))  # what lies furthest below `nearest`
        starts, ends = torch.stack([first, second]), torch.stack([third, third])
        at = _nearest_on_segments(starts, ends)
        lengths = at.square().sum(-1)
        other = lengths[1] < lengths[0]
        better = torch.minimum(lengths[0], lengths[1]) < length
        if not better.any():
            break
        kept = torch.where(other.unsqueeze(-1), second, first)
        found = torch.where(other.unsqueeze(-1), at[1], at[0])
        first, second, nearest = (
            torch.where(better.unsqueeze(-1), new, old)
            for new, old in ((kept, first), (third, second), (found, nearest))
        )
        length = nearest.square().sum(-1)
    direction = nearest / nearest.norm(dim=-1, keepdim=True)
    margin = (points @ direction.unsqueeze(-1)).squeeze(-1).amin(-1)
    separable = margin > 0
    return torch.where(separable.unsqueeze(-1), direction, torch.nan), torch.where(separable, margin, 0.0)


def _picked(points: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """The point of each set with the least score, `(..., 2)`."""
    place = scores.argmin(-1)[..., None, None]
    return points.gather(-2, place.expand(*place.shape[:-1], 2)).squeeze(-2)


def _nearest_on_segments(starts: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """The points `(..., 2)` nearest to the origin on segments."""
    along = ends - starts
    lengths = along.square().sum(-1, keepdim=True)
    fractions = -(starts * along).sum(-1, keepdim=True) / torch.where(lengths > 0, lengths, 1.0)
    return starts + fractions.clamp(0.0, 1.0) * along
