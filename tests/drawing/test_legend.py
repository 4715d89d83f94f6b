"""One legend, no wider than the figure, that names every curve and explains the other marks."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resodectl.drawing.axes import histogram, mean_with_interval, spread
from resodectl.drawing.legend import legend_below, legend_inside
from resodectl.drawing.style import panels, style


def names(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_legend_below_names_every_curve_once() -> None:
    with style():
        figure, (left, right) = panels(1, 2)
        for ax in (left, right):
            ax.plot([1, 2], label="Euler")
        right.plot([2, 1], label="Heun")
        legend_below(figure)
    assert names(figure) == ["Euler", "Heun"]


@pytest.mark.parametrize(("curves", "length", "columns"), [(0, 1, 0), (3, 4, 3), (5, 20, 3), (7, 60, 1), (2, 300, 1)])
def test_the_legend_below_has_the_fewest_rows_that_the_width_allows(curves: int, length: int, columns: int) -> None:
    with style():
        figure, (ax,) = panels(panel=(8, 3))
        for curve in range(curves):
            ax.plot([1, 2], label=f"{curve}" + "x" * length)
        legend_below(figure)
        renderer = FigureCanvasAgg(figure).get_renderer()
        if columns > 1:
            assert figure.legends[0].get_window_extent(renderer).width <= figure.bbox.width
    assert len(names(figure)) == curves
    assert [legend._ncols for legend in figure.legends] == ([columns] if columns else [])


ROWS = pd.DataFrame({"seed": np.repeat([0, 1, 2], 4), "x": [1, 2, 3, 4] * 3, "y": np.linspace(1, 2, 12)})


def test_what_stands_for_no_curve_is_explained_once() -> None:
    with style():
        figure, (left, right) = panels(1, 2)
        for ax in (left, right):
            spread(ax, ROWS, "x", "y", colour="red", label="Euler")
        legend_below(figure)
    assert names(figure) == ["Euler", "between the quartiles of the seeds", "one seed"]


def test_only_what_is_drawn_is_explained() -> None:
    with style():
        figure, axes = panels(1, 4)
        spread(axes[0], ROWS, "x", "y", colour="red", label="Euler", points=False)
        spread(axes[1], ROWS[ROWS["seed"] == 0], "x", "y", colour="red", label="one run")
        mean_with_interval(axes[2], ROWS, "x", "y", colour="red", label="mean")
        histogram(axes[3], ROWS, "y", np.linspace(1, 2, 4), colour="red", label="density")
        legend_below(figure)
    assert names(figure) == [
        "Euler",
        "one run",
        "mean",
        "density",
        "between the quartiles of the seeds",
        "95 % interval of the mean",
        "two standard errors",
    ]


def test_curves_of_a_legend_inside_stay_out_of_the_legend_below() -> None:
    with style():
        figure, (left, right) = panels(1, 2)
        left.plot([1, 2], label="inside")
        right.plot([2, 1], label="Heun")
        legend_inside(left)
        legend_below(figure)
    assert names(figure) == ["Heun"]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["inside"]
