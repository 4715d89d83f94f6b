"""Labelled points of the plane from a CSV file of a reader's own."""

import csv
import math
from pathlib import Path

import numpy as np

from resodectl.datasets.dataset import DataError
from resodectl.numerics.laws.correlations import Floats

COLUMNS = ("x", "y", "label")


def read_points(path: Path, most: int) -> tuple[Floats, Floats]:
    """Points `(n, 2)` and labels `(n,)` of a CSV file with the columns x, y and label; other columns are left out.

    Raises:
        DataError: the file is no such table, a value is wrong, there are more than `most` rows, fewer than both labels,
            or one point with both labels; it names the line, and what to do.
    """
    points, labels = [], []
    seen: dict[tuple[float, float], tuple[float, int]] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, skipinitialspace=True, strict=True)
            header = reader.fieldnames or []
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
                if len(points) > most:
                    raise DataError(f"{line}: there are more than {most} points; give at most {most}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: this is no CSV file in UTF-8 ({error}); save it as one") from error
    if len(set(labels)) < 2:
        raise DataError(f"{path}: {len(labels)} points, not of both labels; give points with -1 and points with 1")
    return np.array(points), np.array(labels)


def _number(line: str, name: str, text: str | None) -> float:
    """A finite number.

    Raises:
        DataError: the text is none.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{line}: {name} is '{text or ''}'; write a finite number")
    return value
