"""Fetching writes the public form of the published set, whole and checked, or one clear sentence and nothing."""

import dataclasses
import http.client
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn.datasets

from resodectl.datasets import catalogue
from resodectl.datasets.dataset import DataError
from resodectl.datasets.fetch import fetch
from resodectl.datasets.load import load
from resodectl.errors import UserError

TRAIN, TEST = (3, 2, 2, 2, 2, 2, 2, 2, 2, 2), (1,) * 10


def small(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """Let the set `name` consist of few examples; returns what OpenML would send: its rows and labels in order."""
    facts = dataclasses.replace(catalogue.SETS[name], train=TRAIN, test=TEST, checksums={})
    monkeypatch.setitem(catalogue.SETS, name, facts)
    generator = np.random.default_rng(1)
    labels = np.concatenate([generator.permutation(np.repeat(np.arange(10), counts)) for counts in (TRAIN, TEST)])
    return generator.integers(0, 256, (len(labels), int(np.prod(facts.shape)))), labels


def openml(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    """Let OpenML answer with (rows, labels), or fail with an exception; returns the questions asked."""
    asked = []

    def fetch_openml(**question: Any) -> Any:
        asked.append(question)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(data=answer[0], target=answer[1])

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return asked


@pytest.mark.parametrize(("name", "number"), [("cifar10", 40927), ("mnist", 554), ("fashion-mnist", 40996)])
def test_a_fetched_set_loads_with_the_published_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    rows, labels = small(name, monkeypatch)
    asked = openml(monkeypatch, (rows.astype(float), labels.astype(str).astype(object)))
    files = fetch(name, tmp_path / "data")
    loaded = load(name, tmp_path / "data")
    assert asked[0]["data_id"] == number
    assert np.array_equal(loaded.train.inputs.reshape(21, -1), rows[:21])
    assert np.array_equal(loaded.test.inputs.reshape(10, -1), rows[21:])
    assert loaded.train.labels.tolist() == labels[:21].tolist()
    left = sorted(path for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert left == sorted(files)


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        TimeoutError("timed out"),
        http.client.IncompleteRead(b""),
        ValueError("md5 checksum of local file does not match"),
    ],
)
def test_without_a_network_there_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    openml(monkeypatch, error)
    with pytest.raises(
        DataError, match=r"'cifar10' could not be fetched from https://www.openml.org/d/40927: "
    ) as told:
        fetch("cifar10", tmp_path)
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_a_set_in_another_order_or_shape_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rows, labels = small(name, monkeypatch)
    for sent, says in [
        ((rows[::-1], labels[::-1]), "training examples of the classes"),
        ((rows[1:], labels[1:]), "found an array of shape"),
        ((rows[:, 1:], labels), "found an array of shape"),
        ((rows + 0.5, labels), "whole pixels from 0 to 255"),
        ((rows + 1, labels), "whole pixels from 0 to 255"),
        ((rows, labels.astype(str).astype(object) + "th"), "labels that are numbers, found the label '"),
        ((rows, labels - 1), "labels 0 to 9, found the label 255"),
    ]:
        openml(monkeypatch, sent)
        with pytest.raises(DataError, match="is not the published data set") as told:
            fetch(name, tmp_path)
        assert says in str(told.value)
    assert not list(tmp_path.iterdir())


def test_other_pixels_than_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = catalogue.SETS["mnist"].checksums
    sent = small("mnist", monkeypatch)
    monkeypatch.setitem(catalogue.SETS, "mnist", dataclasses.replace(catalogue.SETS["mnist"], checksums=published))
    openml(monkeypatch, sent)
    with pytest.raises(DataError, match="train-images-idx3-ubyte with the published sha256"):
        fetch("mnist", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_set_that_need_not_be_fetched_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'digits' need not be fetched: it is shipped inside scikit-learn"):
        fetch("digits", tmp_path)
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        fetch("minst", tmp_path)


def test_a_root_that_is_a_file_is_refused_before_the_network_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = openml(monkeypatch, ValueError())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--data-root"):
        fetch("mnist", tmp_path / "file")
    assert not asked
