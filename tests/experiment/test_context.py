"""Random streams depend on seed and labels alone."""

import numpy as np

from resodectl.experiment.context import stream


def test_a_stream_is_that_of_its_seed_and_labels() -> None:
    first = stream(3, "weights", 8).standard_normal(4)
    np.testing.assert_array_equal(first, stream(3, "weights", 8).standard_normal(4))
    others = [stream(4, "weights", 8), stream(3, "weights", 9), stream(3, "weights"), stream(3, "weights8")]
    assert all(not np.array_equal(first, other.standard_normal(4)) for other in others)


def test_streams_are_pinned_across_releases() -> None:
    pinned = [2.597383408452354, 0.25126043787053126, -0.9839819773010905]
    np.testing.assert_allclose(stream(0, "pinned").standard_normal(3), pinned, rtol=0, atol=1e-15)


def test_streams_of_neighbouring_seeds_are_uncorrelated() -> None:
    draws = np.stack([stream(seed, "x").standard_normal(2000) for seed in range(20)])
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)
