"""Where results go."""

from dataclasses import dataclass
from pathlib import Path

from resodectl.recipe.load import Recipe


@dataclass(frozen=True)
class Places:
    """Where results go, and in which formats."""

    out: Path
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)

    def folder(self, recipe: Recipe) -> Path:
        return self.out / recipe.name / recipe.request.folder
