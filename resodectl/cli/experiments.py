"""What an author of a recipe may ask of an experiment: its params, the log's columns, its measures and drawings."""

import inspect
import json
import types
import typing
from typing import Any

from resodectl.cli.tables import document_on_stdout, table
from resodectl.experiment import catalogue


def show_experiment(name: str, as_json: bool) -> None:
    """Print what a recipe may say of an experiment."""
    known = facts(catalogue.experiment(name))
    if as_json:
        document_on_stdout(known)
        return
    print(f"{name}: {known['about']}\n")
    params = [(p["name"], p["type"], p["default"], p["unit"], p["meaning"]) for p in known["params"]]
    table(("parameter", "type", "default", "unit", "meaning"), params, fold=("type", "meaning"))
    for kind, columns in known["log"].items():
        print(f"\nrows of the kind '{kind}':")
        of_kind = [(column["name"], column["dtype"], column["unit"], column["meaning"]) for column in columns]
        table(("column", "type", "unit", "meaning"), of_kind, fold=("meaning",))
    print()
    measures = [(m["name"], "\n".join(m["options"]), m["meaning"]) for m in known["measures"]]
    table(("claim", "with", "what it measures"), measures, fold=("with", "what it measures"))
    print()
    table(("draw", "what it shows"), [(d["name"], d["meaning"]) for d in known["drawings"]], fold=("what it shows",))


def facts(experiment: catalogue.Experiment) -> dict[str, Any]:
    """All that is printed of an experiment, as plain values."""
    spec, analysis = experiment.spec, experiment.module("analysis")
    return {
        "experiment": experiment.name,
        "about": inspect.cleandoc(spec.__doc__ or ""),
        "params": [
            {
                "name": name,
                "type": in_words(field.annotation),
                "default": "" if field.is_required() else json.dumps(field.get_default(), default=str),
                "unit": (field.json_schema_extra or {}).get("unit", ""),
                "meaning": field.description or "",
            }
            for name, field in spec.Params.model_fields.items()
        ],
        "log": {kind: [vars(column) for column in columns] for kind, columns in spec.LOG.items()},
        "measures": [
            {"name": name, "options": _options(function), "meaning": _about(function)}
            for name, function in _named(analysis, "measure_")
        ],
        "drawings": [{"name": name, "meaning": _about(function)} for name, function in _named(analysis, "draw_")],
    }


def _named(analysis: types.ModuleType, prefix: str) -> list[tuple[str, Any]]:
    return [
        (name.removeprefix(prefix), function)
        for name, function in vars(analysis).items()
        if name.startswith(prefix) and inspect.isfunction(function)
    ]


def _about(function: Any) -> str:
    """The docstring of a function, in one line a paragraph."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _options(measure: Any) -> list[str]:
    """The options of a measure with their types, and their defaults if they have any."""
    from resodectl.claims.measures import option_type

    return [
        f"{name}: {in_words(option_type(measure, name))}"
        + ("" if option.default is option.empty else f" = {json.dumps(option.default, default=str)}")
        for name, option in inspect.signature(measure).parameters.items()
        if option.kind is option.KEYWORD_ONLY
    ]


def in_words(annotation: Any) -> str:
    """A type as the author of a recipe knows it.

    >>> in_words(typing.Literal["euler", "heun"] | None), in_words(tuple[int, ...]), in_words(dict[str, float])
    ('euler | heun | null', 'list of integer', 'mapping')
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return in_words(parts[0])
    if origin is typing.Literal:
        return " | ".join(str(json.dumps(value)).strip('"') for value in parts)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(map(in_words, parts)))
    if origin in (tuple, list):
        return "list of " + ", ".join(dict.fromkeys(in_words(part) for part in parts if part is not Ellipsis))
    words = {bool: "true | false", int: "integer", float: "number", str: "string", type(None): "null", Any: "any"}
    fields = getattr(annotation, "model_fields", {})
    return words.get(annotation) or (f"{{{', '.join(fields)}}}" if fields else "mapping")
