"""Norms without matrices: exact moments, and two-sample tests against networks with all their matrices."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from resodectl.experiment.context import stream
from resodectl.numerics.laws.residual_norms import mean_square_change
from resodectl.numerics.propagation.norm_sampler import halving, joint_norms, marginal_norms
from resodectl.numerics.propagation.residual_norms import backward, forward, random_layers, relative_change, stretch

NETWORKS, DEPTH, ALPHA = 8_000, 6, 0.7


def direct(dim, law="gaussian"):
    """Changes and stretches of hidden states and gradients, from matrices: four arrays of `NETWORKS`."""
    streams = {name: [stream(0, name, dim, law)] for name in ("V", "Theta")}
    layers = random_layers("res-3", law, streams, DEPTH, dim, NETWORKS)
    rng = torch.Generator().manual_seed(dim)
    h, p = (torch.randn(NETWORKS, dim, 1, generator=rng, dtype=torch.float64) for _ in range(2))
    end, slopes = forward(layers, h, ALPHA)
    first = backward(layers, p, ALPHA, slopes)
    found = [f(start, last)[:, 0].numpy() for start, last in ((h, end), (p, first)) for f in (relative_change, stretch)]
    return dict(zip(("r_out", "R_out", "r_grad", "R_grad"), found, strict=True))


def joint(dim):
    output, gradient = joint_norms(stream(1), NETWORKS, DEPTH, dim, ALPHA)
    return {"r_out": output.change, "R_out": output.stretch, "r_grad": gradient.change, "R_grad": gradient.stretch}


def marginal(dim):
    output, gradient = (marginal_norms(stream(2, name), NETWORKS, DEPTH, dim, ALPHA) for name in ("out", "grad"))
    return {"r_out": output.change, "R_out": output.stretch, "r_grad": gradient.change, "R_grad": gradient.stretch}


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("sampler", [joint, marginal])
def test_each_norm_has_the_law_of_networks_with_matrices(dim, sampler):
    """Kolmogorov-Smirnov distances of two samples of 8,000: 0.026 is passed once in a hundred."""
    wanted, found = direct(dim), sampler(dim)
    for name in wanted:
        distance = stats.ks_2samp(wanted[name], found[name]).statistic
        assert distance < 0.026, (name, distance)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_hidden_state_and_gradient_of_a_network_have_their_joint_law(dim):
    """Distances of any function of both: they depend on each other, so independent samplers would be found out."""
    wanted, found = direct(dim), joint(dim)
    for a, b in (("R_out", "R_grad"), ("r_out", "r_grad"), ("r_out", "R_grad")):
        ours, theirs = (np.log1p([sample[a], sample[b]]) for sample in (found, wanted))
        for combine in (np.add, np.subtract, np.maximum, np.minimum):
            assert stats.ks_2samp(combine(*ours), combine(*theirs)).statistic < 0.026
        assert np.corrcoef(ours)[0, 1] == pytest.approx(np.corrcoef(theirs)[0, 1], abs=0.04)


def test_in_narrow_networks_hidden_state_and_gradient_do_depend_on_each_other():
    """So the test above has something to find."""
    of_joint, of_marginal = (
        np.corrcoef(np.log(s["R_out"]), np.log(s["R_grad"]))[0, 1] for s in (joint(3), marginal(3))
    )
    assert of_joint > 0.15
    assert abs(of_marginal) < 0.04


def test_uniform_matrices_have_the_second_moments_of_gaussian_ones_but_not_their_law():
    """Why they keep a path of their own."""
    uniform, gaussian = direct(2, "uniform"), direct(2)
    for name in ("r_out", "r_grad"):
        exact = math.sqrt(float(mean_square_change(1, 0.0, 0.5 * ALPHA**2) + 1) ** DEPTH - 1)
        for sample in (uniform, gaussian):
            assert np.sqrt(np.mean(sample[name] ** 2)) == pytest.approx(exact, rel=0.04)
    assert stats.ks_2samp(uniform["R_out"], gaussian["R_out"]).pvalue < 1e-3


@pytest.mark.parametrize("sampler", ["joint", "marginal"])
@pytest.mark.parametrize(("dim", "depth", "exponent"), [(40, 10, 0.5), (40, 120, 0.25), (7, 50, 1.0)])
def test_the_mean_squares_are_exact_at_every_depth_and_width(sampler, dim, depth, exponent):
    alpha, networks = depth**-exponent, 4_000
    if sampler == "joint":
        found = joint_norms(stream(3), networks, depth, dim, alpha)
    else:
        found = [marginal_norms(stream(3), networks, depth, dim, alpha)]
    change = float(mean_square_change(depth, exponent))
    for norms in found:
        tolerance = 4 / math.sqrt(networks) / change * np.std(norms.change**2)
        assert np.mean(norms.change**2) == pytest.approx(change, rel=tolerance)
        assert tolerance < 0.1
        assert np.mean(norms.stretch**2) == pytest.approx(1 + change, rel=0.1)


@pytest.mark.parametrize("trials", [1, 2, 15, 16, 17, 40, 100])
def test_random_bits_count_to_binomial_draws(trials):
    drawn = halving(stream(4), 50_000, trials)
    observed = np.bincount(drawn, minlength=trials + 1)
    assert len(observed) == trials + 1
    expected = stats.binom.pmf(np.arange(trials + 1), trials, 0.5) * drawn.size
    common = expected > 5
    chi_square = ((observed - expected)[common] ** 2 / expected[common]).sum()
    assert chi_square < stats.chi2.ppf(0.999, common.sum())
