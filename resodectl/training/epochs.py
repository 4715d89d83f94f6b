"""One epoch of training in batches of a random order, for networks side by side: each seed has its own order.

Orders are drawn anew every epoch from streams, so that resuming needs no generator's state.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from resodectl.numerics.draws import Streams
from resodectl.training.augmentation import Augment
from resodectl.training.images import Images

StepRule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def batches(streams: Streams, size: int, batch: int, device: torch.device | str) -> Iterator[torch.Tensor]:
    """One epoch: index tensors `(seeds, batch)` that go once through `size` examples, in another order for each seed.

    A last batch of fewer than `batch` examples is served too.

    >>> orders = batches([np.random.default_rng(seed) for seed in (0, 1, 2)], size=10, batch=4, device="cpu")
    >>> [tuple(chosen.shape) for chosen in orders]
    [(3, 4), (3, 4), (3, 2)]
    """
    orders = torch.from_numpy(np.stack([stream.permutation(size) for stream in streams])).to(device)
    yield from orders.split(batch, dim=1)


def run_epoch(
    images: Images, batch: int, order: Streams, step: StepRule, augment: Augment | None = None
) -> torch.Tensor:
    """Take one step on each batch; the mean of the losses that the steps return, `(networks,)`.

    Args:
        order: one stream for each seed.
        step: moves the networks, in place, by a batch of inputs `(seeds, batch, ...)` and classes `(seeds, batch)`.
        augment: changes inputs, given their indices.
    """
    losses = []
    for chosen in batches(order, len(images.classes), batch, images.classes.device):
        inputs, classes = images.inputs[chosen], images.classes[chosen]
        losses.append(step(inputs if augment is None else augment(inputs, chosen), classes))
    return torch.stack(losses).mean(0)
