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
        shown = self.figures is not None and recipe.profile == "laptop" and not recipe.overrides
        return self.figures / f"{recipe.name}.png" if self.figures and shown else None
