"""Where results go."""

from dataclasses import dataclass
from pathlib import Path

from resodectl.recipe.load import Recipe


@dataclass(frozen=True)
class OutputFolders:
    """Where results go, and in which formats."""

    out: Path
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)

    def folder(self, recipe: Recipe) -> Path:
        return self.out / recipe.name / recipe.folder

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
