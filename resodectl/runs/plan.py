"""Planning: the cells of recipes and of their controls, and which of them are still missing."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from resodectl.claims.measures import PlacedControl, check_measures
from resodectl.datasets.dataset import DataError
from resodectl.engine import sources
from resodectl.engine.address import entries
from resodectl.engine.fingerprint import environment_reads
from resodectl.engine.run import Execution, tasks
from resodectl.engine.store import Store
from resodectl.engine.worker import Outcome, Task
from resodectl.errors import UserError
from resodectl.experiment.cells import Cell, cut
from resodectl.recipe.load import Recipe
from resodectl.runs.figure import drawing_of
from resodectl.runs.kept import Kept, find


@dataclass
class Job:
    """The cells of one recipe, those of its controls by claim and place, and what is known of them so far."""

    recipe: Recipe
    tasks: list[Task]
    controls: dict[PlacedControl, list[Task]]
    waiting: set[str] = field(default_factory=set)
    computed: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    kept: Kept | None = None

    def wanted(self, controls: bool) -> list[Task]:
        """The tasks of the recipe, and of its controls if they are asked for, each once."""
        every = [*self.tasks, *(task for tasks in self.controls.values() if controls for task in tasks)]
        return list({task.address: task for task in every}.values())


def cells(recipe: Recipe, control: PlacedControl | None = None) -> list[Cell]:
    """The cells of a recipe, or of a control of one of its claims."""
    params = recipe.params if control is None else recipe.varied(*control)
    first = recipe.request.first_seed
    spec = recipe.experiment.spec
    seeds = range(first, first + params.seeds)
    return list(cut(recipe.file.experiment, spec.cells(params), seeds, spec.SEED_BLOCK))


def plan(recipes: Sequence[Recipe], execution: Execution) -> list[Job]:
    """The jobs of recipes, checked as far as possible before anything is computed or written.

    What was measured of the cells before, by the same code, need not be checked: its analysis is not even imported.

    Raises:
        UserError: a claim names no measure, or a data set is missing.
    """
    sources.recall(execution.store)
    jobs = []
    for recipe in recipes:
        try:
            job = Job(recipe, own_tasks(recipe, execution), control_tasks(recipe, execution))
        except DataError as error:
            check(recipe)
            raise UserError(f"{recipe.name}, profile {recipe.profile}: {error}") from error
        job.kept = find(job, Store(execution.store))
        if job.kept is None:
            check(recipe)
        jobs.append(job)
    _warn_of_environment(recipe.file.experiment for recipe in recipes)
    return jobs


def _warn_of_environment(experiments: Iterable[str]) -> None:
    """Say what the address of a cell cannot know: values that a family's own modules read from the environment."""
    for place in dict.fromkeys(place for name in experiments for place in environment_reads(entries(name))):
        print(f"warning: {place}: the environment determines no address; make it a parameter", file=sys.stderr)


def check(recipe: Recipe) -> None:
    """Refuse claims that name no measure of the experiment, and a figure that no function draws.

    Raises:
        RecipeError: with the place in the recipe.
    """
    check_measures(recipe)
    drawing_of(recipe)


def own_tasks(recipe: Recipe, execution: Execution) -> list[Task]:
    """The tasks of the recipe itself."""
    return tasks(cells(recipe), execution, recipe.path.parent)


def control_tasks(recipe: Recipe, execution: Execution) -> dict[PlacedControl, list[Task]]:
    """The tasks of the controls that need cells of their own."""
    return {
        (index, place): tasks(cells(recipe, (index, place)), execution, recipe.path.parent)
        for index, claim in enumerate(recipe.claims)
        for place, control in claim.every_control().items()
        if control.set
    }


def missing(jobs: Sequence[Job], store: Store, controls: bool, force: bool = False) -> list[Task]:
    """The tasks that the store does not have, each once, in the order of the jobs; the jobs then wait for them."""
    stored = {} if force else store.find(task.address for job in jobs for task in job.wanted(controls))
    needed: dict[str, Task] = {}
    for job in jobs:
        absent = [task for task in job.wanted(controls) if task.address not in stored]
        job.waiting = {task.address for task in absent}
        needed.update({task.address: task for task in absent})
    return list(needed.values())


def settle(jobs: Sequence[Job], outcome: Outcome) -> list[Job]:
    """Tell the jobs what became of a cell; returns those that now wait for nothing more.

    A cell that failed takes the recipe's figure along if it is the recipe's own, and else only the control.
    """
    ready = []
    for job in jobs:
        if outcome.address not in job.waiting:
            continue
        job.waiting.discard(outcome.address)
        if outcome.error is None:
            job.computed[outcome.address] = outcome.seconds
        elif any(task.address == outcome.address for task in job.tasks):
            job.errors.append(outcome.error)
        if not job.waiting:
            ready.append(job)
    return ready
