"""Labelled points of the plane from a CSV file of a reader's own."""

import csv
import math
from pathlib import Path

import numpy as np

from resodectl.datasets.dataset import DataError
from resodectl.numerics.laws.correlations import Floats

COLUMNS = ("x", "y", "label")
LARGEST = 1e100  # of a coordinate: distances and their squares stay finite
NEAREST = 1e-5  # of points with unlike labels, in units of the extent: the bounds of smaller margins do not meet


def read_points(path: Path, most: int) -> tuple[Floats, Floats]:
    """Points `(n, 2)` and labels `(n,)` of a CSV file with the columns x, y and label; other columns are left out.

    Raises:
        DataError: the file is no such table, a value is wrong, there are more than `most` rows, fewer than both labels,
            or points with unlike labels are too near to each other; it names the line, and what to do.
    """
    points, labels, lines = [], [], []
    seen: dict[tuple[float, float], tuple[float, int]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, skipinitialspace=True, strict=True)
            header = reader.fieldnames or []
            if len(set(header)) < len(header):
                raise DataError(f"{path}, line 1: two columns have the same name; rename one of them")
            if missing := [name for name in COLUMNS if name not in header]:
                raise DataError(
                    f"{path}, line 1: there is no column '{missing[0]}'; begin the file with the line 'x,y,label', "
                    "and separate values by commas"
                )
            for row in reader:
                line = f"{path}, line {reader.line_num}"
                x, y, label = (_number(line, name, row[name]) for name in COLUMNS)
                if label not in (-1.0, 1.0):
                    raise DataError(f"{line}: the label is {row['label']}; write -1 or 1")
                if seen.setdefault((x, y), (label, reader.line_num))[0] != label:
                    raise DataError(
                        f"{line}: the point ({x:g}, {y:g}) has the other label in line {seen[x, y][1]}, so that no "
                        "classifier fits both; take one of them out"
                    )
                points.append((x, y))
                labels.append(label)
                lines.append(reader.line_num)
                if len(points) > most:
                    raise DataError(f"{line}: there are more than {most} points; give at most {most}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: this is no CSV file in UTF-8 ({error}); save it as one") from error
    if len(set(labels)) < 2:
        raise DataError(f"{path}: {len(labels)} points, not of both labels; give points with -1 and points with 1")
    table = np.array(points), np.array(labels)
    _check_distances(path, *table, lines)
    return table


def _check_distances(path: Path, points: Floats, labels: Floats, lines: list[int]) -> None:
    """Refuse points that no classifier of a sensible margin tells apart.

    Raises:
        DataError: points with unlike labels are too near to each other.
    """
    above, below = np.flatnonzero(labels > 0), np.flatnonzero(labels < 0)
    differences = np.abs(points[above, None] - points[below]).max(2)
    nearest = np.unravel_index(differences.argmin(), differences.shape)
    if differences[nearest] < NEAREST * np.ptp(points, axis=0).max():
        first, second = sorted((lines[above[nearest[0]]], lines[below[nearest[1]]]))
        raise DataError(
            f"{path}, line {second}: the point is nearer to that of line {first}, of the other label, than {NEAREST:g} "
            "times the extent of all points; take one of them out"
        )


def _number(line: str, name: str, text: str | None) -> float:
    """A number of a sensible size.

    Raises:
        DataError: the text is none.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{line}: {name} is '{text or ''}'; write a finite number")
    if abs(value) > LARGEST:
        raise DataError(f"{line}: {name} is {value:g}; write a number between -{LARGEST:g} and {LARGEST:g}")
    return value
