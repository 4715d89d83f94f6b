"""MNIST as pairs of unit vectors: its images seen through torch's convolutions."""

from pathlib import Path

import numpy as np
import torch

from resodectl.experiment.context import stream
from resodectl.families.scaling.vector_pairs import image_pairs
from resodectl.numerics.draws import TensorPlace
from tests.true_format import write_mnist


def test_mnist_is_seen_through_two_convolutions_as_unit_vectors(tmp_path: Path) -> None:
    images, labels = write_mnist(tmp_path / "mnist", compressed=False)["train"]
    train, test = image_pairs("mnist", [stream(s, "c") for s in (0, 1)], tmp_path, TensorPlace())
    assert train.inputs.shape == train.targets.shape == (2, 25, 5)
    assert test.inputs.shape == (2, 25, 5)
    drawn = stream(1, "c")
    maps = torch.from_numpy(images[:, None].astype(np.float32))
    for side in (5, 3):
        draws = (drawn.random(side**2 + 1) * 2 - 1) / side
        convolution = torch.nn.Conv2d(1, 1, side, stride=2)
        with torch.no_grad():
            convolution.weight.copy_(torch.from_numpy(draws[:-1].reshape(1, 1, side, side)))
            convolution.bias.copy_(torch.from_numpy(draws[-1:]))
            maps = convolution(maps)
    vectors = maps.flatten(1) / maps.flatten(1).norm(dim=1, keepdim=True)
    torch.testing.assert_close(train.inputs[1].T.float(), vectors, rtol=1e-4, atol=1e-6)
    assert train.targets[1].argmax(0).tolist() == labels
    assert train.targets[1].sum().item() == 5
