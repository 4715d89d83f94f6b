"""Lanczos against dense eigenvalues: negative ones of larger magnitude, near ties, warm starts, several runs."""

import numpy as np
import pytest
import scipy.linalg
import torch

from resodectl.numerics.curvature.lanczos import RUNNER_UP, largest

SIZE = 60


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def matrix(spectrum, seed=0):
    """A symmetric matrix with this spectrum, and its eigenvectors as columns."""
    vectors = torch.linalg.qr(draw(len(spectrum), len(spectrum), seed=seed)).Q
    return vectors * torch.as_tensor(spectrum, dtype=torch.float64) @ vectors.T, vectors


class Blocks:
    """Matrices `(runs, size, size)` as an operator that counts its products."""

    def __init__(self, *matrices):
        self.matrices, self.calls = torch.stack(matrices), 0

    def __matmul__(self, vectors):
        self.calls += 1
        return torch.bmm(self.matrices, vectors.unsqueeze(2)).squeeze(2)


NEGATIVE = np.concatenate([[-40.0, -25.0], np.linspace(-1, 3, SIZE - 3), [5.0]])
NEAR = np.concatenate([np.linspace(0, 3, SIZE - 3), [4.9, 4.99, 5.0]])
DECAYING = 5.0 * 0.7 ** np.arange(SIZE)[::-1]


@pytest.mark.parametrize("spectrum", [NEGATIVE, NEAR, DECAYING], ids=["negative", "near ties", "decaying"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_largest_algebraic_eigenvalues_are_those_of_scipy(spectrum, k):
    exact, _ = matrix(spectrum)
    found = largest(Blocks(exact), draw(1, k, SIZE, seed=1), tolerance=1e-9)
    reference = scipy.linalg.eigh(exact.numpy(), eigvals_only=True)[::-1][:k]
    np.testing.assert_allclose(found.values[0], reference, rtol=1e-9)
    assert (found.residuals[0] <= 1e-9 * found.values[0].abs()).all()
    for value, vector in zip(found.values[0], found.vectors[0], strict=True):
        torch.testing.assert_close(exact @ vector, value * vector, rtol=0, atol=1e-7)
        assert vector.norm().item() == pytest.approx(1)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-4])
def test_the_residual_is_that_of_the_pair_and_bounds_the_error_from_below(tolerance):
    exact, _ = matrix(NEGATIVE, seed=2)
    found = largest(Blocks(exact), draw(1, 1, SIZE, seed=3), tolerance=tolerance)
    vector, value, residual = found.vectors[0, 0], found.values[0, 0], found.residuals[0, 0]
    assert (exact @ vector - value * vector).norm().item() == pytest.approx(residual.item(), rel=1e-6)
    assert value.item() <= 5 + 1e-12
    assert np.abs(NEGATIVE - value.item()).min() <= residual.item() <= tolerance * value.item()


def test_a_start_near_the_eigenvector_takes_fewer_products():
    exact, _ = matrix(NEGATIVE, seed=4)
    cold = largest(Blocks(exact), draw(1, 1, SIZE, seed=5), tolerance=1e-3)
    moved = exact + 0.002 * (noise := draw(SIZE, SIZE, seed=6) / SIZE**0.5) + 0.002 * noise.T
    warm = largest(Blocks(moved), cold.start, tolerance=1e-3)
    assert warm.values[0, 0].item() == pytest.approx(torch.linalg.eigvalsh(moved)[-1].item(), rel=1e-4)
    assert warm.products.item() <= 0.7 * cold.products.item()


def test_of_two_eigenvalues_that_have_crossed_the_larger_is_found_from_both_eigenvectors():
    before = np.concatenate([np.linspace(-1, 1, SIZE - 2), [4.9, 5.0]])
    first, vectors = matrix(before, seed=7)
    crossed = first + 0.3 * torch.outer(vectors[:, -2], vectors[:, -2])
    found = largest(Blocks(first), draw(1, 2, SIZE, seed=8), tolerance=1e-6)
    again = largest(Blocks(crossed), found.start, tolerance=1e-6)
    np.testing.assert_allclose(again.values[0], [5.2, 5.0], rtol=1e-9)
    assert again.products.item() <= largest(Blocks(crossed), draw(1, 2, SIZE, seed=8), 1e-6).products.item() * 0.7


