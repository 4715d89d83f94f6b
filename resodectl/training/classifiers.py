"""Cross-entropy of networks that run side by side, one for each seed: losses, gradients, and tests."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from resodectl.numerics.networks.network import Network, Params, Solver
from resodectl.training.images import Images

AT_ONCE = 500  # test images


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
