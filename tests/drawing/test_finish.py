"""How a figure is finished: letters, the title, and a legend that is no wider than the figure."""

from dataclasses import dataclass

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resodectl.drawing.finish import finish, legend_below, letters
from resodectl.drawing.style import panels, style
from resodectl.experiment.settings import Settings

NOTHING = Settings()


@dataclass(frozen=True)
class Titled:
    title: str = "Errors of two schemes"
    params: Settings = NOTHING
    claims: tuple[()] = ()


def names(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_letters_stand_in_front_of_the_titles() -> None:
    with style():
        _, (left, right) = panels(1, 2)
        left.set_title("Euler")
        letters((left, right))
    assert left.get_title(loc="left") == "(a) Euler"
    assert right.get_title(loc="left") == "(b)"


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


def test_a_figure_of_several_panels_has_letters_but_on_its_colour_bars_and_the_title_above() -> None:
    with style():
        figure, (left, right) = panels(1, 2)
        mesh = left.pcolormesh([[0.0, 1.0]])
        figure.colorbar(mesh, ax=left)
        right.plot([1, 2], label="Euler")
        assert finish(figure, Titled()) is figure
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a)", "(b)", ""]
    assert figure.get_suptitle() == Titled.title
    assert names(figure) == ["Euler"]


def test_a_figure_of_one_panel_has_its_title_there_and_no_letter() -> None:
    with style():
        figure, (ax,) = panels()
        finish(figure, Titled())
    assert ax.get_title(loc="left") == Titled.title
    assert figure.get_suptitle() == ""
    assert figure.legends == []
