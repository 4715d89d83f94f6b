"""Networks under stochastic gradient descent, one for each seed, side by side, none knowing of the others."""

from typing import Any, NamedTuple, Self

import numpy as np
import torch

from resodectl.experiment.context import Context
from resodectl.numerics.descent import sgd
from resodectl.numerics.networks.network import Network, Params, Solver
from resodectl.training.augmentation import crop_and_flip
from resodectl.training.classifiers import AT_ONCE, evaluate, gradients
from resodectl.training.epochs import run_epoch
from resodectl.training.images import Images
from resodectl.training.settings import SgdTraining, Steps

REFERENCE = 500  # training images whose batch statistics normalise in evaluation
FITTED = 2000  # at most so many training images, the first ones, tell how well a network fits them


class Fit(NamedTuple):
    """A network, and on which images it is trained and how; `labels` tell the streams of a run's phases apart."""

    network: Network
    solver: Solver
    train: Images
    test: Images
    training: SgdTraining
    labels: tuple[str, ...] = ()


class State(NamedTuple):
    """Parameters, and the momenta of those that are trained; both change in place."""

    params: Params
    momenta: Params

    @classmethod
    def start(cls, params: Params, trained: str = "") -> Self:
        """Before the first step of a training of the tensors whose names begin with `trained`."""
        momenta = {name: torch.zeros_like(value) for name, value in params.items() if name.startswith(trained)}
        return cls(params, momenta)

    def kept(self) -> dict[str, Any]:
        """The state as a checkpoint keeps it."""
        return self._asdict()

    @classmethod
    def restored(cls, kept: dict[str, Any], device: torch.device) -> Self:
        """A state as `kept` gave it, back on the device."""
        params, momenta = (moved(kept[name], device) for name in cls._fields)
        return cls(params, momenta)


def moved(params: Params, device: torch.device) -> Params:
    """The same tensors on the device."""
    return {name: value.to(device) for name, value in params.items()}


class Epoch(NamedTuple):
    """What is true after an epoch, for each seed: NaN or infinite losses are how divergence shows."""

    train_loss: np.ndarray
    test_loss: np.ndarray
    test_error: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """The columns of a log of learning curves, with a flag for divergence."""
        finite = np.isfinite(self.train_loss) & np.isfinite(self.test_loss)
        return {**self._asdict(), "diverged": ~finite}


def train_and_test(fit: Fit, state: State, epoch: int, context: Context) -> Epoch:
    """Train for one epoch, in place, then evaluate on the first `FITTED` training images and on the test images."""
    sgd_epoch(fit, state, epoch, context)
    reference = fit.train.inputs[: REFERENCE if fit.network.normalised else 0]
    fitted = Images(*(part[:FITTED] for part in fit.train))
    train_loss, _ = evaluate(fit.network, state.params, fitted, reference, fit.solver, AT_ONCE)
    tested = evaluate(fit.network, state.params, fit.test, reference, fit.solver, AT_ONCE)
    return Epoch(*(values.cpu().numpy() for values in (train_loss, *tested)))


def sgd_epoch(fit: Fit, state: State, epoch: int, context: Context) -> torch.Tensor:
    """Train for one epoch, in place; the mean loss over the batches of each seed, `(seeds,)`.

    The order of the batches and the augmentation depend on the seed and the epoch alone.
    """
    training = fit.training
    order, augmentation = (context.streams(name, *fit.labels, epoch) for name in ("order", "augmentation"))
    lr, constants = learning_rate(training, epoch), sgd.Constants(training.momentum, training.weight_decay)
    names, momenta = list(state.momenta), list(state.momenta.values())
    values = [state.params[name] for name in names]

    def step(inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        loss, slopes = gradients(fit.network, state.params, names, inputs, classes, fit.solver)
        sgd.step(values, slopes, momenta, lr, constants)
        return loss

    augment = crop_and_flip(augmentation, len(fit.train.classes), context.device) if training.augment else None
    return run_epoch(fit.train, training.batch, order, step, augment)


def learning_rate(training: SgdTraining, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0."""
    if isinstance(training.schedule, Steps):
        return sgd.stepped_rate(training.lr, training.schedule.milestones, training.schedule.factor, epoch)
    return sgd.cosine_rate(training.lr, training.epochs, epoch)
