"""Where results go.

`OUT/<family>/<name>/<profile>` belongs to the shipped recipe of that name. Any other file gets
`OUT/<family>/<name>@<hash>/<profile>`, also one that has the name of a shipped recipe and says something else. The hash
is of what it computes, so that no recipe replaces the results of another that only has its name.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resodectl.experiment.catalogue import shipped
from resodectl.recipe.load import Recipe, load


@dataclass(frozen=True)
class OutputFolders:
    """Where results go, and in which formats."""

    out: Path
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)

    def folder(self, recipe: Recipe) -> Path:
        name = recipe.name if _is_shipped(recipe) else f"{recipe.name}@{recipe.settings_hash[:8]}"
        return self.out / name / recipe.folder

    def gallery(self, recipe: Recipe) -> Path | None:
        """The gallery's figure: there is one for an unmodified laptop run."""
        of_laptop = recipe.profile == "laptop" and not recipe.overrides
        return self.figures / f"{recipe.name}.png" if self.figures is not None and of_laptop else None

    def gallery_of_paper(self, recipe: Recipe) -> Path | None:
        """The gallery's verdicts at the paper's own setting: there are some for an unmodified run of that profile."""
        of_paper = recipe.profile == "paper" and not recipe.overrides
        return self.figures / f"{recipe.name}.paper.json" if self.figures is not None and of_paper else None

    def shows(self, recipe: Recipe) -> bool:
        """Whether the gallery has a place for the run of a recipe."""
        return (self.gallery(recipe) or self.gallery_of_paper(recipe)) is not None


def _is_shipped(recipe: Recipe) -> bool:
    """Whether a recipe is a shipped one, or a copy that says the same."""
    path = shipped().get(recipe.name)
    if path is None:
        return False
    return path.resolve() == recipe.path.resolve() or recipe.says_the_same_as(_loaded(path))


@cache
def _loaded(path: Path) -> Recipe:
    return load(path)
