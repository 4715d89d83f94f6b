"""Growth of memory with depth, and its figure (Sander, Ablin & Peyre 2022, arXiv 2205.14612).

Bytes are counted, not sampled: the measures are exact, without a spread over seeds.
"""

import math
from collections.abc import Mapping
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from resodectl.claims.estimate import Estimate, exact
from resodectl.drawing.axes import depth_axis
from resodectl.drawing.colours import BLUE, GREY, VIOLET
from resodectl.drawing.finish import finish
from resodectl.drawing.style import panels
from resodectl.experiment.drawn import Drawn
from resodectl.families.adjoint.memory.spec import Params

Count = Literal["saved", "peak"]

METHODS = {"backprop": ("backpropagation", VIOLET, "s"), "adjoint": ("memory-free adjoint", BLUE, "o")}
COUNTS: dict[Count, str] = {"saved": "kept for the backward pass", "peak": "most alive at once"}
ALL_LAYERS = "states and hidden activations of all $N$ layers"
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def measure_growth(rows: pd.DataFrame, *, count: Count) -> Estimate:
    """Bytes of the deepest network over those of the shallowest; NaN for a single depth."""
    shallow, deep = _ends(rows)
    deeper = deep["depth"] > shallow["depth"]
    return exact(deep[f"{count}_bytes"] / shallow[f"{count}_bytes"] if deeper else math.nan)


def measure_growth_per_layer(rows: pd.DataFrame, *, count: Count) -> Estimate:
    """Bytes that a further layer costs, in units of the activations of a layer; NaN for a single depth."""
    shallow, deep = _ends(rows)
    layers = deep["depth"] - shallow["depth"]
    added = deep[f"{count}_bytes"] - shallow[f"{count}_bytes"]
    return exact(added / layers / deep["layer_bytes"] if layers else math.nan)


def measure_layers_kept(rows: pd.DataFrame) -> Estimate:
    """Bytes kept for the backward pass in units of the activations of a layer, at the depth where they are most."""
    return exact((rows["saved_bytes"] / rows["layer_bytes"]).max())


def draw_memory(log: Mapping[str, pd.DataFrame], recipe: Drawn[Params]) -> Figure:
    """Both counts against depth, bytes on a logarithmic axis."""
    rows = log["memory"]
    figure, axes = panels(1, len(COUNTS), sharey=True)
    for ax, (count, title) in zip(axes, COUNTS.items(), strict=True):
        for method, (label, colour, marker) in METHODS.items():
            own = rows[rows["method"] == method].groupby("depth", sort=True)[f"{count}_bytes"].mean()
            if len(own):
                ax.plot(own.index, own, marker=marker, color=colour, label=label)
        layers = rows.groupby("depth", sort=True)["layer_bytes"].mean()
        ax.plot(layers.index, layers.index * layers, "--", color=GREY, label=ALL_LAYERS, zorder=4)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _bytes(value)))
        ax.set_title(title)
        depth_axis(ax, rows["depth"].unique(), "depth $N$ (layers)")
    axes[0].set_ylabel("memory")
    return finish(figure, recipe)


def _ends(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The rows of the shallowest and of the deepest network."""
    ordered = rows.sort_values("depth", kind="stable")
    return ordered.iloc[0], ordered.iloc[-1]


def _bytes(value: float) -> str:
    for size, unit in UNITS:
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"
