"""Which settings name data sets: those whose type is marked so, whatever the field is called."""

import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from resodectl.experiment.settings import Settings


class DataSet:
    """Marks a type whose values name data sets: the files of the set then belong to what determines a cell.

    `Annotated[Literal["digits", "mnist"], DataSet()]` is a choice of two. A field without the mark names no data set.
    """


def data_sets(settings: Settings) -> list[str]:
    """The names of the data sets that settings name, in settings inside them, too; sorted, each once.

    >>> from typing import Annotated, Literal
    >>> class Task(Settings):
    ...     images: Annotated[Literal["digits", "mnist"], DataSet()] | None
    ...     data: str = "no data set"
    >>> class Point(Settings):
    ...     task: Task
    >>> data_sets(Point(task=Task(images="digits"))), data_sets(Point(task=Task(images=None)))
    (['digits'], [])
    """
    return sorted(set(_named(settings)))


def _named(settings: Settings) -> Iterator[str]:
    marked = _marked(type(settings))
    for name in type(settings).model_fields:
        yield from _names(getattr(settings, name), name in marked)


def _names(value: Any, marked: bool) -> Iterator[str]:
    if isinstance(value, Settings):
        yield from _named(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item, marked)
    elif marked and isinstance(value, str):
        yield value


@cache
def _marked(model: type[Settings]) -> set[str]:
    """The fields of a model whose type is marked, as a whole or in a part."""
    return {
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, DataSet) for mark in field.metadata) or _is_marked(field.annotation)
    }


def _is_marked(annotation: Any) -> bool:
    if typing.get_origin(annotation) is typing.Annotated and any(
        isinstance(mark, DataSet) for mark in annotation.__metadata__
    ):
        return True
    return any(map(_is_marked, typing.get_args(annotation)))
