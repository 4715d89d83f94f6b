"""SGD against torch.optim.SGD, and the learning rates of the epochs."""

import numpy as np
import pytest
import torch

from resodectl.numerics.descent.sgd import Constants, cosine_rate, step, stepped_rate


@pytest.mark.parametrize("constants", [Constants(), Constants(0.0), Constants(0.5, 0.1)])
def test_steps_are_those_of_torch(constants: Constants) -> None:
    draw = torch.Generator().manual_seed(0)
    values = [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in ((3, 2), (4,))]
    momenta, leaves = [torch.zeros_like(value) for value in values], [value.clone() for value in values]
    sgd = torch.optim.SGD(leaves, lr=0.1, momentum=constants.momentum, weight_decay=constants.weight_decay)
    for _ in range(4):
        slopes = [torch.randn(value.shape, generator=draw, dtype=torch.float64) for value in values]
        kept = [slope.clone() for slope in slopes]
        step(values, slopes, momenta, 0.1, constants)
        assert all(torch.equal(slope, before) for slope, before in zip(slopes, kept, strict=True))
        for leaf, slope in zip(leaves, kept, strict=True):
            leaf.grad = slope
        sgd.step()
    for value, leaf in zip(values, leaves, strict=True):
        torch.testing.assert_close(value, leaf, rtol=1e-13, atol=1e-15)


def test_rates_fall_at_milestones_or_as_a_cosine() -> None:
    assert [stepped_rate(0.1, [1, 3], 0.1, epoch) for epoch in range(4)] == pytest.approx([0.1, 0.01, 0.01, 0.001])
    assert [cosine_rate(0.1, 4, epoch) for epoch in range(4)] == pytest.approx(
        [0.1 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
    )