def test_along_a_training_an_eigenvalue_that_overtakes_from_an_orthogonal_space_is_not_missed():
    """Two blocks that never mix, the top of one rising through that of the other, as for odd and even functions."""
    half = SIZE // 2
    vectors = torch.linalg.qr(draw(half, half, seed=21)).Q
    start, errors = draw(1, 1, SIZE, seed=22), []
    for rise in np.linspace(0, 1, 41):
        tops = torch.tensor([4.0, 3.5 + rise], dtype=torch.float64)
        spectra = [torch.cat([torch.linspace(-1, 2, half - 1).double(), top[None]]) for top in tops]
        blocks = torch.block_diag(*[vectors * spectrum @ vectors.T for spectrum in spectra])
        found = largest(Blocks(blocks), start, tolerance=1e-3)
        errors.append(abs(found.values.item() - tops.max().item()))
        start = found.start
    assert max(errors) < 4.5 * 1e-3 / RUNNER_UP * 1.2
    assert np.quantile(errors, 0.9) < 1e-4
    eigenvector = torch.cat([vectors[:, -1], 0 * vectors[:, -1]])[None, None]
    assert largest(Blocks(blocks), eigenvector, tolerance=0.2).values.item() < 4.4  # it alone would miss the 4.5


class Narrowable(Blocks):
    """The same, leaving runs out."""

    def narrowed(self, chosen):
        return Blocks(*self.matrices[chosen])


@pytest.mark.parametrize("kind", [Blocks, Narrowable])
def test_runs_are_found_side_by_side_and_wait_for_none(kind):
    easy, _ = matrix(DECAYING, seed=9)
    hard, _ = matrix(NEAR, seed=10)
    starts = draw(2, 1, SIZE, seed=11)
    both = kind(easy, hard)
    together = largest(both, starts, tolerance=1e-8)
    for run, one in enumerate((easy, hard)):
        alone = largest(Blocks(one), starts[run : run + 1], tolerance=1e-8)
        assert together.products[run] == alone.products[0]
        torch.testing.assert_close(together.values[run], alone.values[0], rtol=1e-12, atol=0)
    assert together.products[0] < together.products[1]
    assert both.calls == together.products[1 if kind is Blocks else 0]


def test_a_start_on_an_eigenvector_is_left_for_the_larger_ones():
    exact, vectors = matrix(DECAYING, seed=12)
    start = vectors[:, -2][None, None]
    # A residual of at most 1e-3 times 5 bounds the error by its square over the gap to 3.5: 1.7e-5.
    assert largest(Blocks(exact), start).values.item() == pytest.approx(5, abs=1.7e-5)
    np.testing.assert_allclose(
        largest(Blocks(exact), start.expand(1, 3, SIZE), 1e-8).values[0], [5, 3.5, 2.45], rtol=1e-8
    )


def test_all_eigenvalues_of_a_small_matrix_come_out_ties_included():
    exact, _ = matrix([2.0, 2.0, -1.0, -7.0], seed=13)
    found = largest(Blocks(exact), draw(1, 4, 4, seed=14), 1e-12)
    np.testing.assert_allclose(found.values[0], [2, 2, -1, -7], rtol=1e-12)


