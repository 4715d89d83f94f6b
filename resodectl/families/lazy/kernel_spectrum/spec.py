"""The exact tangent kernel of an untrained convolutional network, on images and on uniformly random pixels.

Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), appendix. A kernel of as many independent Gaussian gradients of the same
size is what ill-conditioning by size alone would look like.
"""

from typing import Literal

from resodectl.experiment.choices import DataName, Distinct, Dtype
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.lazy.rectified_settings import NetworkChoice

Source = Literal["images", "uniform", "independent"]
SOURCES: tuple[Source, ...] = ("images", "uniform", "independent")


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    data: DataName = setting("the data set")
    sample_size: int = setting("images, drawn for each seed from the training images", unit="samples", ge=2)
    network: NetworkChoice = setting("the network")
    gain: float = setting("gain of Xavier's law of the first weights", gt=0.0)
    steps: Distinct[int] = setting("numbers of steps of descent in the kernel, of size 1 / largest eigenvalue")
    block: int = setting("images whose gradients are in memory at once, twice", ge=1, default=50)
    dtype: Dtype = setting("floating-point type", default="float64")


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("draws of the images and of the first weights", ge=1)


class Point(Shared):
    """What determines a cell."""

    source: Source


_SHARED = (
    Column("source", "string", "", "images, uniform (random pixels), or independent (Gaussian gradients)"),
    Column("seed", "int64", "", "draw of the images and of the first weights"),
)
LOG = {
    "spectra": (
        *_SHARED,
        Column("index", "int64", "", "number of the eigenvalue, from 1 for the largest"),
        Column("eigenvalue", "float64", "", "eigenvalue of the kernel"),
    ),
    "layers": (
        *_SHARED,
        Column("layer", "int64", "", "layer that is left out, from 1; 0 for none"),
        Column("trace", "float64", "", "trace of the kernel without it"),
        Column(
            "product_error", "float64", "", "|K v - J J^T v| / |J J^T v|, K without it, v random; NaN if independent"
        ),
        Column(
            "homogeneity",
            "float64",
            "",
            "<J w, h> / <h, h> without its weights, L for h homogeneous of degree L; NaN if independent",
        ),
    ),
    "descent": (
        *_SHARED,
        Column("steps", "int64", "steps", "steps of descent of size 1 / largest eigenvalue"),
        Column("residual", "float64", "", "share of the squared error of centred one-hot classes that is left"),
    ),
}
SEED_BLOCK = 3


def cells(params: Params) -> list[Point]:
    """One cell for each kind of inputs."""
    return [point(Point, params, source=source) for source in SOURCES]
