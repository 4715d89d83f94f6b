"""Grids over which maps are taken: Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figures 7 and 9."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from resodectl.experiment.settings import Settings, setting


class Grid(Settings):
    """Evenly spaced values, both ends included."""

    first: float = setting("first value")
    last: float = setting("last value")
    count: int = setting("number of values", ge=2)

    @model_validator(mode="after")
    def ascending(self) -> Self:
        """Refuse a grid that does not ascend."""
        if self.first >= self.last:
            raise ValueError(f"a grid ascends: its last value must be above {self.first:g}, not {self.last:g}")
        return self

    def values(self) -> list[float]:
        """The values, rounded so that a recipe's `where` finds them by the numbers one would write."""
        step = (self.last - self.first) / (self.count - 1)
        return [round(self.first + step * index, 10) for index in range(self.count)]


def _hursts(grid: Grid) -> Grid:
    if not 0 < grid.first < grid.last < 1:
        raise ValueError(f"a Hurst index lies between 0 and 1, not at {grid.first if grid.first <= 0 else grid.last:g}")
    return grid


HurstGrid = Annotated[Grid, AfterValidator(_hursts)]
