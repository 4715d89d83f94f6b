"""One method at one target: independent estimates at the budget, what their weights tell, and what they have not seen.

Cao & Vanden-Eijnden 2022 (arXiv 2206.09908), section 4. Queries are those that this programme makes: 1 of U1 by a
vanilla sample; 2 (K + 1) of U1 and its gradient by an annealed sample with Langevin moves; of a flow, N + 1 of U1 by a
sample along a path (4 N by the joint ODE), and those of its training, which every estimate is charged with.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resodectl.experiment.cells import Cell
from resodectl.experiment.context import Context
from resodectl.families.neis.comparison.flow import Learned, learn
from resodectl.families.neis.comparison.spec import VANILLA, WARNED, Annealing, LangevinMoves, Point
from resodectl.families.neis.targets import target_of
from resodectl.numerics.draws import normal, uniform
from resodectl.numerics.sampling.annealed import Hamiltonian, Langevin, Moves, anneal, queries
from resodectl.numerics.sampling.coverage import Share, backwards, unseen
from resodectl.numerics.sampling.diagnostics import Diagnostics, Relative, diagnose, relative
from resodectl.numerics.sampling.flows import path
from resodectl.numerics.sampling.targets import Target, log_base

GRID = 61  # places a side in the picture of U1
NODES = 21  # of a flow line in the picture
AT_ONCE, CARRIED = 200_000, 20_000  # samples that are drawn at once; those whose paths are kept

Rows = tuple[str, dict[str, Any]]


class Stream:
    """Random tensors of one seed, one after the other."""

    def __init__(self, generator: np.random.Generator, context: Context) -> None:
        self.generator, self.place = generator, (context.dtype, context.device)

    def normal(self, x: Tensor) -> Tensor:
        return normal([self.generator], x.shape, *self.place)[0]

    def uniform(self, x: Tensor) -> Tensor:
        return uniform([self.generator], x.shape, 0.0, 1.0, *self.place)[0]

    def base(self, *shape: int) -> Tensor:
        """Samples of the normal base."""
        return normal([self.generator], shape, *self.place)[0]


def simulate(cell: Cell[Point], context: Context) -> Iterator[Rows]:
    """The estimates of one method; for a flow, the picture of it as well."""
    point, example = cell.point, cell.point.example
    target = target_of(example.target, context)
    of_run = {"example": example.name, "method": point.method, "seed": cell.seeds[0]}
    (generator,) = context.streams(example.name, point.method)
    stream = Stream(generator, context)
    budget = int(example.budget / example.reduction)
    learned, each, training, acceptance = None, 1, 0.0, torch.tensor(math.nan)
    if point.annealing is not None:
        annealing, moves = point.annealing, moves_of(point.annealing)
        each, accepted = queries(annealing.levels, moves), []

        def annealed(x: Tensor) -> Tensor:
            found = anneal(target, x, annealing.levels, moves, stream, point.ablation)
            accepted.append(found.acceptance * x.shape[1])
            return found.log_weight

        logs = _in_pieces(annealed, stream, target, point.repeats, budget // each).unsqueeze(0)
        acceptance = torch.stack(accepted).sum(0) / logs.shape[2]
    elif point.method == VANILLA:
        logs = _in_pieces(partial(_vanilla, target), stream, target, point.repeats, budget).unsqueeze(0)
    else:
        learned = learn(example, point.collapse, target, context)
        each, training = learned.queries_each, learned.queries / example.reduction
        left = max(2, int(example.budget / example.reduction - training) // each)
        logs = _in_pieces(learned.log_weights, stream, target, example.trainings, point.repeats * left, CARRIED)
        logs = logs.unflatten(1, (point.repeats, left))
    check = _check(point, target, logs, learned, stream)
    more = {"acceptance": acceptance, "warned": check["warned"].repeat_interleave(point.repeats)}
    yield _estimates(of_run, target, logs, each, training, more)
    yield _weights(of_run, target, logs)
    yield "warnings", of_run | check
    flow = int(check["warned"].long().argmin())  # the first that is not warned of, or the first of all
    yield from _picture(of_run, target, point, learned, flow, stream)


def moves_of(annealing: Annealing) -> Moves:
    """The moves that a recipe names."""
    moves = annealing.moves
    return Langevin(moves.step) if isinstance(moves, LangevinMoves) else Hamiltonian(moves.step, moves.leaps)


def _vanilla(target: Target, x: Tensor) -> Tensor:
    """log e^{U0 - U1} of samples of the base."""
    return target.log_density(x) - log_base(x)


def _in_pieces(
    log_weights: Callable[[Tensor], Tensor],
    stream: Stream,
    target: Target,
    runs: int,
    samples: int,
    at_once: int = AT_ONCE,
) -> Tensor:
    """The logarithms of the weights of fresh samples of the base, `(runs, samples)`, not all of them at once."""
    part = max(1, at_once // runs)
    sizes = [min(part, samples - first) for first in range(0, samples, part)]
    return torch.cat([log_weights(stream.base(runs, size, target.dim)) for size in sizes], 1)


def _estimates(
    of_run: dict[str, Any], target: Target, logs: Tensor, each: int, training: float, more: dict[str, Any]
) -> Rows:
    """Rows of the estimates of weights `(trainings, repeats, samples)`, and what `more` is known of each."""
    trainings, repeats, samples = logs.shape
    found = diagnose(logs)
    return "estimates", {
        **of_run,
        "training": np.arange(trainings).repeat(repeats),
        "repeat": np.tile(np.arange(repeats), trainings),
        "log_estimate": found.log_mean.flatten().double(),
        "log_exact": math.nan if target.ratio is None else math.log(target.ratio),
        "samples": samples,
        "queries": training + samples * each,
        "training_queries": training,
        "queries_each": each,
        "variance": _relative(found, target).variance.flatten().double(),
        **more,
    }


def _weights(of_run: dict[str, Any], target: Target, logs: Tensor) -> Rows:
    """Rows of what the weights of all estimates of a training tell."""
    found = diagnose(logs.flatten(1))
    of_exact = _relative(found, target)
    return "weights", {
        **of_run,
        "training": np.arange(logs.shape[0]),
        "mean": math.nan if target.ratio is None else of_exact.mean.double(),
        "mean_error": of_exact.mean_error.double(),
        "variance": of_exact.variance.double(),
        "largest_share": found.largest_share.double(),
        "ess": found.ess.double(),
        "weights_seen": (logs.shape[1] * logs.shape[2] - found.nans).long(),
        "nans": found.nans.long(),
        "tail_index": found.tail_index.double(),
    }


def _relative(found: Diagnostics, target: Target) -> Relative:
    """Mean and variance in units of R; in units of their own mean where nobody knows R."""
    if target.ratio is not None:
        return relative(found, math.log(target.ratio))
    return Relative(torch.ones_like(found.variance), found.mean_error, found.variance, found.variance_error)


def _check(point: Point, target: Target, logs: Tensor, learned: Learned | None, stream: Stream) -> dict[str, Any]:
    """What an independent annealing tells of each training, a row each; what annealing has not seen is not known."""
    trainings, chains, annealing = logs.shape[0], point.check.chains, point.check.annealing
    found = anneal(target, stream.base(trainings, chains, target.dim), annealing.levels, moves_of(annealing), stream)
    made = found.queries
    log_biased = _vanilla(target, found.x)  # without a flow, samples of the target are those of the base, biased by A
    if learned is not None:
        x = backwards(learned.velocity, found.x, stream.uniform(found.log_weight), learned.time_steps, learned.start)
        log_biased = learned.log_weights(x)
        made += learned.queries_each
    run, annealed = diagnose(logs.flatten(1)), diagnose(found.log_weight)
    share = unseen(logs.flatten(1).nan_to_num(-math.inf, math.inf, -math.inf).amax(1), log_biased, found.log_weight)
    warned = ~(share.value <= WARNED)  # also where the check failed, so that nothing is known
    if point.annealing is not None:
        share, warned = Share(share.value * math.nan, share.error * math.nan), torch.zeros_like(warned)
    return {
        "training": np.arange(trainings),
        "mean": math.nan if target.ratio is None else _relative(run, target).mean.double(),
        "warned": warned,
        "unseen_share": share.value.double(),
        "unseen_error": share.error.double(),
        "annealed_ratio": (annealed.log_mean - run.log_mean).exp().double(),
        "annealed_error": (annealed.variance / chains).sqrt().double(),
        "annealed_ess": annealed.ess.double(),
        "check_queries": float(chains * made),
    }


def _picture(
    of_run: dict[str, Any], target: Target, point: Point, learned: Learned | None, flow: int, stream: Stream
) -> Iterator[Rows]:
    """-U1 in the plane of the first two coordinates, and lines of one trained flow; without a flow, a place stands."""
    x, y = (torch.linspace(*of, GRID).to(stream.base(1)) for of in point.example.view)
    places = torch.zeros(GRID, GRID, target.dim).to(x)
    places[..., 0], places[..., 1:2] = x.unsqueeze(1), y.unsqueeze(1)
    yield (
        "potential",
        {
            **of_run,
            "x": x.repeat_interleave(GRID).double(),
            "y": y.repeat(GRID).double(),
            "log_density": target.log_density(places).flatten().double(),
        },
    )
    lines = 1 if learned is None else point.lines
    starts = stream.base(point.example.trainings, lines, target.dim)
    if learned is None:
        nodes = starts[0].expand(NODES, -1, -1)
    else:
        nodes = path(learned.velocity, starts, learned.time_steps)[:, flow]  # (2 steps + 1, lines, dim)
    kept = nodes[torch.linspace(0, len(nodes) - 1, NODES).round().long()].transpose(0, 1)
    yield (
        "lines",
        {
            **of_run,
            "line": np.arange(lines).repeat(NODES),
            "node": np.tile(np.arange(NODES), lines),
            "x": kept[..., 0].flatten().double(),
            "y": (kept[..., 1] if target.dim > 1 else torch.zeros_like(kept[..., 0])).flatten().double(),
        },
    )
