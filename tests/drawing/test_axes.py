"""What the shared pieces of figures draw: centres, bands, histograms, maps, slopes, ticks."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from resodectl.drawing import axes as pieces
from resodectl.drawing.colours import BLUE, DIVERGING
from resodectl.drawing.style import panels, style


@pytest.fixture
def panel() -> tuple[Figure, Axes]:
    with style():
        figure, (ax,) = panels()
    return figure, ax


def rows(values: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"depth": depth, "seed": seed, "error": value}
            for depth, of in values.items()
            for seed, value in enumerate(of)
        ]
    )


def bands(ax: Axes) -> list[PolyCollection]:
    return [found for found in ax.collections if isinstance(found, PolyCollection)]


def test_the_centre_is_the_median_over_seeds_and_the_band_lies_between_the_quartiles(
    panel: tuple[Figure, Axes],
) -> None:
    _, ax = panel
    line = pieces.spread(ax, rows({8: [5, 1, 2, 3, 4], 4: [10, 50, 20, 30, 40]}), "depth", "error", colour=BLUE)
    assert line.get_xydata().tolist() == [[4, 30], [8, 3]]
    (band,) = bands(ax)
    corners = band.get_paths()[0].vertices
    assert {tuple(corner) for corner in corners} >= {(4, 20), (4, 40), (8, 2), (8, 4)}


def test_a_single_seed_has_no_band_and_no_points(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    pieces.spread(ax, rows({4: [1.0], 8: [2.0]}), "depth", "error", colour=BLUE)
    assert not bands(ax)
    assert len(ax.lines) == 1


def test_many_rows_of_one_seed_are_one_unit(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    of_layers = pd.concat([rows({4: [1.0, 100.0]}), rows({4: [3.0, 300.0]}), rows({4: [2.0, 200.0]})])
    line = pieces.spread(ax, of_layers, "depth", "error", colour=BLUE, centre="mean")
    assert line.get_ydata().tolist() == [101.0]
    assert ax.lines[-1].get_ydata().tolist() == [2.0, 200.0]


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_divergence_is_left_out_and_never_averaged_away(panel: tuple[Figure, Axes], lost: float) -> None:
    _, ax = panel
    values = rows({4: [1.0, 2.0, 3.0], 8: [1.0, lost, lost], 16: [2.0, 2.0, 2.0]})
    line = pieces.spread(ax, values, "depth", "error", colour=BLUE)
    assert np.isnan(line.get_ydata()[1])
    assert np.isfinite(line.get_ydata()[[0, 2]]).all()
    assert ax.lines[-1].get_ydata().tolist() == [1, 2, 3, 1, 2, 2, 2]


def test_no_rows_draw_an_empty_curve(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    line = pieces.spread(ax, rows({4: [1.0]}).iloc[:0], "depth", "error", colour=BLUE)
    assert len(line.get_xdata()) == 0


def test_a_reference_slope_goes_through_its_anchor_with_its_exponent(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    pieces.reference_slope(ax, (4, 64), -2, (8, 0.5), "$N^{-2}$")
    (line,) = ax.lines
    x, y = line.get_data()
    assert np.allclose(y, 0.5 * (np.asarray(x) / 8) ** -2)
    assert [text.get_text() for text in ax.texts] == ["$N^{-2}$"]


@pytest.mark.parametrize(
    ("depths", "labels"),
    [
        ([4, 8, 16, 32], ["4", "8", "16", "32"]),
        ([3, 20], ["2", "4", "8", "16", "32"]),
        (2 ** np.arange(1, 16), ["2", "8", "32", "128", "512", "2048", "8192", "32768"]),
    ],
)
def test_depths_are_labelled_in_whole_powers_of_two(
    panel: tuple[Figure, Axes], depths: list[int], labels: list[str]
) -> None:
    _, ax = panel
    pieces.depth_axis(ax, depths)
    assert ax.get_xscale() == "log"
    assert [ax.xaxis.get_major_formatter()(tick, 0) for tick in ax.xaxis.get_major_locator()()] == labels
    assert len(ax.xaxis.get_minorticklocs()) == 0


def test_a_logarithmic_axis_is_labelled_at_the_given_values_alone(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    pieces.log_axis_at(ax, [0.2, 0.05, 0.1], "learning rate")
    ticks = ax.xaxis.get_major_locator()()
    assert [ax.xaxis.get_major_formatter()(tick, 0) for tick in ticks] == ["0.05", "0.1", "0.2"]
    assert len(ax.xaxis.get_minorticklocs()) == 0
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "learning rate")


def test_dots_are_spread_sideways_in_the_same_way_every_time(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    ax.set_xscale("log", base=2)
    for _ in range(2):
        pieces.dots(ax, 16, np.ones(40), colour=BLUE, width=0.2)
    first, second = (np.asarray(line.get_xdata(), float) for line in ax.lines)
    assert np.array_equal(first, second)
    assert np.abs(np.log(first / 16)).max() <= 0.1
    assert len(np.unique(first)) == 40


def test_the_mean_with_its_interval_leaves_out_where_a_row_diverged(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    values = rows({4: [1.0, 2.0, 3.0, 4.0], 8: [1.0, np.inf, 3.0, 4.0], 16: [5.0, 5.0, 5.0, 5.0]})
    pieces.mean_with_interval(ax, values, "depth", "error", colour=BLUE, label="mean")
    (line,) = ax.lines
    assert line.get_xydata().tolist() == [[4, 2.5], [16, 5]]
    (band,) = bands(ax)
    error = 1.96 * np.std([1, 2, 3, 4], ddof=1) / 2
    corners = band.get_paths()[0].vertices
    assert np.isclose(corners[corners[:, 0] == 4][:, 1].min(), 2.5 - error)
    assert np.isclose(corners[corners[:, 0] == 4][:, 1].max(), 2.5 + error)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("", "")


def test_a_histogram_has_area_one_and_bars_of_two_standard_errors_over_seeds(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    values = pd.DataFrame({"seed": [0, 0, 0, 0, 1, 1, 1, 1], "norm": [0.5, 0.5, 0.5, 2.5, 0.5, 2.5, 2.5, 2.5]})
    pieces.histogram(ax, values, "norm", np.array([0.0, 2.0, 4.0]), colour=BLUE, label="networks")
    (filled,) = bands(ax)
    assert filled.get_paths()[0].vertices[:, 1].max() == 0.25
    (bars,) = (found for found in ax.collections if isinstance(found, LineCollection))
    deviation = np.std([0.375, 0.125], ddof=1)
    assert np.allclose([np.ptp(bar[:, 1]) for bar in bars.get_segments()], 4 * deviation / 2**0.5)
    assert [bar[0, 0] for bar in bars.get_segments()] == [1, 3]


def test_a_heat_map_shows_the_mean_at_its_place_on_numerical_axes(panel: tuple[Figure, Axes]) -> None:
    _, ax = panel
    grid = [(hurst, beta, seed) for hurst in (0.25, 0.75) for beta in (0.0, 1.0, 2.0) for seed in (0, 1)]
    values = pd.DataFrame(grid, columns=["hurst", "beta", "seed"])
    values["change"] = values["hurst"] + values["beta"] + values["seed"]
    mesh = pieces.heat_map(ax, values, "hurst", "beta", "change", colours=DIVERGING, ends=(-1, 1))
    assert np.allclose(mesh.get_array(), [[0.75, 1.25], [1.75, 2.25], [2.75, 3.25]])
    assert np.allclose((*ax.get_xlim(), *ax.get_ylim()), (0, 1, -0.5, 2.5))
    assert mesh.get_clim() == (-1, 1)


@pytest.mark.parametrize(("heights", "scale"), [([1, 10], "log"), ([0, 0], "linear"), ([np.nan, np.inf], "linear")])
def test_an_axis_is_logarithmic_where_a_curve_has_a_logarithm(
    panel: tuple[Figure, Axes], heights: list[float], scale: str
) -> None:
    figure, ax = panel
    ax.plot([1, 2], heights)
    pieces.log_axis(ax)
    pieces.plain_ticks(ax)
    figure.draw_without_rendering()
    assert ax.get_yscale() == scale


@pytest.mark.parametrize(
    ("limits", "shown"), [((4, 11), {"4", "5", "10"}), ((0.02, 0.4), {"0.02", "0.1", "0.3"}), ((11, 14), {"12", "13"})]
)
def test_round_values_are_labelled_in_plain_numbers_within_the_limits(
    panel: tuple[Figure, Axes], limits: tuple[float, float], shown: set[str]
) -> None:
    figure, ax = panel
    ax.plot([1, 2], limits)
    pieces.log_axis(ax)
    ax.set_ylim(limits)
    pieces.plain_ticks(ax)
    figure.draw_without_rendering()
    assert {label.get_text() for label in ax.get_yticklabels()} >= shown
    assert ax.get_ylim() == pytest.approx(limits)
