"""Points from a CSV file: what is read, and what is refused with which sentence."""

from pathlib import Path

import numpy as np
import pytest

from resodectl.datasets.dataset import DataError
from resodectl.families.margin.labelled_points import read_points


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "points.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_points_and_labels_are_read_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path, "label,name,x,y\n1,a,0.5,-2\n-1,b, 3e-1, 4\r\n+1.0,c,1,1\n", "utf-8-sig")
    points, labels = read_points(path, 3)
    np.testing.assert_array_equal(points, [[0.5, -2.0], [0.3, 4.0], [1.0, 1.0]])
    np.testing.assert_array_equal(labels, [1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "points.csv, line 1: there is no column 'x'; begin the file with the line 'x,y,label'"),
        ("x;y;label\n1;2;1\n", "line 1: there is no column 'x'"),
        ("x,y,class\n1,2,1\n", "line 1: there is no column 'label'"),
        ("x,y,label\n1,2,1\n1,two,-1\n", "line 3: y is 'two'; write a finite number"),
        ("x,y,label\n1,2,1\nnan,2,-1\n", "line 3: x is 'nan'; write a finite number"),
        ("x,y,label\n1,2\n", "line 2: label is ''; write a finite number"),
        ("x,y,label\n1,2,1\n\n1,3,0\n", "line 4: the label is 0; write -1 or 1"),
        ("x,y,label\n1,2,1\n0,0,1\n1.0,2,-1\n", "line 4: the point (1, 2) has the other label in line 2"),
        ("x,y,label\n1,2,1\n3,4,1\n", "2 points, not of both labels; give points with -1 and points with 1"),
        ("x,y,label\n", "0 points, not of both labels"),
        ("x,y,label\n1,2,1\n3,4,-1\n5,6,1\n7,8,1\n", "line 5: there are more than 3 points; give at most 3"),
        ("x,y,label,x\n1,2,1,3\n", "line 1: two columns have the same name"),
        ("x,y,label\n1,2,1\n-2e100,2,-1\n", "line 3: x is -2e+100; write a number between -1e+100 and 1e+100"),
        (
            "x,y,label\n1,2,1\n0,0,1\n1,2.000001,-1\n",
            "line 4: the point is nearer to that of line 2, of the other label",
        ),
        ('x,y,label\n1,2,"1\n', "this is no CSV file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line_and_what_to_do(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(DataError) as refused:
        read_points(written(tmp_path, text), 3)
    assert sentence in str(refused.value)
    assert "points.csv" in str(refused.value)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no CSV file in UTF-8"):
        read_points(written(tmp_path, "x,y,label,näme\n1,2,1,a\n", "latin-1"), 3)
