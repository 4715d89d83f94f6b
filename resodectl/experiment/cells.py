"""Cells: the smallest scheduled units, each one batched program for one point of the sweep and one block of seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from resodectl.experiment.settings import Settings

PointT = TypeVar("PointT", bound=Settings, covariant=True)


@dataclass(frozen=True)
class Cell(Generic[PointT]):
    """One unit of work: an experiment, one point of its sweep and a block of seeds."""

    experiment: str
    point: PointT
    seeds: tuple[int, ...]

    @property
    def label(self) -> str:
        """A short name for people: the experiment, the point's values and the seeds."""
        values = " ".join(
            str(value) for value in self.point.model_dump(mode="json").values() if not isinstance(value, dict | list)
        )
        seeds = f"{self.seeds[0]}..{self.seeds[-1]}" if len(self.seeds) > 1 else str(self.seeds[0])
        return f"{self.experiment} {values} seeds {seeds}"


def cut(experiment: str, points: Sequence[PointT], seeds: range, block: int) -> Iterator[Cell[PointT]]:
    """Cut every point of a sweep into cells of at most `block` consecutive seeds."""
    for point in points:
        for first in range(seeds.start, seeds.stop, block):
            yield Cell(experiment, point, tuple(range(first, min(first + block, seeds.stop))))
