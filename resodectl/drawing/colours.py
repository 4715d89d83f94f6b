"""The colours of all figures: a palette that is safe for colour-blind readers, and those of papers by their names.

The palette is seaborn's "colorblind", after M. Okabe, K. Ito, Color Universal Design, 2008.
"""

import seaborn

_PALETTE: list[str] = seaborn.color_palette("colorblind").as_hex()
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, BROWN, PINK, SILVER, YELLOW, SKY = _PALETTE
BLACK = "#000000"
GREY = "#6E6E6E"  # of what is not data: reference lines, footers
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)

# As in the papers' figures.
NAVY = "#12355B"
CRIMSON = "#C1121F"
MAGENTA = "#B5179E"
VIOLET = "#7B3294"

SEQUENCE = "viridis"  # the colour map of an ordered quantity, such as depth, time or accuracy
DIVERGING = "RdBu_r"  # the colour map of a quantity whose sign matters


def sequence(count: int) -> list[str]:
    """The colours of `count` ordered curves, from dark to light.

    >>> len(sequence(5)), sequence(0)
    (5, [])
    """
    colours: list[str] = seaborn.color_palette(SEQUENCE, count).as_hex()
    return colours
