"""Train one kind of network, all seeds side by side, and log its learning curves (Sander et al. 2022, Figure 3)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.adjoint.networks import network_of, solver_of
from resodectl.families.adjoint.training.spec import Point
from resodectl.numerics.draws import TensorPlace
from resodectl.training.images import train_and_test_images
from resodectl.training.networks import Fit, State, train_and_test
from resodectl.training.scalings import STANDARDISED


def simulate(cell: Cell[Point], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """The learning curves of one cell, an epoch at a time."""
    point, place = cell.point, TensorPlace(context.dtype, context.device)
    train, test = train_and_test_images(point.data, context.data_root, place, STANDARDISED[point.data])
    solver = solver_of(point.scheme, point.gradient, point.ablation, point.residual_exponent)
    network = network_of(point.model, point.data, point.depth, point.weights == "tied")
    fit = Fit(network, solver, train, test, point.training, ("training",))
    kept = context.restore()
    if kept is None:
        done, state = 0, State.start(network.initial(lambda name: context.streams("weights", name), place))
    else:
        done, state = kept["done"], State.restored(kept["state"], context.device)
    for epoch in range(done, point.training.epochs):
        found = train_and_test(fit, state, epoch, context)
        yield "curves", {"seed": np.array(cell.seeds), "epoch": epoch + 1, **found.columns()}
        context.save({"done": epoch + 1, "state": state.kept()})
        context.progress((epoch + 1) / point.training.epochs)
