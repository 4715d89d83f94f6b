"""Stochastic gradient descent for networks that run side by side, one for each seed, none knowing of the others.

SGD as in torch.optim.SGD (momentum without dampening or Nesterov, weight decay in the gradient). Each seed has its own
order of batches and its own augmentation, drawn anew every epoch from streams: resuming needs no generator's state.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from resodectl.numerics.draws import Streams
from resodectl.numerics.networks.network import Network, Params, Solver

PADDING = 4  # pixels added on each side before the random crop


class Images(NamedTuple):
    """Images `(n, channels, height, width)` and their classes `(n,)`."""

    inputs: torch.Tensor
    classes: torch.Tensor


class Descent(NamedTuple):
    """The constants of SGD."""

    momentum: float = 0.9
    weight_decay: float = 0.0


def losses(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of each seed, `(seeds,)`, in nats: logits `(seeds, batch, classes)`."""
    return F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none").view(classes.shape).mean(1)


def gradients(
    network: Network,
    params: Params,
    trained: Sequence[str],
    inputs: torch.Tensor,
    classes: torch.Tensor,
    solver: Solver,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss of each seed and the gradients of the tensors `trained`; those of a seed are of its own loss alone."""
    leaves = {name: params[name].detach().requires_grad_() for name in trained}
    loss = losses(network.logits({**params, **leaves}, inputs, solver), classes)
    return loss.detach(), list(torch.autograd.grad(loss.sum(), list(leaves.values())))


def descend(
    values: list[torch.Tensor], slopes: list[torch.Tensor], momenta: list[torch.Tensor], lr: float, descent: Descent
) -> None:
    """One step of SGD, in place: m <- momentum m + g + decay p, then p <- p - lr m."""
    if descent.weight_decay:
        slopes = list(torch._foreach_add(slopes, values, alpha=descent.weight_decay))
    torch._foreach_mul_(momenta, descent.momentum)
    torch._foreach_add_(momenta, slopes)
    torch._foreach_add_(values, momenta, alpha=-lr)


def stepped_rate(lr: float, milestones: Sequence[int], factor: float, epoch: int) -> float:
    """The learning rate of `epoch` (from 0): `lr`, multiplied by `factor` at each milestone."""
    return lr * factor ** sum(epoch >= milestone for milestone in milestones)


def cosine_rate(lr: float, epochs: int, epoch: int) -> float:
    """The learning rate of `epoch` (from 0) annealed to zero after `epochs` (Loshchilov & Hutter 2017, no restart)."""
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


def batches(streams: Streams, size: int, batch: int, device: torch.device | str) -> Iterator[torch.Tensor]:
    """One epoch: index tensors `(seeds, batch)` that go once through `size` examples, in an own order for each seed.

    A last batch of fewer than `batch` examples is served too.
    """
    orders = torch.from_numpy(np.stack([stream.permutation(size) for stream in streams])).to(device)
    yield from orders.split(batch, dim=1)


def crop_and_flip(
    streams: Streams, size: int, device: torch.device | str
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The augmentation of one epoch: images shifted by up to 4 pixels, filled with zeros, and mirrored by chance.

    Returns a function of images `(seeds, batch, channels, height, width)` and their indices `(seeds, batch)`.
    """
    drawn = [(stream.integers(0, 2 * PADDING + 1, (2, size)), stream.integers(0, 2, size)) for stream in streams]
    shifts = torch.from_numpy(np.stack([shift for shift, _ in drawn])).to(device)
    flips = torch.from_numpy(np.stack([flip for _, flip in drawn])).to(device)

    def augment(images: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        seeds, batch, _, height, width = images.shape
        down, right = (shifts[:, axis].gather(1, chosen)[..., None] for axis in (0, 1))
        mirrored = flips.gather(1, chosen)[..., None].bool()
        rows = down + torch.arange(height, device=device)
        columns = torch.arange(width, device=device)
        columns = right + torch.where(mirrored, width - 1 - columns, columns)
        padded = F.pad(images, [PADDING] * 4)
        seed = torch.arange(seeds, device=device)[:, None, None, None]
        example = torch.arange(batch, device=device)[:, None, None]
        return padded[seed, example, :, rows[..., :, None], columns[..., None, :]].permute(0, 1, 4, 2, 3)

    return augment


@torch.no_grad()
def evaluate(
    network: Network, params: Params, test: Images, reference: torch.Tensor, solver: Solver, batch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean test loss and the test error in per cent of each seed, `(seeds,)` each.

    Batch normalisation uses the statistics of the fixed training images `reference`, which pass in the same batch:
    no running averages are kept, and the result does not depend on how the test set is cut. NaN logits count as errors.
    """
    seeds = len(params["head.weight"])
    total, wrong = (torch.zeros(seeds, dtype=reference.dtype, device=reference.device) for _ in range(2))
    for inputs, classes in zip(test.inputs.split(batch), test.classes.split(batch), strict=True):
        both = torch.cat([reference, inputs]).expand(seeds, *[-1] * inputs.dim())
        logits = network.logits(params, both, solver, len(reference))[:, len(reference) :]
        answers = classes.expand(seeds, -1)
        total += losses(logits, answers) * len(classes)
        right = (logits.argmax(2) == answers) & logits.isfinite().all(2)
        wrong += (~right).sum(1)
    return total / len(test.classes), 100 * wrong / len(test.classes)
