"""What every experiment and every recipe must pass, present and future."""

import hashlib
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from resodectl.claims.estimate import Estimate
from resodectl.claims.measures import check, check_measures
from resodectl.engine.checkpoint import FileCheckpoint
from resodectl.engine.executors import InProcess, Pool
from resodectl.engine.run import Execution, run, tasks
from resodectl.engine.store import Store
from resodectl.engine.tables import schema, unpack
from resodectl.engine.worker import Task
from resodectl.experiment import catalogue
from resodectl.recipe.json_schema import recipe_schema
from resodectl.recipe.load import Recipe, Request, load
from resodectl.runs import logs
from resodectl.runs.figure import drawing_of, figure_of, footer_of
from resodectl.runs.plan import cells
from resodectl.runs.recompute import Recomputed, chosen, recompute

RECIPES = sorted(catalogue.shipped())
EXPERIMENTS = catalogue.experiments()


@cache
def recipe(name: str, profile: str = "smoke") -> Recipe:
    return load(catalogue.shipped()[name], Request(profile))


def recipe_of(experiment: str) -> Recipe:
    """The first recipe of an experiment."""
    return next(found for name in RECIPES if (found := recipe(name)).file.experiment == experiment)


def planned(of: Recipe, store: Path, every_s: float = 30.0) -> list[Task]:
    return tasks(cells(of), Execution(store, checkpoint_every_s=every_s))


def tables(store: Path, task: Task, of: Recipe) -> dict[str, pa.Table]:
    found = Store(store)
    data = found.get(found.find([task.address])[task.address])
    return unpack(pq.read_table(io.BytesIO(data)), of.experiment.spec.LOG)


def digest(store: Path, task: Task, of: Recipe) -> str:
    """A digest of the bits of a cell's rows."""
    found = hashlib.sha256()
    for table in tables(store, task, of).values():
        buffer = io.BytesIO()
        with pa.ipc.new_stream(buffer, table.schema) as stream:
            stream.write_table(table.combine_chunks())
        found.update(buffer.getvalue())
    return found.hexdigest()


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that keeps the smoke cells that the tests of this module ask for."""
    return tmp_path_factory.mktemp("smoke")


def computed(of: Recipe, store: Path) -> list[Task]:
    """The smoke cells of a recipe, computed in this process if the store lacks them."""
    wanted = planned(of, store)
    stored = Store(store).find(task.address for task in wanted)
    outcomes = run([task for task in wanted if task.address not in stored], InProcess())
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return wanted


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(2)
    yield made
    made.stop()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_log_has_rows_of_the_declared_columns_for_every_cell(name: str, smoke: Path) -> None:
    of = recipe_of(name)
    spec = of.experiment.spec
    assert "dtype" in spec.Point.model_fields
    assert all(column.meaning for columns in spec.LOG.values() for column in columns)
    for task in computed(of, smoke):
        for kind, table in tables(smoke, task, of).items():
            assert table.schema == schema(spec.LOG[kind])
            assert table.num_rows > 0
            if "seed" in table.column_names:
                assert set(table["seed"].to_pylist()) == set(task.identity["seeds"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_cells_computed_again_in_a_pool_in_another_order_are_the_same_to_the_bit(
    name: str, smoke: Path, pool: Pool
) -> None:
    store, tasks = Store(smoke), computed(recipe_of(name), smoke)
    again = recompute(chosen(tasks, store, None), store, pool)
    assert again == Recomputed(len({task.address for task in tasks}), (), ())


class Cut(BaseException):
    """The moment a process is killed."""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_cell_killed_after_its_first_checkpoint_resumes_bit_for_bit(
    name: str, smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = recipe_of(name)
    undisturbed, killed = computed(of, smoke)[-1], planned(of, tmp_path, every_s=0.0)[-1]
    save = FileCheckpoint.save

    def save_and_die(self: FileCheckpoint, state: object) -> None:
        save(self, state)
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(FileCheckpoint, "save", save_and_die)
        try:
            list(run([killed], InProcess()))
        except Cut:
            assert list((tmp_path / "checkpoints").iterdir())
    list(run([killed], InProcess()))
    assert digest(smoke, undisturbed, of) == digest(tmp_path, killed, of)


@pytest.mark.parametrize("name", RECIPES)
def test_it_validates_in_every_profile_and_against_the_json_schema(name: str) -> None:
    path = catalogue.shipped()[name]
    assert f"{recipe(name).file.family}/{path.stem}" == name
    assert path.stem.startswith(recipe(name).file.paper)
    for profile in ("smoke", "laptop", "paper"):
        check_measures(recipe(name, profile))
        drawing_of(recipe(name, profile))
        assert cells(recipe(name, profile))
    document = json.loads(json.dumps(_core(path)))
    Draft202012Validator(recipe_schema()).validate(document)


def _core(path: Path) -> object:
    from resodectl.recipe.reading import read_file

    return read_file(path).data


@pytest.mark.parametrize("name", RECIPES)
def test_its_claims_are_measured_and_each_control_looks_at_something_else(name: str, smoke: Path) -> None:
    of = recipe(name)
    log = of.experiment.spec.LOG
    found = logs.concatenate((tables(smoke, task, of) for task in computed(of, smoke)), log)
    frames = {kind: table.to_pandas() for kind, table in found.items()}
    for index, verdict in enumerate(check(of, frames, {})):
        assert isinstance(verdict.estimate, Estimate) or verdict.judgement == "no rows"  # a smaller grid may lack them
        own = {task.address for task in planned(of, smoke)}
        for place, control in verdict.claim.every_control().items():
            if control.set:
                other = tasks(cells(of, (index, place)), Execution(smoke))
                assert {task.address for task in other} != own
            else:
                assert verdict.claim.where | control.where != verdict.claim.where


@pytest.mark.parametrize("name", RECIPES)
def test_its_figure_is_drawn_twice_with_the_same_bytes(name: str, smoke: Path, tmp_path: Path) -> None:
    from resodectl.drawing.save import Provenance, save

    of = recipe(name)
    log = of.experiment.spec.LOG
    found = logs.concatenate((tables(smoke, task, of) for task in computed(of, smoke)), log)
    frames = {kind: table.to_pandas() for kind, table in found.items()}
    provenance = Provenance("0", of.hash, "log", "code")
    drawn = []
    for copy in ("one", "two"):
        (file,) = save(figure_of(of, frames), tmp_path / copy, ("svg",), provenance, footer_of(of))
        drawn.append(file.read_bytes())
    assert drawn[0] == drawn[1]


def test_a_dry_run_computes_and_writes_nothing(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resodectl.engine.executors.compute", lambda *_: pytest.fail("a cell was computed"))
    ended = shell("run", "--all", "--profile", "paper", "--dry-run", "--controls", "--data-root", "nowhere")
    assert ended.code in (0, 2), ended.err  # 2: the data set of a paper profile is missing, which is said at once
    assert shell("run", "--all", "--dry-run", "--controls").code == 0
    assert list(tmp_path.iterdir()) == []
