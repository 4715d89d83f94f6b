"""What the weights of importance sampling tell of their mean: error, variance, largest weight, sample size, tail.

Weights are given by their logarithms, `(..., samples)`, and may be 0 (-inf). Samples that are NaN are left out and
counted. The standard errors are not given where theory says that they mean nothing, by the index k of the tail:
the mean of so many weights is practicable up to a certain k (Vehtari et al., Pareto smoothed importance sampling, JMLR
25, 2024), and the squares of the weights have the index 2 k.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

TAIL_SHARE, TAIL_ROOTS = 0.2, 3.0  # the tail is a fifth of the samples, or three times their root if that is fewer
FEWEST = 5  # weights of a tail from which its index is known
PRIOR_SIZE, PRIOR_INDEX = 10, 0.5  # the index is drawn towards 1/2, by as much as ten weights of the tail would
LIGHTEST = 1e-290  # of the largest excess: smaller quartiles of a tail are taken for this


class Diagnostics(NamedTuple):
    """What the weights w of each row tell; all `(...)`. Errors are standard errors."""

    log_mean: Tensor  # log of the mean of w
    mean_error: Tensor  # of the mean, over the mean; NaN where the tail is too heavy for it
    variance: Tensor  # Var(w) / mean^2, with 1 / n
    variance_error: Tensor  # of that variance at the given mean; NaN where the tail is too heavy for it
    largest_share: Tensor  # the largest weight over the sum of all
    ess: Tensor  # effective sample size (sum w)^2 / sum w^2
    nans: Tensor  # samples that are NaN
    tail_index: Tensor  # k of the generalised Pareto law of the largest weights


def diagnose(log_weights: Tensor) -> Diagnostics:
    """The diagnostics of each row of weights `(..., samples)`.

    >>> found = diagnose(torch.tensor([1.0, 3.0, 0.0]).log())
    >>> [round(value.item(), 3) for value in (found.log_mean.exp(), found.variance, found.largest_share, found.ess)]
    [1.333, 0.875, 0.75, 1.6]
    """
    known = ~log_weights.isnan()
    logs = torch.where(known, log_weights, -math.inf)
    count = known.to(log_weights).sum(-1)
    total = logs.logsumexp(-1)
    log_mean = total - count.log()
    ratios = (logs - log_mean.unsqueeze(-1)).exp()  # w / mean
    squares = torch.where(known, (ratios - 1).square(), 0.0)
    variance = squares.sum(-1) / count
    spread = torch.where(known, (squares - variance.unsqueeze(-1)).square(), 0.0).sum(-1) / count
    index = tail_index(log_weights)
    practicable = (1 - 1 / count.log10().clamp_min(1.0)).clamp_max(0.7)
    return Diagnostics(
        log_mean,
        torch.where(index < practicable, (variance / (count - 1)).sqrt(), math.nan),
        variance,
        torch.where(2 * index < practicable, (spread / (count - 1)).sqrt(), math.nan),
        (logs.amax(-1) - total).exp(),
        count / (1 + variance),
        log_weights.shape[-1] - count,
        index,
    )


class Relative(NamedTuple):
    """Mean and variance in units of the exact mean R, with standard errors; all `(...)`."""

    mean: Tensor  # mean(w) / R
    mean_error: Tensor
    variance: Tensor  # Var(w) / R^2
    variance_error: Tensor


def relative(found: Diagnostics, log_reference: float) -> Relative:
    """Mean and variance over an exact mean, of which the logarithm is given.

    >>> relative(diagnose(torch.tensor([1.0, 3.0]).log()), math.log(4.0)).mean.item()
    0.5
    """
    mean = (found.log_mean - log_reference).exp()
    square = mean.square()
    return Relative(mean, mean * found.mean_error, square * found.variance, square * found.variance_error)


def tail_index(log_weights: Tensor) -> Tensor:
    """The index k of the largest weights of each row `(..., samples)`: moments of order 1 / k and above are infinite.

    A generalised Pareto law is fitted to the excesses over a high threshold, by the empirical Bayes estimate of
    Zhang & Stephens (Technometrics 51, 2009), with the weak prior at 1/2 of Pareto smoothed importance sampling.

    Returns:
        `(...)`; NaN with fewer than 25 samples, -inf where the largest weights are all the same.
    """
    samples = log_weights.shape[-1]
    size = math.ceil(min(TAIL_SHARE * samples, TAIL_ROOTS * math.sqrt(samples)))
    if size < FEWEST:
        return log_weights.new_full(log_weights.shape[:-1], math.nan)
    logs = torch.where(log_weights.isnan(), -math.inf, log_weights)
    top = logs.topk(size + 1, -1).values.flip(-1)
    scaled = (top - top[..., -1:]).exp()
    excesses = scaled[..., 1:] - scaled[..., :1]
    index = _pareto_index(excesses.clamp_min(0.0))
    index = (size * index + PRIOR_SIZE * PRIOR_INDEX) / (size + PRIOR_SIZE)
    return torch.where(excesses[..., -1] > 0, index, torch.where(top[..., -1] == -math.inf, math.nan, -math.inf))


def _pareto_index(excesses: Tensor) -> Tensor:
    """k of a generalised Pareto law from excesses `(..., size)` in rising order; see Zhang & Stephens."""
    size, largest = excesses.shape[-1], excesses[..., -1:]
    grid = 30 + math.isqrt(size)
    quartile = excesses[..., math.floor(size / 4 + 0.5) - 1, None].clamp_min(LIGHTEST * largest)
    places = torch.arange(1, grid + 1, dtype=excesses.dtype, device=excesses.device)
    theta = 1 / largest + (1 - (grid / (places - 0.5)).sqrt()) / (3 * quartile)  # (..., grid)
    slopes = torch.log1p(-theta.unsqueeze(-1) * excesses.unsqueeze(-2)).mean(-1)
    likelihood = size * ((-theta / slopes).log() - slopes - 1)
    mean = (likelihood.softmax(-1) * theta).sum(-1, keepdim=True)
    return torch.log1p(-mean * excesses).mean(-1)
