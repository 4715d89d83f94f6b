"""Many residual classifiers under Adam, side by side: each network has its own learning rate and scale of its layers.

Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figures 8 and 9. The networks of a seed see the same batches in
the same order, so that they differ by what is asked of them alone.
"""

import math
from typing import Any, NamedTuple, Self

import torch

from resodectl.experiment.context import Context
from resodectl.numerics.descent import adam
from resodectl.numerics.draws import uniform
from resodectl.numerics.networks.residual_classifiers import Classifiers, Tape, correct, gradients, logits
from resodectl.training.classifiers import AT_ONCE
from resodectl.training.epochs import run_epoch
from resodectl.training.images import Images
from resodectl.training.settings import CLASSES, AdamTraining

LEADING = (0, 1, 0)  # axes of stem, layers and head before that of the networks


class Fit(NamedTuple):
    """What the networks learn from and how: flat images, `scales` and `lrs` with alpha and the learning rate of each
    network, `(networks,)`, and `biases`, which says whether its layers have biases that are trained."""

    train: Images
    test: Images
    training: AdamTraining
    scales: torch.Tensor
    lrs: torch.Tensor
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


def adam_epoch(fit: Fit, state: State, epoch: int, context: Context) -> torch.Tensor:
    """Train for one epoch, in place; the mean training loss of each network over its batches, `(networks,)`."""
    lrs = fit.lrs * fit.training.lr_factor(epoch)
    tape = Tape(state.networks, fit.training.batch, fit.biases)

    def step(images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        loss, slopes = gradients(state.networks, fit.scales, images, classes, tape)
        adam.step(state.networks, slopes, state.moments, lrs, leading=LEADING)
        return loss

    return run_epoch(fit.train, fit.training.batch, context.streams("order", epoch), step)


def accuracy(fit: Fit, networks: Classifiers) -> torch.Tensor:
    """The share of right answers on the test set, `(networks,)`; logits that are not finite are no answer."""
    right = torch.zeros(len(networks.stem), dtype=torch.int64, device=fit.scales.device)
    for images, classes in zip(fit.test.inputs.split(AT_ONCE), fit.test.classes.split(AT_ONCE), strict=True):
        right += correct(logits(networks, fit.scales, images.unsqueeze(0)), classes)
    return right.double() / len(fit.test.classes)
