"""Train convolutional networks with every scale alpha side by side, and compare them with their linearisations.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), Figure 3a.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.lazy.cnn.spec import Point
from resodectl.families.lazy.scaled_training import AT_ONCE, Scaled, State, Trainer, fit_of, network_of
from resodectl.numerics.draws import TensorPlace
from resodectl.numerics.kernels.linearised import frozen_gates, linearised, moved, stability
from resodectl.training.images import train_and_test_images
from resodectl.training.scalings import STANDARDISED


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """A block of rows for each recorded epoch."""
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    scaling = STANDARDISED[point.data]
    train, test = train_and_test_images(point.data, context.data_root, place, scaling, point.images, random=True)
    of = Scaled.draw(
        network_of(point.network, point.data), point.gain, point.alphas, point.centred, point.loss, context
    )
    trainer = Trainer(of, point, point.lr, train, context)
    kept = context.restore()
    done, state = (0, State.start(of.start)) if kept is None else (kept["done"], State.restored(kept, context.device))
    labels = {"alpha": np.tile(point.alphas, len(cell.seeds)), "seed": np.repeat(cell.seeds, of.each)}
    for epoch in range(done, point.epochs[-1] + 1):
        if epoch in point.epochs and (kept is None or epoch > done):
            found = {
                "train_accuracy": fit_of(of, state, train)[1],
                "test_accuracy": fit_of(of, state, test)[1],
                **compared(of, state, test.inputs[: point.probed]),
            }
            yield "networks", {**labels, "epoch": epoch, **{name: value.cpu() for name, value in found.items()}}
        context.save({"done": epoch, **state._asdict()})
        context.progress(epoch / (point.epochs[-1] + 1))
        if epoch < point.epochs[-1]:
            trainer.epoch(state, epoch)


@torch.no_grad()
def compared(of: Scaled, state: State, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far each network has moved from its start, and its outputs from their linearisations, `(runs,)` each."""
    weights = moved(of.start, state.increment, of.alpha)
    same = torch.zeros_like(of.alpha, dtype=torch.float64)
    squares = torch.zeros(3, len(weights), dtype=torch.float64, device=weights.device)
    for part in images.split(AT_ONCE):

        def outputs(w: torch.Tensor, part: torch.Tensor = part) -> torch.Tensor:
            return of.network.outputs(w, part)

        same += stability(outputs, weights, of.start) * len(part)
        straight = linearised(outputs, of.start, state.increment)
        scale = of.alpha.view(-1, 1, 1)
        begun = outputs(of.start)
        gaps = (scale * (outputs(weights) - begun), scale * (frozen_gates(outputs, of.start, weights) - begun))
        differences = (straight, *(gap - straight for gap in gaps))
        squares += torch.stack([values.double().square().sum((1, 2)) for values in differences])
    straight_norm, *rest = squares.sqrt()
    finite = state.increment.isfinite().all(1)
    return {
        "stability": torch.where(finite, same / len(images), torch.nan),
        "movement": state.increment.double().norm(dim=1),
        "linearised_gap": rest[0] / straight_norm,
        "frozen_gap": rest[1] / straight_norm,
        "diverged": ~finite,
    }
