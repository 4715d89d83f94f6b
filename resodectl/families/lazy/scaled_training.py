"""Networks under stochastic gradient descent on R(alpha h) / alpha^2, side by side, in increments of their weights.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956). In u = alpha (w - w0) that is descent on R itself, with the same
learning rate for each alpha; see `numerics.kernels.linearised`. The runs of a seed differ in alpha alone: they start
with the same weights and see the same images in the same order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F

from resodectl.experiment.context import Context
from resodectl.families.lazy.rectified_settings import Fitting, Loss, NetworkChoice
from resodectl.numerics.descent import sgd
from resodectl.numerics.kernels.linearised import scaled
from resodectl.numerics.networks.rectified import Plain, Rectified, Residual, xavier
from resodectl.training.augmentation import crop_and_flip
from resodectl.training.epochs import batches
from resodectl.training.images import Images
from resodectl.training.settings import CLASSES, SHAPES

AT_ONCE = 500  # images of an evaluation


def network_of(choice: NetworkChoice, data: str) -> Rectified:
    """The network that a recipe asks for, for the images of a data set."""
    channels, side, _ = SHAPES[data]
    if choice.kind == "plain":
        return Plain(channels, CLASSES, choice.groups, side)
    return Residual(channels, CLASSES, choice.stages)


class State(NamedTuple):
    """The increments u and their momenta, `(runs, size)`; both change in place."""

    increment: torch.Tensor
    momentum: torch.Tensor

    @classmethod
    def start(cls, weights: torch.Tensor) -> Self:
        """Before the first step."""
        return cls(torch.zeros_like(weights), torch.zeros_like(weights))

    @classmethod
    def restored(cls, kept: Mapping[str, Any], device: torch.device) -> Self:
        """A state from a checkpoint that has its fields, back on the device."""
        return cls(*(kept[name].to(device) for name in cls._fields))


@dataclass(frozen=True)
class Scaled:
    """What is trained.

    Attributes:
        start: the weights w0, `(runs, size)`: those of the first seed with each alpha, then those of the second.
        alpha: `(runs,)`.
        each: how many runs a seed has.
        centred: whether h(w0) is taken out of the outputs.
    """

    network: Rectified
    start: torch.Tensor
    alpha: torch.Tensor
    each: int
    centred: bool
    loss: Loss

    @classmethod
    def draw(
        cls, network: Rectified, gain: float, alphas: tuple[float, ...], centred: bool, loss: Loss, context: Context
    ) -> Self:
        """Networks of Xavier's law, one for each seed and alpha."""
        weights = xavier(network, lambda name: context.streams(name), gain).to(context.device, context.dtype)
        start = weights.repeat_interleave(len(alphas), 0)
        alpha = torch.tensor(alphas, dtype=context.dtype, device=context.device).repeat(len(weights))
        return cls(network, start, alpha, len(alphas), centred, loss)

    @torch.no_grad()
    def at_start(self, images: torch.Tensor) -> torch.Tensor:
        """What is taken out of the outputs of images `(n, ...)` or `(seeds, n, ...)`, `(seeds, n, classes)`: h(w0), or
        zero if the model is not centred."""
        first = self.start[:: self.each]
        if self.centred:
            return self.network.outputs(first, images)
        return first.new_zeros(len(first), images.shape[-4], CLASSES)

    def outputs(self, increment: torch.Tensor, images: torch.Tensor, at_start: torch.Tensor) -> torch.Tensor:
        """The scaled outputs `(runs, n, classes)`, differentiable in the increment, of images `(n, ...)` or
        `(seeds, n, ...)`."""
        if images.dim() == 5:
            images = images.repeat_interleave(self.each, 0)
        taken_out = at_start.repeat_interleave(self.each, 0)
        return scaled(lambda w: self.network.outputs(w, images), self.start, increment, self.alpha, taken_out)

    def losses(self, outputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """R of each run, `(runs,)`: outputs `(runs, n, classes)`, classes `(runs, n)`."""
        if self.loss == "mse":
            return (outputs - F.one_hot(classes, CLASSES).to(outputs)).square().mean((1, 2))
        entropies = F.cross_entropy(outputs.flatten(0, 1), classes.flatten(), reduction="none")
        return entropies.view(classes.shape).mean(1)


class Trainer:
    """Trains in place; order and augmentation of the images depend on the seed and the epoch alone."""

    def __init__(self, of: Scaled, fitting: Fitting, lr: float, images: Images, context: Context) -> None:
        self._of, self._fitting, self._lr, self._images, self._context = of, fitting, lr, images, context
        self._at_start = None if fitting.augment else at_start_of_all(of, images)

    def epoch(self, state: State, epoch: int) -> None:
        """Train for the epoch of this number, counted from 0."""
        of, images, context = self._of, self._images, self._context
        size, device = len(images.classes), images.classes.device
        lr = self._lr / (1 + epoch / self._fitting.lr_halved_at)
        constants = sgd.Constants(self._fitting.momentum)
        seeds = torch.arange(len(context.seeds), device=device).unsqueeze(1)
        augment = crop_and_flip(context.streams("augmentation", epoch), size, device) if self._fitting.augment else None
        for chosen in batches(context.streams("order", epoch), size, self._fitting.batch, device):
            inputs, classes = images.inputs[chosen], images.classes[chosen]
            if augment is not None:
                inputs = augment(inputs, chosen)
            begun = of.at_start(inputs) if self._at_start is None else self._at_start[seeds, chosen]
            leaf = state.increment.detach().requires_grad_()
            loss = of.losses(of.outputs(leaf, inputs, begun), classes.repeat_interleave(of.each, 0))
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            sgd.step([state.increment], [gradient], [state.momentum], lr, constants)


def at_start_of_all(of: Scaled, images: Images) -> torch.Tensor:
    """h(w0), or zero, on all images, `(seeds, n, classes)`."""
    return torch.cat([of.at_start(inputs) for inputs in images.inputs.split(AT_ONCE)], 1)


@torch.no_grad()
def fit_of(of: Scaled, state: State, images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss R and the share of right answers of each run, `(runs,)`; answers are those of the scaled outputs."""
    loss, right = (torch.zeros_like(of.alpha, dtype=torch.float64) for _ in range(2))
    for inputs, classes in zip(images.inputs.split(AT_ONCE), images.classes.split(AT_ONCE), strict=True):
        outputs = of.outputs(state.increment, inputs, of.at_start(inputs))
        loss += of.losses(outputs, classes.expand(len(outputs), -1)).double() * len(classes)
        right += ((outputs.argmax(2) == classes) & outputs.isfinite().all(2)).sum(1)
    return loss / len(images.classes), right / len(images.classes)
