"""Epochs go once through the images, in an order of each seed, and average the losses of their steps."""

import torch

from resodectl.experiment.context import stream
from resodectl.training.epochs import batches, run_epoch
from resodectl.training.images import Images


def streams(*labels, seeds=(0, 1, 2)):
    return [stream(seed, *labels) for seed in seeds]


def test_every_epoch_goes_once_through_the_data_in_an_order_of_its_own() -> None:
    first, again, second = (torch.cat(list(batches(streams("order", epoch), 37, 16, "cpu")), 1) for epoch in (0, 0, 1))
    assert torch.equal(first.sort(1).values, torch.arange(37).expand(3, -1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_an_epoch_steps_on_each_batch_augmented_and_returns_the_mean_of_the_losses() -> None:
    images = Images(torch.arange(10.0), torch.arange(10))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def step(inputs: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        seen.append((inputs, classes))
        return torch.full((3,), float(len(seen)))

    mean = run_epoch(images, 4, streams("order"), step, lambda inputs, chosen: inputs + 100 * chosen)
    assert mean.tolist() == [2, 2, 2]
    assert [inputs.shape for inputs, _ in seen] == [(3, 4), (3, 4), (3, 2)]
    inputs, classes = (torch.cat(parts, 1) for parts in zip(*seen, strict=True))
    assert torch.equal(inputs, 101.0 * classes)
    assert torch.equal(classes, torch.cat(list(batches(streams("order"), 10, 4, "cpu")), 1))
