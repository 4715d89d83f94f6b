"""From what was named on the command line to loaded recipes."""

import shlex
from collections.abc import Sequence

from resodectl.errors import UserError
from resodectl.experiment import catalogue
from resodectl.recipe.load import Recipe, Request, load


def chosen(references: Sequence[str], request: Request, family: str | None = None, every: bool = False) -> list[Recipe]:
    """The recipes that were named, each once; all those of the family, or all, if none was.

    Raises:
        UserError: nothing was named, or something that there is not; see `catalogue.locate` and `load`.
    """
    if references and every:
        raise UserError("--all takes no recipes beside it")
    if not references and not every and family is None:
        raise UserError("name a recipe (see `resodectl list`), or give --all")
    if references:
        paths = [path for reference in references for path in catalogue.locate(reference, family)]
    else:
        paths = [path for name, path in catalogue.shipped().items() if family in (None, name.split("/")[0])]
    recipes = [load(path, request) for path in {path.resolve(): path for path in paths}.values()]
    for recipe in recipes:
        owner = recipe.file.family
        if family not in (None, owner):
            command = shlex.join(["resodectl", owner, str(recipe.path)])
            raise UserError(f"{recipe.path}: is a recipe of the family {owner}; run `{command}`")
    names = [recipe.name for recipe in recipes]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two recipes are called {name}; run them one at a time, or rename one file")
    if not recipes:
        raise UserError(f"the family {family} has no recipe of its own yet" if family else "there are no recipes")
    return recipes
