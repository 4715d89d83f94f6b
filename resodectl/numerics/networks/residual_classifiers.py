"""Residual networks that classify, many of them side by side: forward pass, loss and gradients without autograd.

h_0 = A x, h_{k+1} = h_k + alpha (V_k relu(h_k) + b_k), logits B h_L: the network `res-1` of Marion, Fermanian, Biau &
Vert 2022 (arXiv 2206.06929), with one alpha for each network. With p_k = dl/dh_k the backward pass is
p_k = p_{k+1} + alpha 1[h_k > 0] * V_k^T p_{k+1} and dl/dV_k = alpha p_{k+1} relu(h_k)^T, dl/db_k = alpha p_{k+1}.
So V_k and b_k are kept as one matrix, which acts on relu(h_k) with a constant beside it. The images of a batch are the
rows of hidden states: dl/dV_k, a sum over them, is then a product that BLAS does three times as fast.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

ALIGNED = 16  # matrices are widened by zeros to multiples of this: products of 30 columns take longer than of 32


class Classifiers(NamedTuple):
    """The weights of networks side by side; those of one seed stand together and see the same images.

    Shapes: stem `(networks, dim, pixels)`, layers `(depth, networks, wide, wide)`, head `(networks, classes, dim)`.
    A layer takes rows to rows: its own rows are those of V_k^T, then b_k, then zeros; its columns from `dim` on are 0.
    """

    stem: torch.Tensor
    layers: torch.Tensor
    head: torch.Tensor

    @property
    def dim(self) -> int:
        """The width of the hidden states."""
        return self.stem.shape[1]

    @property
    def matrices(self) -> torch.Tensor:
        """V_k, `(depth, networks, dim, dim)`."""
        return self.layers[..., : self.dim, : self.dim].mT


def unbiased(stem: torch.Tensor, matrices: torch.Tensor, head: torch.Tensor) -> Classifiers:
    """Networks with the given V_k, `(depth, networks, dim, dim)`, and biases b_k of zero."""
    dim = matrices.shape[-1]
    more = -(-(dim + 1) // ALIGNED) * ALIGNED - dim
    return Classifiers(stem, F.pad(matrices.mT, (0, more, 0, more)), head)


class Tape:
    """Memory for gradients, taken once for all steps of a training: fresh memory in every step would double its time.

    Args:
        batch: the largest number of images in a batch.
        biases: whether the biases are trained; else they stay as they are, and must be zero.
    """

    def __init__(self, networks: Classifiers, batch: int, biases: bool) -> None:
        depth, count, wide, _ = networks.layers.shape
        self.constant = float(biases)
        self.seen = networks.layers.new_empty(depth, count, batch, wide)
        self.scaled, self.slopes = torch.empty_like(networks.layers), torch.empty_like(networks.layers)


def logits(networks: Classifiers, scales: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """`(networks, classes, batch)`, of the alpha of each network, `(networks,)`; images `(seeds, batch, pixels)`."""
    scaled = networks.layers * scales.view(-1, 1, 1)
    h = _start(networks, images, 1.0)
    return networks.head @ _propagate(networks, scaled, h, [torch.empty_like(h)] * len(scaled))


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
    seen = tape.seen[:, :, :batch].unbind()
    last = _propagate(networks, tape.scaled, _start(networks, images, tape.constant), seen)
    loss, slope = _cross_entropy(networks.head @ last, classes.repeat_interleave(count // seeds, 0))
    p = F.pad(slope.mT @ networks.head, (0, tape.scaled.shape[-1] - dim))
    through = torch.empty_like(p)
    for k in reversed(range(len(seen))):
        torch.bmm(seen[k].mT, p, out=tape.slopes[k])
        torch.bmm(p, tape.scaled[k].mT, out=through)
        torch.ops.aten.threshold_backward.grad_input(through, seen[k], 0, grad_input=through)  # times 1[relu(h_k) > 0]
        p += through
    tape.slopes *= alpha
    tape.slopes[..., dim:] = 0  # of the constant, which no layer changes
    stem = (p[..., :dim].mT.reshape(seeds, -1, batch) @ images).view_as(networks.stem)
    return loss, Classifiers(stem, tape.slopes, slope @ last.mT)


def correct(scores: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """How many answers of each network are right: logits `(networks, classes, batch)`, classes `(batch,)`.

    Logits that are not finite are no answer.

    >>> correct(torch.tensor([[[0.1, 0.9], [0.8, 0.2]]]), torch.tensor([1, 1]))
    tensor([1])
    """
    return ((scores.argmax(1) == classes) & scores.isfinite().all(1)).sum(1)


def _start(networks: Classifiers, images: torch.Tensor, constant: float) -> torch.Tensor:
    """h_0 beside a constant, then zeros: `(networks, batch, wide)`."""
    (count, dim, pixels), (seeds, batch, _) = networks.stem.shape, images.shape
    h = images.new_zeros(count, batch, networks.layers.shape[-1])
    h[..., :dim] = (networks.stem.reshape(seeds, -1, pixels) @ images.mT).view(count, dim, batch).mT
    h[..., dim] = constant
    return h


def _propagate(
    networks: Classifiers, scaled: torch.Tensor, h: torch.Tensor, seen: Sequence[torch.Tensor]
) -> torch.Tensor:
    """h_L, `(networks, dim, batch)`, from h_0, which is overwritten; `seen` receives relu(h_k) of each layer."""
    for weight, of_layer in zip(scaled.unbind(), seen, strict=True):
        torch.clamp_min(h, 0, out=of_layer)
        h.baddbmm_(of_layer, weight)
    return h[..., : networks.dim].mT


def _cross_entropy(scores: torch.Tensor, answers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over the batch, `(networks,)`, and its slope in the logits `(networks, classes, batch)`."""
    logs = F.log_softmax(scores, 1)
    rows = answers.unsqueeze(1)
    loss = -logs.gather(1, rows).mean((1, 2))
    slope = logs.exp()
    slope.scatter_add_(1, rows, torch.full_like(rows, -1, dtype=slope.dtype))
    return loss, slope / scores.shape[2]
