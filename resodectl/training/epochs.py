"""Networks in training, one epoch at a time, for all seeds of a cell at once."""

from typing import NamedTuple

import numpy as np
import torch

from resodectl.experiment.context import Context
from resodectl.numerics.draws import Streams
from resodectl.numerics.networks.network import Network, Params, Solver
from resodectl.training.classifiers import (
    Descent,
    Images,
    batches,
    cosine_rate,
    crop_and_flip,
    descend,
    evaluate,
    gradients,
    stepped_rate,
)
from resodectl.training.settings import Steps, Training

REFERENCE = 500  # training images whose batch statistics normalise in evaluation, and test images at a time


class Fit(NamedTuple):
    """A network, what of it is trained, on which images and how; `label` tells the phases of a run apart."""

    network: Network
    solver: Solver
    train: Images
    test: Images
    training: Training
    label: str


class State(NamedTuple):
    """Parameters, and the momenta of those that are trained; both change in place."""

    params: Params
    momenta: Params


class Epoch(NamedTuple):
    """What an epoch leaves behind, for each seed: NaN or infinite losses are how divergence shows."""

    train_loss: np.ndarray
    test_loss: np.ndarray
    test_error: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """The columns of a log of learning curves, with a flag for divergence."""
        finite = np.isfinite(self.train_loss) & np.isfinite(self.test_loss)
        return {**self._asdict(), "diverged": ~finite}


def at_rest(params: Params, trained: str = "") -> State:
    """The start of a training of the tensors whose name begins with `trained`."""
    return State(params, {name: torch.zeros_like(value) for name, value in params.items() if name.startswith(trained)})


def restored(params: Params, momenta: Params, device: torch.device) -> State:
    """A state as it was kept in a checkpoint, back on the device."""
    moved = ({name: value.to(device) for name, value in kept.items()} for kept in (params, momenta))
    return State(*moved)


def train_epoch(fit: Fit, state: State, epoch: int, context: Context) -> Epoch:
    """Train for one epoch, in place, and test; order of batches and augmentation depend on the seed and the epoch."""
    order, augmentation = (context.streams(name, fit.label, epoch) for name in ("order", "augmentation"))
    train_loss = descended(fit, state, epoch, order, augmentation, context.device)
    return Epoch(train_loss.cpu().numpy(), *tested(fit, state.params))


def descended(
    fit: Fit, state: State, epoch: int, order: Streams, augmentation: Streams, device: torch.device
) -> torch.Tensor:
    """Train for one epoch, in place; the mean loss over the batches of each seed, `(seeds,)`."""
    training, size = fit.training, len(fit.train.classes)
    lr = learning_rate(training, epoch)
    descent = Descent(training.momentum, training.weight_decay)
    names = list(state.momenta)
    values, momenta = [state.params[name] for name in names], list(state.momenta.values())
    augment = crop_and_flip(augmentation, size, device) if training.augment else None
    losses = []
    for chosen in batches(order, size, training.batch, device):
        inputs, classes = fit.train.inputs[chosen], fit.train.classes[chosen]
        inputs = inputs if augment is None else augment(inputs, chosen)
        loss, slopes = gradients(fit.network, state.params, names, inputs, classes, fit.solver)
        descend(values, slopes, momenta, lr, descent)
        losses.append(loss)
    return torch.stack(losses).mean(0)


def tested(fit: Fit, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """The test loss and the test error in per cent of each seed."""
    found = evaluate(fit.network, params, fit.test, fit.train.inputs[:REFERENCE], fit.solver, REFERENCE)
    return found[0].cpu().numpy(), found[1].cpu().numpy()


def learning_rate(training: Training, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0."""
    if isinstance(training.schedule, Steps):
        return stepped_rate(training.lr, training.schedule.milestones, training.schedule.factor, epoch)
    return cosine_rate(training.lr, training.epochs, epoch)