@pytest.mark.parametrize("times", [2, 3, 4, 5])
@pytest.mark.parametrize("apart", [0.0, 1e-12, 1e-8, 1e-5, 1e-2])
def test_eigenvalues_are_counted_as_often_as_they_are_repeated_or_nearly_so(times, apart):
    top = 5 - apart * np.arange(times)
    spectra = [np.concatenate([[-40.0], np.linspace(-1, below, SIZE - times - 1), top]) for below in (3.0, 4.9)]
    blocks = Blocks(*[matrix(spectrum, seed=23 + times)[0] for spectrum in spectra])
    for k in range(1, times + 2):
        found = largest(blocks, draw(2, k, SIZE, seed=24), tolerance=1e-9)
        exact = [np.sort(spectrum)[::-1][:k] for spectrum in spectra]
        # Values that are nearer to one another than about the tolerance may stand for one another.
        among = (times - 1) * apart if apart < 1e-7 else 0.0
        np.testing.assert_allclose(found.values, exact, rtol=1e-9, atol=among)
        products = torch.einsum("rij,rkj->rki", blocks.matrices, found.vectors)
        residuals = (products - found.values.unsqueeze(2) * found.vectors).norm(dim=2)
        assert (residuals <= 2e-9 * found.values).all()
        torch.testing.assert_close(
            found.vectors @ found.vectors.mT, torch.eye(k).double().expand(2, k, k), rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_an_operator_with_two_eigenvalues_gives_each_as_often_as_it_has_it(k):
    exact = torch.diag(torch.tensor([2.0] * 5 + [1.0] * 5, dtype=torch.float64))
    found = largest(Blocks(exact), draw(1, k, 10, seed=25), tolerance=1e-9)
    np.testing.assert_allclose(found.values[0], ([2.0] * 5 + [1.0] * 5)[:k], rtol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
def test_along_a_training_a_pair_that_closes_and_opens_is_followed_warm(tolerance):
    """Two eigenvalues meet and cross below a third that stays: the pair is that of the dense solver at every record."""
    vectors, cold, warm = torch.linalg.qr(draw(SIZE, SIZE, seed=26)).Q, [], []
    start = draw(1, 2, SIZE, seed=27)
    for shift in np.linspace(-0.5, 0.5, 21):
        spectrum = torch.cat([torch.linspace(-1, 2, SIZE - 2).double(), torch.tensor([4 - shift, 4 + shift])])
        blocks = Blocks(vectors * spectrum @ vectors.T)
        found = largest(blocks, start, tolerance)
        exact = spectrum.sort(descending=True).values[:2]
        assert (found.values[0] <= exact + 1e-12).all()
        assert ((exact - found.values[0]) <= tolerance * exact).all()
        cold.append(largest(blocks, draw(1, 2, SIZE, seed=28), tolerance).products.item())
        warm.append(found.products.item())
        start = found.start
    assert np.mean(warm[1:]) <= 0.6 * np.mean(cold)


def test_starts_that_depend_on_one_another_or_are_nought_are_replaced():
    exact, _ = matrix(np.concatenate([np.linspace(-1, 3, SIZE - 3), [5.0, 5.0, 5.0]]), seed=29)
    one = draw(1, 1, SIZE, seed=30)
    for start in (one.expand(1, 3, SIZE), torch.cat([one, torch.zeros(1, 2, SIZE).double()], 1)):
        found = largest(Blocks(exact), start, tolerance=1e-9)
        np.testing.assert_allclose(found.values[0], [5, 5, 5], rtol=1e-9)


def test_what_does_not_converge_in_time_says_so_by_its_residual():
    exact, _ = matrix(NEAR, seed=15)
    found = largest(Blocks(exact), draw(1, 1, SIZE, seed=16), tolerance=1e-12, most=5)
    assert found.products.item() == 5
    assert found.residuals.item() > 1e-3


def test_a_run_that_is_not_finite_is_nan_and_disturbs_no_other():
    exact, _ = matrix(DECAYING, seed=17)
    found = largest(Blocks(exact * torch.nan, exact), draw(2, 1, SIZE, seed=18), tolerance=1e-6)
    assert found.values[0].isnan().all()
    assert found.values[1].item() == pytest.approx(5)


def test_float32_finds_the_value_to_its_rounding():
    exact, _ = matrix(NEGATIVE, seed=19)
    found = largest(Blocks(exact.float()), draw(1, 1, SIZE, seed=20).float(), tolerance=1e-4)
    assert found.values.dtype == torch.float32
    assert found.values.item() == pytest.approx(5, rel=1e-5)
