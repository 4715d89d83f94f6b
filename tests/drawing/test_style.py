"""The style holds for the length of a block, whatever the reader's own settings, and leaves nothing behind."""

import os
import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import pytest

from resodectl.drawing.colours import CYCLE
from resodectl.drawing.style import panels, style


def test_the_style_leaves_a_readers_settings_as_they_were() -> None:
    with mpl.rc_context({"lines.linewidth": 7.0, "font.size": 30.0}):
        before = dict(mpl.rcParams)
        with style():
            assert mpl.rcParams["font.size"] < 12
            assert mpl.rcParams["lines.linewidth"] < 2
        assert dict(mpl.rcParams) == before


def test_a_readers_settings_have_no_part_in_the_style() -> None:
    with style():
        plain = dict(mpl.rcParams)
    with mpl.rc_context({"axes.facecolor": "red", "xtick.direction": "in", "text.usetex": True}), style():
        assert dict(mpl.rcParams) == plain


def test_no_figure_is_registered_and_no_display_is_asked_for() -> None:
    code = (
        "import sys, numpy, pandas; from resodectl.drawing.style import panels, style\n"
        "import resodectl.drawing.save, resodectl.drawing.axes as pieces\n"
        "rows = pandas.DataFrame({'seed': [0, 0, 1, 1], 'depth': [1, 2, 1, 2], 'error': [1.0, 2.0, 3.0, 4.0]})\n"
        "with style():\n"
        "    _, axes = panels(2, 2)\n"
        "    pieces.mean_with_interval(axes[0], rows, 'depth', 'error', colour='blue', label='mean')\n"
        "    pieces.histogram(axes[1], rows, 'error', numpy.arange(6.0), colour='blue', label='errors')\n"
        "import matplotlib, matplotlib.pyplot\n"
        "print(matplotlib.pyplot.get_fignums(), matplotlib.get_backend(auto_select=False))\n"
        "print([name for name in ('torch', 'tkinter') if name in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ended.stdout == "[] None\n[]\n"


def test_panels_come_row_by_row_and_share_their_axes_when_asked() -> None:
    with style():
        figure, axes = panels(2, 3, panel=(2.0, 1.5), sharey=True)
    assert len(axes) == 6
    assert tuple(figure.get_size_inches()) == (6.0, 3.0)
    assert axes[1].get_subplotspec().colspan.start == 1
    axes[0].set_ylim(3, 4)
    assert axes[5].get_ylim() == (3, 4)


# What red-green blind readers see, from the linear model of Vienot, Brettel & Mollon 1999.
PROTANOPIA = ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0))
DEUTERANOPIA = ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0))


@pytest.mark.parametrize("sees", [PROTANOPIA, DEUTERANOPIA])
def test_neighbouring_colours_stay_apart_for_colour_blind_readers(sees: tuple[tuple[float, ...], ...]) -> None:
    seen = []
    for colour in CYCLE:
        linear = [value**2.2 for value in mpl.colors.to_rgb(colour)]
        seen.append([max(0.0, sum(w * v for w, v in zip(row, linear, strict=True))) ** (1 / 2.2) for row in sees])
    for one, other in pairwise(seen):
        assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 0.15
