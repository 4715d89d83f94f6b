"""How a figure is finished: letters, the title and the legend."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from resodectl.drawing.finish import finish, letters
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
