"""Which settings name what stands outside the code: data sets, and files. It is their type that says so, whatever the
field is called."""

import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

from resodectl.experiment.settings import Settings


class DataSet:
    """Marks a type whose values name data sets: the files of the set then belong to what determines a cell.

    `Annotated[Literal["digits", "mnist"], DataSet()]` is a choice of two. A field without the mark names no data set.
    """


class InputFile:
    """Marks a type whose values name files: what such a file holds then belongs to what determines a cell.

    `Annotated[str, InputFile()]` is the name of a file beside the recipe or in `--data-root`; the simulation gets its
    path from `context.input(name)`.
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
    return sorted(set(_named(settings, DataSet)))


def input_files(settings: Settings) -> tuple[str, ...]:
    """The names of the files that settings name, in settings inside them, too; sorted, each once.

    >>> from typing import Annotated
    >>> class Point(Settings):
    ...     steps: Annotated[str, InputFile()]
    ...     label: str = "no file"
    >>> input_files(Point(steps="measured/steps.csv"))
    ('measured/steps.csv',)
    """
    return tuple(sorted(set(_named(settings, InputFile))))


def _named(settings: Settings, mark: type) -> Iterator[str]:
    marked = _marked(type(settings), mark)
    for name in type(settings).model_fields:
        yield from _names(getattr(settings, name), mark, name in marked)


def _names(value: Any, mark: type, marked: bool) -> Iterator[str]:
    if isinstance(value, Settings):
        yield from _named(value, mark)
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item, mark, marked)
    elif marked and isinstance(value, str):
        yield value


@cache
def _marked(model: type[Settings], mark: type) -> set[str]:
    """The fields of a model whose type is marked, as a whole or in a part."""
    return {
        name
        for name, field in model.model_fields.items()
        if any(isinstance(found, mark) for found in field.metadata) or _is_marked(field.annotation, mark)
    }


def _is_marked(annotation: Any, mark: type) -> bool:
    if typing.get_origin(annotation) is typing.Annotated and any(
        isinstance(found, mark) for found in annotation.__metadata__
    ):
        return True
    return any(_is_marked(part, mark) for part in typing.get_args(annotation))
