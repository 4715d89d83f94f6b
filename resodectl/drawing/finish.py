"""How a figure is finished: letters in front of the panels' titles, the recipe's title above, one legend below."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resodectl.drawing.legend import legend_below
from resodectl.experiment.drawn import Drawn
from resodectl.experiment.settings import Settings


def finish(figure: Figure, recipe: Drawn[Settings]) -> Figure:
    """The figure with letters, title and legend. Call it last: it reads the panels' titles and labels."""
    shown = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    if len(shown) == 1:
        shown[0].set_title(recipe.title)
    else:
        letters(shown)
        figure.suptitle(recipe.title)
    legend_below(figure)
    return figure


def letters(axes: Sequence[Axes]) -> None:
    """Panel letters (a), (b), ... in front of the panels' titles."""
    for letter, ax in zip("abcdefghijklmnopqrstuvwxyz", axes, strict=False):
        ax.set_title(f"({letter}) {ax.get_title(loc='left')}".strip(), loc="left")
