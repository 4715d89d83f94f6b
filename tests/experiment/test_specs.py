"""The specs of all experiments have one shape, and one word means one thing in all of them."""

from collections import defaultdict

import pytest

from resodectl.experiment import catalogue
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import Settings
from resodectl.recipe.load import Request, load

EXPERIMENTS = catalogue.experiments()
SHAPE = ["Shared", "Params", "Point", "LOG", "SEED_BLOCK", "cells"]
UNITS = {  # of columns that may have several
    "depth": {"layers", "blocks"},  # a layer of conv-weights is a block of two convolutions
    "train_loss": {"", "nats"},  # a squared error, or a cross-entropy
    "test_loss": {"", "nats"},
    "flow": {"", "rad"},  # a coordinate or an angle along the minimisers
    "time": {"", "tau"},  # of a gradient flow, or of the slower one along minimisers
}
NOT_STEPS = ("scaling/weight-scaling", "entries", "step")  # a residual's step delta_k


def columns() -> list[tuple[str, str, Column]]:
    """All columns of all experiments, with the names of the experiment and of the kind of rows."""
    specs = {name: catalogue.experiment(name).spec for name in EXPERIMENTS}
    return [(name, kind, column) for name, spec in specs.items() for kind in spec.LOG for column in spec.LOG[kind]]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_spec_declares_the_same_parts_in_the_same_order(name: str) -> None:
    spec = catalogue.experiment(name).spec
    assert [part for part in vars(spec) if part in SHAPE] == SHAPE
    assert all(part.__doc__ for part in (spec, spec.Shared, spec.Params, spec.Point, spec.cells))
    assert issubclass(spec.Params, spec.Shared)
    assert issubclass(spec.Point, spec.Shared)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_a_recipe_and_a_cell_have_in_common_is_declared_once(name: str) -> None:
    spec = catalogue.experiment(name).spec
    params, point = spec.Params.model_fields, spec.Point.model_fields
    alike = {field for field in params.keys() & point if params[field].annotation == point[field].annotation}
    assert alike == set(spec.Shared.model_fields)


@pytest.mark.parametrize("name", sorted(catalogue.shipped()))
def test_every_value_of_a_cell_is_swept_or_a_parameter(name: str) -> None:
    for profile in ("smoke", "laptop", "paper"):
        recipe = load(catalogue.shipped()[name], Request(profile))
        points: list[Settings] = recipe.experiment.spec.cells(recipe.params)
        assert all(point.model_fields_set == set(type(point).model_fields) for point in points)
        assert len({point.model_dump_json() for point in points}) == len(points)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_setting_and_every_column_says_what_it_is(name: str) -> None:
    spec = catalogue.experiment(name).spec
    assert all(field.description for field in spec.Params.model_fields.values())
    assert all(column.meaning for columns in spec.LOG.values() for column in columns)


def test_columns_of_one_name_have_one_type_and_one_unit_in_all_experiments() -> None:
    types, units = defaultdict(set), defaultdict(set)
    for name, kind, column in columns():
        if (name, kind, column.name) != NOT_STEPS:
            types[column.name].add(column.dtype)
            units[column.name].add(column.unit)
    assert {name: found for name, found in types.items() if len(found) > 1} == {}
    assert {name: found for name, found in units.items() if len(found) > 1} == UNITS


def test_a_learning_rate_is_called_lr_in_columns_and_settings() -> None:
    named = {(column.name, column.meaning) for _, _, column in columns()}
    for name in EXPERIMENTS:
        fields = catalogue.experiment(name).spec.Params.model_fields
        named |= {(field, info.description or "") for field, info in fields.items()}
    rates = {name for name, says in named if says.startswith("learning rate")}
    assert rates == {"lr", "lrs"}
    assert not {"rate", "rates", "eta", "step_size", "learning_rate"} & {name for name, _ in named}
