"""Residual networks that classify, many of them side by side: forward pass, loss and gradients without autograd.

h_0 = A x, h_{k+1} = h_k + alpha (V_k relu(h_k) + b_k), logits B h_L: the network `res-1` of Marion, Fermanian, Biau &
Vert 2022 (arXiv 2206.06929), with one alpha for each network. With p_k = dl/dh_k the backward pass is
p_k = p_{k+1} + alpha 1[h_k > 0] * V_k^T p_{k+1} and dl/dV_k = alpha p_{k+1} relu(h_k)^T, dl/db_k = alpha p_{k+1}.
So V_k and b_k are kept as one matrix, which acts on relu(h_k) with a constant below it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

ALIGNED = 16  # matrices are widened by zeros to multiples of this: products of 30 columns take longer than of 32


class Classifiers(NamedTuple):
    """The weights of networks side by side; those of one seed stand together and see the same images.

    Shapes: stem `(networks, dim, pixels)`, layers `(depth, networks, dim, columns)`, head `(networks, classes, dim)`.
    The columns of a layer are those of V_k, then b_k, then zeros.
    """

    stem: torch.Tensor
    layers: torch.Tensor
    head: torch.Tensor

    @property
    def matrices(self) -> torch.Tensor:
        """V_k, `(depth, networks, dim, dim)`."""
        return self.layers[..., : self.layers.shape[2]]


def unbiased(stem: torch.Tensor, matrices: torch.Tensor, head: torch.Tensor) -> Classifiers:
    """Networks with the given V_k, `(depth, networks, dim, dim)`, and biases b_k of zero."""
    dim = matrices.shape[-1]
    return Classifiers(stem, F.pad(matrices, (0, -(-(dim + 1) // ALIGNED) * ALIGNED - dim)), head)


class Tape:
    """Memory for gradients, taken once for all steps of a training: fresh memory in every step would double its time.

    Args:
        batch: the largest number of images in a batch.
        biases: whether the biases are trained; else they stay as they are, and must be zero.
    """

    def __init__(self, networks: Classifiers, batch: int, biases: bool) -> None:
        layers = networks.layers
        self.seen = _room(networks, len(layers), batch, float(biases))
        self.scaled, self.slopes = torch.empty_like(layers), torch.empty_like(layers)


def logits(networks: Classifiers, scales: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """`(networks, classes, batch)`, of the alpha of each network, `(networks,)`; images `(seeds, batch, pixels)`."""
    scaled = networks.layers * scales.view(-1, 1, 1)
    return networks.head @ _propagate(networks, scaled, images, _room(networks, 1, images.shape[1], 1.0))


def gradients(
    networks: Classifiers, scales: torch.Tensor, images: torch.Tensor, classes: torch.Tensor, tape: Tape
) -> tuple[torch.Tensor, Classifiers]:
    """The mean cross-entropy of each network, `(networks,)` in nats, and its gradients, shaped like the networks.

    Args:
        scales: alpha of each network, `(networks,)`.
        images: `(seeds, batch, pixels)`; the networks of a seed stand together.
        classes: `(seeds, batch)`.
        tape: holds the gradients of the layers until the next call.
    """
    (count, dim, _), (seeds, batch, _) = networks.stem.shape, images.shape
    alpha = scales.view(-1, 1, 1)
    torch.mul(networks.layers, alpha, out=tape.scaled)
    seen = tape.seen[..., :batch]
    last = _propagate(networks, tape.scaled, images, seen)
    loss, slope = _cross_entropy(networks.head @ last, classes.repeat_interleave(count // seeds, 0))
    p = networks.head.mT @ slope
    through = torch.empty_like(p)
    for k in reversed(range(len(networks.layers))):
        torch.bmm(p, seen[k].mT, out=tape.slopes[k])
        torch.bmm(tape.scaled[k, ..., :dim].mT, p, out=through)
        p += torch.ops.aten.threshold_backward(through, seen[k, :, :dim], 0)  # times 1[relu(h_k) > 0], in one pass
    tape.slopes *= alpha
    stem = (p.reshape(seeds, -1, batch) @ images).view_as(networks.stem)
    return loss, Classifiers(stem, tape.slopes, slope @ last.mT)


def correct(scores: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """How many answers of each network are right: logits `(networks, classes, batch)`, classes `(batch,)`.

    Logits that are not finite are no answer.

    >>> correct(torch.tensor([[[0.1, 0.9], [0.8, 0.2]]]), torch.tensor([1, 1]))
    tensor([1])
    """
    return ((scores.argmax(1) == classes) & scores.isfinite().all(1)).sum(1)


def _room(networks: Classifiers, layers: int, batch: int, constant: float) -> torch.Tensor:
    """For what layers see, `(layers, networks, columns, batch)`: below relu(h_k) a constant, then zeros."""
    _, count, dim, columns = networks.layers.shape
    room = networks.layers.new_zeros(layers, count, columns, batch)
    room[:, :, dim] = constant
    return room


def _propagate(networks: Classifiers, scaled: torch.Tensor, images: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """h_L, `(networks, dim, batch)`; `seen` receives relu(h_k) of each layer, or of the last if it has room for one."""
    (count, dim, pixels), (seeds, batch, _) = networks.stem.shape, images.shape
    h = (networks.stem.reshape(seeds, -1, pixels) @ images.mT).view(count, dim, batch)
    for k, weight in enumerate(scaled):
        of_layer = seen[k % len(seen)]
        torch.clamp_min(h, 0, out=of_layer[:, :dim])
        h.baddbmm_(weight, of_layer)
    return h


def _cross_entropy(scores: torch.Tensor, answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over the batch, `(networks,)`, and its slope in the logits `(networks, classes, batch)`."""
    logs = F.log_softmax(scores, 1)
    rows = answers.unsqueeze(1)
    loss = -logs.gather(1, rows).mean((1, 2))
    slope = logs.exp()
    slope.scatter_add_(1, rows, torch.full_like(rows, -1, dtype=slope.dtype))
    return loss, slope / scores.shape[2]
