"""The smooth margin S(p) = -log(mean_i exp(-p_i)) of the margins p_i = y_i f(x_i), taken in logarithms.

It lies between the least margin and the least margin plus log n. Ascent on S is descent on the exponential loss with
every step divided by the loss: it does not slow down as the data is fitted (Chizat & Bach 2020, arXiv 2002.04486).
"""

import math

import torch


def smooth_margin(margins: torch.Tensor) -> torch.Tensor:
    """S of margins `(..., n)`, in the shape `(...)`; finite for margins of any finite size.

    >>> smooth_margin(torch.tensor([[1.0, 1.0], [-1e6, 1e6]], dtype=torch.float64))
    tensor([ 1.0000e+00, -1.0000e+06], dtype=torch.float64)
    """
    return math.log(margins.shape[-1]) - torch.logsumexp(-margins, -1)


def softmin(margins: torch.Tensor) -> torch.Tensor:
    """The derivatives of S by the margins, `(..., n)`: exp(-p_i) / sum_l exp(-p_l), which add up to one.

    >>> softmin(torch.tensor([0.0, 0.0, 1e6]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    return torch.softmax(-margins, -1)
