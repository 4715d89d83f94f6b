"""Training residual classifiers side by side: one learning rate and one scale of the layers for each network.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figures 8 and 9: Adam on the cross-entropy. The networks of a
seed see the same batches in the same order, drawn anew every epoch from streams, so that they differ by what is asked
of them alone.
"""

import math
from typing import Any, NamedTuple, Self

import torch

from resodectl.experiment.context import Context
from resodectl.families.scaling.flat_images import FlatImages
from resodectl.families.scaling.trained import Training
from resodectl.numerics.descent import adam
from resodectl.numerics.draws import uniform
from resodectl.numerics.networks.residual_classifiers import Classifiers, Tape, correct, gradients, logits
from resodectl.training.classifiers import batches

CLASSES = 10
AT_ONCE = 500  # test images
LEADING = (0, 1, 0)  # axes of stem, layers and head before that of the networks


class Fit(NamedTuple):
    """What the networks learn from and how; `scales` and `rates` are alpha and the learning rate of each network, and
    `biases` says whether its layers have biases that are trained."""

    train: FlatImages
    test: FlatImages
    training: Training
    scales: torch.Tensor
    rates: torch.Tensor
    biases: bool


class State(NamedTuple):
    """The networks and what Adam remembers of them; all change in place."""

    networks: Classifiers
    moments: adam.Moments

    @classmethod
    def start(cls, networks: Classifiers) -> Self:
        """Before the first step."""
        return cls(networks, adam.at_rest(networks, (len(networks.stem),)))

    def kept(self) -> dict[str, Any]:
        """The state as a checkpoint keeps it."""
        return {"networks": self.networks._asdict(), "moments": self.moments.kept()}

    @classmethod
    def restored(cls, kept: dict[str, Any], device: torch.device) -> Self:
        """A state as `kept` gave it, back on the device."""
        networks = Classifiers(**{name: tensor.to(device) for name, tensor in kept["networks"].items()})
        return cls(networks, adam.restored(kept["moments"], device))


def stem_and_head(context: Context, dim: int, pixels: int, each: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A and B with uniform entries of variance 1 / fan-in, drawn once a seed and given to all its `each` networks."""
    drawn = []
    for name, shape in (("stem", (dim, pixels)), ("head", (CLASSES, dim))):
        bound = math.sqrt(3 / shape[1])
        tensor = uniform(context.streams("weights", name), shape, -bound, bound, context.dtype, context.device)
        drawn.append(tensor.repeat_interleave(each, 0))
    return drawn[0], drawn[1]


def train_epoch(fit: Fit, state: State, epoch: int, context: Context) -> torch.Tensor:
    """Train for one epoch, in place; the mean training loss of each network over its batches, `(networks,)`."""
    rates = fit.rates * fit.training.lr_factor(epoch)
    tape = Tape(state.networks, fit.training.batch, fit.biases)
    losses = []
    orders = batches(context.streams("order", epoch), len(fit.train.classes), fit.training.batch, context.device)
    for chosen in orders:
        images, classes = fit.train.pixels[chosen], fit.train.classes[chosen]
        loss, slopes = gradients(state.networks, fit.scales, images, classes, tape)
        adam.step(state.networks, slopes, state.moments, rates, leading=LEADING)
        losses.append(loss)
    return torch.stack(losses).mean(0)


def accuracy(fit: Fit, networks: Classifiers) -> torch.Tensor:
    """The share of right answers on the test set, `(networks,)`; logits that are not finite are no answer."""
    right = torch.zeros(len(networks.stem), dtype=torch.int64, device=fit.scales.device)
    for pixels, classes in zip(fit.test.pixels.split(AT_ONCE), fit.test.classes.split(AT_ONCE), strict=True):
        right += correct(logits(networks, fit.scales, pixels.unsqueeze(0)), classes)
    return right.double() / len(fit.test.classes)
