"""A pickle from a data folder gives arrays of bytes and plain values, and never runs anything."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from true_format import python2_batch, some

from resodectl.datasets.unpickling import RefusedError, unpickle


def test_a_batch_of_the_original_python_2_is_read() -> None:
    rows, labels = some((4, 3072))
    content = unpickle(python2_batch(rows, labels))
    assert np.array_equal(content["data"], rows)
    assert content["labels"] == labels
    assert content["batch_label"] == b"training batch 1 of 5"


def test_the_hand_written_batch_is_what_numpy_itself_reads() -> None:
    rows, labels = some((4, 3072))
    content = pickle.loads(python2_batch(rows, labels), encoding="bytes")
    assert np.array_equal(content[b"data"], rows)
    assert content[b"labels"] == labels


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_batch_pickled_anew_by_python_3_is_read(protocol: int, order: Any) -> None:
    rows = np.array(some((4, 7))[0], order=order)
    content = unpickle(pickle.dumps({b"data": rows, "labels": [1, 2]}, protocol=protocol))
    assert np.array_equal(content["data"], rows)
    assert content["labels"] == [1, 2]


class _Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_that_a_pickle_asks_for_is_run(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    for function, *arguments in (
        (os.mkdir, str(made)),
        (eval, f"__import__('os').mkdir({str(made)!r})"),
        (open, str(made), "w"),
    ):
        data = pickle.dumps({"data": _Runs(function, *arguments)}, protocol=protocol)
        with pytest.raises(RefusedError, match=r"the name \w+\.(mkdir|eval|open)"):
            unpickle(data)
    assert not made.exists()


def test_numpy_functions_outside_the_making_of_arrays_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"the name numpy\S*\.load"):
        unpickle(pickle.dumps({"data": _Runs(np.load, "/etc/passwd")}))


def test_arrays_of_objects_or_of_other_numbers_are_refused() -> None:
    for array in (np.array([{}], dtype=object), np.zeros(3), np.zeros(3, np.int8)):
        with pytest.raises(RefusedError, match="an array of"):
            unpickle(pickle.dumps({"data": array}, protocol=4))


def test_a_pickle_that_is_no_dictionary_or_leads_elsewhere_is_refused() -> None:
    with pytest.raises(RefusedError, match="a list"):
        unpickle(pickle.dumps([1]))
    with pytest.raises(RefusedError, match="a reference to another file"):
        unpickle(b"Pelsewhere\n.")


def test_no_prefix_of_a_batch_is_more_than_refused() -> None:
    data = python2_batch(*some((1, 40)))
    for length in range(len(data)):
        with pytest.raises(RefusedError):
            unpickle(data[:length])
