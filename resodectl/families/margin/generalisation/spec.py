"""Test error of wide networks on clusters in a hidden plane, by samples and dimension, and by what is trained.

Chizat & Bach 2020 (arXiv 2002.04486).
"""

from itertools import product
from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Distinct, Dtype, Rate, Width
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings, point, setting
from resodectl.families.margin.samples import Dim, Labelling, SampleSize, Steps

Method = Literal["both", "output", "output-ascent"]


class Shared(Settings):
    """The settings of a recipe that each of its cells has too."""

    discs: int = setting("discs in a row of the hidden plane, so that there are as many squared", ge=2, default=3)
    width: Width = setting("units m of the network whose layers are both trained", unit="units")
    lr: Rate = setting("step size: the step t is lr m grad S / sqrt(t + 1)", default=0.5)
    steps: Distinct[Steps] = setting("numbers of steps of both layers after which the error is taken", unit="steps")
    output_steps: Distinct[Steps] = setting(
        "numbers of steps of the output layer alone after which the error is taken", unit="steps", default=(50000,)
    )
    test: int = setting("samples that the error is taken on", ge=100, default=4000)
    dtype: Dtype = setting("floating-point type of both layers; all else is float64", default="float32")


class Params(Shared):
    """What a recipe sets."""

    sample_sizes: Distinct[SampleSize] = setting("numbers n of training samples", unit="samples")
    dims: Distinct[Dim] = setting("numbers d of coordinates, the constant one included", unit="coordinates")
    labellings: Distinct[Labelling] = setting(
        "how labels are given: to discs, drawn for each seed as in the paper, or as a product of two signs; or by "
        "whether the norm of all coordinates is above its median, so that nothing is hidden",
        default=("drawn",),
    )
    ascended: tuple[SampleSize, ...] = setting(
        "sample sizes at which the output layer of the infinitely wide network is trained too, not only solved for; "
        "with the first labelling alone",
        default=(),
    )
    seeds: int = setting("draws of labels, samples and first weights", ge=1)

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        """Refuse numbers of steps that do not rise, and sizes to be ascended that are not there."""
        for name in ("steps", "output_steps"):
            if list(getattr(self, name)) != sorted(getattr(self, name)):
                raise ValueError(f"{name}: list the numbers of steps in rising order")
        if missing := set(self.ascended) - set(self.sample_sizes):
            raise ValueError(f"ascended: {', '.join(map(str, sorted(missing)))} is not among the sample_sizes")
        return self


class Point(Shared):
    """What determines a cell."""

    sample_size: int
    dim: int
    labelling: Labelling
    method: Method


LOG = {
    "errors": (
        Column("sample_size", "int64", "samples", "number n of training samples"),
        Column("dim", "int64", "", "number d of coordinates, the constant one included"),
        Column("labelling", "string", "", "how labels are given: drawn, product or norm"),
        Column("method", "string", "", "both layers, the exact output layer (F2), or its ascent"),
        Column("seed", "int64", "", "draw of labels, samples and first weights"),
        Column("step", "int64", "steps", "steps done; 0 for the exact output layer"),
        Column("error", "float64", "", "share of test samples with y f(x) < 0"),
        Column(
            "margin",
            "float64",
            "",
            "least y f(x) of the training samples over the norm: |W|^2 / m of both layers, |b| / sqrt(m) of the output "
            "layer; largest so far",
        ),
    ),
}
SEED_BLOCK = 8


def cells(params: Params) -> list[Point]:
    """One cell for each labelling, dimension, number of samples, and method."""
    methods: dict[Method, tuple[int, ...]] = {
        "both": params.sample_sizes,
        "output": params.sample_sizes,
        "output-ascent": params.ascended,
    }
    return [
        point(Point, params, sample_size=sample_size, dim=dim, labelling=labelling, method=method)
        for labelling, dim, (method, sizes) in product(params.labellings, params.dims, methods.items())
        for sample_size in sizes
        if method != "output-ascent" or labelling == params.labellings[0]
    ]
