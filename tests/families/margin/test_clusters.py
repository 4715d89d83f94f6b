"""Hidden clusters: where they lie, their labels, and what two samples share."""

import numpy as np
import pytest
import torch

from resodectl.experiment.context import stream
from resodectl.families.margin.clusters import centres, draw_clusters


def streams(*seeds: int):
    return lambda label: [stream(seed, label) for seed in seeds]


@pytest.mark.parametrize("discs", [2, 3, 4])
def test_discs_fill_the_square_and_neighbours_are_as_far_apart_as_they_are_wide(discs: int) -> None:
    at, radius = centres(discs), 1 / (3 * discs - 1)
    assert len(np.unique(at.round(12), axis=0)) == discs**2
    assert (at.min() - radius, at.max() + radius) == pytest.approx((-0.5, 0.5))
    distances = np.linalg.norm(at[:, None] - at, axis=2)
    assert distances[distances > 0].min() - 2 * radius == pytest.approx(radius)


def test_samples_lie_in_their_discs_with_uniform_distances_and_a_label_a_disc() -> None:
    inputs, labels = (of.numpy() for of in draw_clusters(streams(4, 7), "train", 4000, 6, 3))
    assert (inputs.shape, labels.shape) == ((2, 4000, 6), (2, 4000))
    assert (inputs[..., 0] == 1).all()
    assert np.abs(inputs[..., 3:]).max() <= 0.5
    assert inputs[..., 3:].var((0, 1)) == pytest.approx(1 / 12, rel=0.05)
    for x, y in zip(inputs, labels, strict=True):
        distances = np.linalg.norm(x[:, None, 1:3] - centres(3), axis=2)
        disc, distance = distances.argmin(1), distances.min(1) * 8
        assert distance.max() <= 1
        # Uniform in the disc would give means of 2/3 and 1/2.
        assert (distance.mean(), (distance**2).mean()) == pytest.approx((1 / 2, 1 / 3), abs=0.015)
        angles = np.arctan2(*(x[:, 1:3] - centres(3)[disc]).T)
        assert np.histogram(angles, 4, (-np.pi, np.pi))[0] == pytest.approx(1000, abs=120)
        assert np.bincount(disc) == pytest.approx(4000 / 9, abs=90)
        signs = [set(y[disc == one]) for one in range(9)]
        assert sorted(signs, key=min) == [{-1.0}] * 4 + [{1.0}] * 5


def test_labels_of_discs_differ_between_seeds_and_not_between_the_parts_of_one() -> None:
    def label_of(part: str, seed: int) -> list[float]:
        (x,), (y,) = draw_clusters(streams(seed), part, 400, 3, 3)
        nearest = torch.cdist(x[:, 1:], torch.from_numpy(centres(3))).argmin(1)
        return [y[nearest == one][0].item() for one in range(9)]

    assert all(label_of("train", seed) == label_of("test", seed) for seed in range(4))
    assert len({tuple(label_of("train", seed)) for seed in range(8)}) > 4


def test_more_samples_more_dimensions_and_more_seeds_keep_what_there_was() -> None:
    few, many = draw_clusters(streams(3), "train", 20, 5, 3), draw_clusters(streams(2, 3), "train", 50, 9, 3)
    torch.testing.assert_close(few.inputs[0, :, :3], many.inputs[1, :20, :3], rtol=0, atol=0)
    assert (few.labels[0] == many.labels[1, :20]).all()
    same = draw_clusters(streams(3), "train", 50, 5, 3)
    torch.testing.assert_close(few.inputs, same.inputs[:, :20], rtol=0, atol=0)
    assert not torch.equal(few.inputs, draw_clusters(streams(3), "test", 20, 5, 3).inputs)


@pytest.mark.parametrize("discs", [2, 3, 4, 5])
def test_the_product_of_two_signs_labels_as_many_discs_as_a_draw_does(discs: int) -> None:
    of = draw_clusters(streams(1), "train", 4000, 3, discs, "product")
    ends = centres(discs)[(-(-discs // 2) - 1) * discs, 0], centres(discs)[-(-discs // 2) * discs, 0]
    sides = (of.inputs[0, :, 1:] - sum(ends) / 2).sign()
    assert torch.equal(of.labels[0], sides.prod(1))
    assert (of.labels < 0).double().mean().item() == pytest.approx((discs**2 // 2) / discs**2, abs=0.03)


def test_labels_by_the_norm_are_balanced_and_need_every_coordinate() -> None:
    inputs, labels = draw_clusters(streams(0, 1), "test", 4000, 15, 3, "norm")
    assert labels.mean(1).abs().max() < 0.08
    norms = inputs.norm(dim=2)
    for norm, label in zip(norms, labels, strict=True):
        assert norm[label < 0].max() <= norm[label > 0].min()


@pytest.mark.parametrize(("dim", "discs"), [(2, 3), (5, 1)])
def test_too_few_coordinates_or_discs_are_refused(dim: int, discs: int) -> None:
    with pytest.raises(ValueError, match="clusters"):
        draw_clusters(streams(0), "train", 10, dim, discs)
