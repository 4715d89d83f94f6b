"""What the shared options of the command line ask for."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resodectl.engine.run import Setting
    from resodectl.output.places import Places
    from resodectl.recipe.load import Recipe, Request

OUT, STORE = Path("runs"), Path("runs/store")


@dataclass(frozen=True)
class Asked:
    """The values of the shared options; a command that lacks some leaves them at their defaults."""

    profile: Any = "laptop"
    sets: tuple[str, ...] = ()
    seeds: int | None = None
    first_seed: int = 0
    device: str = "auto"
    jobs: int | None = None
    data_root: Path | None = None
    store_folder: Path = STORE
    out: Path = OUT
    figures: Path | None = None
    formats: tuple[str, ...] = ("png",)
    controls: bool = False
    strict: bool = False
    shard: str | None = None
    force: bool = False
    dry_run: bool = False
    as_json: bool = False
    junit: Path | None = None
    quiet: bool = False

    @property
    def request(self) -> "Request":
        """What is asked of a recipe."""
        from resodectl.recipe.load import Request

        return Request(self.profile, self.sets, self.seeds, self.first_seed)

    @property
    def places(self) -> "Places":
        """Where results go."""
        from resodectl.output.places import Places

        return Places(self.out, self.figures, self.formats)

    def setting(self) -> "Setting":
        """Where and on what cells are computed.

        Raises:
            UserError: CUDA was asked for, and there is none.
        """
        from resodectl.engine.executors import usable_cores
        from resodectl.engine.run import Setting, resolve_device

        jobs = self.jobs or usable_cores()
        return Setting(self.store_folder, resolve_device(self.device), self.data_root, jobs)

    def command(self, recipe: "Recipe") -> str:
        """The command that makes the log of a recipe."""
        from resodectl.recipe.catalogue import shipped

        named = recipe.name if shipped().get(recipe.name) == recipe.path else str(recipe.path)
        words = ["resodectl", "run", named, "--profile", self.profile]
        words += [word for override in recipe.request.overrides for word in override.split(" ", 1)]
        folders = (
            ("--out", self.out, OUT),
            ("--store", self.store_folder, STORE),
            ("--data-root", self.data_root, None),
        )
        words += [word for option, here, usual in folders if here != usual for word in (option, str(here))]
        return shlex.join(words)

    def require_folders(self, store: bool) -> None:
        """Make sure, before anything is computed, that what is asked for can be written.

        Raises:
            UserError: a folder cannot be written to.
        """
        from resodectl.files import require_writable

        junit = self.junit.parent if self.junit else None
        folders = {
            "out": self.out,
            "figures": self.figures,
            "junit": junit,
            "store": self.store_folder if store else None,
        }
        for option, folder in folders.items():
            if folder is not None:
                require_writable(folder, option)
