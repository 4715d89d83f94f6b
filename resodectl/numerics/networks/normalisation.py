"""Batch normalisation without gain, shift and epsilon: what it follows no longer depends on the scale of its weights.

So a network whose every trained layer is linear, without bias, and is followed by it has a loss with L(c w) = L(w)
(Lyu, Li & Arora 2022, arXiv 2206.07085). There are no running statistics: they are those of the examples at hand.
"""

import torch


def normalise(values: torch.Tensor, over: tuple[int, ...], reference: int | None = None) -> torch.Tensor:
    """(values - mean) / deviation, the deviation being the biased one; not finite where it is zero.

    Args:
        over: the axes of the means; the axis of examples comes first.
        reference: take statistics over the first so many examples only, as if each of the others came singly.

    >>> normalise(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), (0,))
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """
    seen = values if reference is None else values.narrow(over[0], 0, reference)
    variance, mean = torch.var_mean(seen, dim=over, correction=0, keepdim=True)
    return (values - mean) * variance.rsqrt()


def normalise_backwards(slopes: torch.Tensor, normal: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """The derivatives of a loss by `values` `(runs, examples, units)`, from those by `normalise(values, (1,))`.

    Args:
        slopes: the derivatives by the normalised values, `(runs, examples, units)`; they are overwritten.
        normal: the normalised values, of the same shape.
        variance: the biased variances of `values` over the examples, `(runs, 1, units)`.

    With y the normalised values and g their slopes: (g - mean(g) - y mean(g y)) / deviation, which is orthogonal to a
    shift and to a change of scale of the values.
    """
    along = (slopes * normal).mean(1, keepdim=True)
    slopes -= slopes.mean(1, keepdim=True)
    return slopes.addcmul_(normal, along, value=-1).mul_(variance.rsqrt())
