"""From a file, a profile and overrides to a validated recipe."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from resodectl.experiment import catalogue
from resodectl.experiment.outside import input_files
from resodectl.experiment.settings import Settings
from resodectl.recipe.checking import check_claims, check_names, check_stem
from resodectl.recipe.deviations import Deviation, differences
from resodectl.recipe.explaining import explain
from resodectl.recipe.merging import Layer, Layers, Written, as_text, in_order, option, override
from resodectl.recipe.papers import papers
from resodectl.recipe.reading import Document, Key, KeyPath, RecipeError, check_mapping, read_file
from resodectl.recipe.schema import Claim, Paper, Profile, RecipeFile

MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class Request:
    """What is asked of a recipe from outside it."""

    profile: Profile = "laptop"
    sets: tuple[str, ...] = ()
    seeds: int | None = None
    first_seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """A validated recipe in one profile, with overrides applied."""

    path: Path
    file: RecipeFile
    request: Request
    params: Any
    of_profiles: Mapping[Profile, Any]
    _document: Document = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.file.family}/{self.path.stem}"

    @property
    def paper_params(self) -> Any:
        """The paper's own setting."""
        return self.of_profiles["paper"]

    @property
    def profile_params(self) -> Any:
        """The setting of the profile; one that the file does not have is the paper's own."""
        return self.of_profiles.get(self.profile, self.paper_params)

    @property
    def title(self) -> str:
        return self.file.title

    @property
    def figure(self) -> str:
        return self.file.figure

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims, one for each value of those that say `each`."""
        return tuple(claim for written in self.file.claims for claim in written.of_each())

    @property
    def paper(self) -> Paper:
        """What is known of the paper."""
        return self.file.paper if isinstance(self.file.paper, Paper) else papers()[self.file.paper]

    @property
    def profile(self) -> Profile:
        return self.request.profile

    @property
    def experiment(self) -> catalogue.Experiment:
        return catalogue.Experiment(self.file.experiment)

    @property
    def because(self) -> str | None:
        """Why the profile differs from the paper."""
        return None if self.profile == "paper" else self.file.profiles.get(self.profile, {}).get("because")

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The settings that differ from the paper's, in the order of the params."""
        paper, here = (params.model_dump(mode="json") for params in (self.paper_params, self.params))
        return tuple(differences(paper, here))

    @cached_property
    def overrides(self) -> tuple[str, ...]:
        """What departs from the profile, as the options that say so: the same ones however it was asked for."""
        profile, here = (params.model_dump(mode="json") for params in (self.profile_params, self.params))
        changed = {change.key: as_text(change.here) for change in differences(profile, here)}
        seeds = changed.pop("seeds", None)
        return (
            *(f"--set {key}={value}" for key, value in sorted(changed.items())),
            *((f"--seeds {seeds}",) if seeds else ()),
            *((f"--first-seed {self.request.first_seed}",) if self.request.first_seed else ()),
        )

    @property
    def folder(self) -> str:
        """The name of the output folder: the profile, and a hash of the overrides if there are any."""
        if not self.overrides:
            return self.profile
        return f"{self.profile}-{hashlib.sha256(json.dumps(self.overrides).encode()).hexdigest()[:8]}"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that the recipe says in this profile."""
        content = {
            "file": self._statements,
            "params": self.params.model_dump(mode="json"),
            "paper": self.paper_params.model_dump(mode="json"),
            "profile": self.profile,
            "first_seed": self.request.first_seed,
        }
        return _digest(content)

    @cached_property
    def settings_hash(self) -> str:
        """SHA-256 of what the file says to compute: the experiment, the params of each profile, and its folder, if
        params name files, for they are looked for there."""
        beside = [str(self.path.parent.resolve())] if any(map(input_files, self.of_profiles.values())) else []
        return _digest({"experiment": self.file.experiment, "files beside": beside, **self._settings})

    def says_the_same_as(self, other: "Recipe") -> bool:
        """Whether the files of two recipes differ in nothing but comments, order and spelling."""
        return self._said() == other._said()

    def _said(self) -> tuple[Any, ...]:
        reasons = {profile: changes.get("because") for profile, changes in self.file.profiles.items()}
        return self._statements, self._settings, reasons

    @cached_property
    def _statements(self) -> dict[str, Any]:
        """What the file says besides its params and profiles."""
        return self.file.model_dump(mode="json", by_alias=True, exclude={"params", "profiles"})

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """The params of each profile, as plain values."""
        profiles: tuple[Profile, ...] = ("paper", *self.file.profiles)
        return {name: self.of_profiles[name].model_dump(mode="json") for name in profiles}

    def location(self, path: KeyPath) -> str:
        """`file:line:column` of what stands at a path of the file, or of what encloses it."""
        return self._document.location(path)

    def claim_location(self, index: int, *path: Key) -> str:
        """`file:line:column` of a part of a claim; those that one `each` makes stand at one place."""
        return self.location(("claims", self._written(index), *path))

    def _written(self, index: int) -> int:
        return [written for written, claim in enumerate(self.file.claims) for _ in claim.of_each()][index]

    def varied(self, index: int, place: KeyPath) -> Any:
        """The params of the control at a place of a claim: its `set` laid over the recipe's own.

        Raises:
            RecipeError: they are not valid; a loaded recipe's are.
        """
        layers = _layers(self._document, self.profile, self.request)
        written = Written(self._document, ("claims", self._written(index), *place, "set"))
        layers.lay(Layer(self.claims[index].every_control()[place].set, written))
        return _validated(self.experiment.spec.Params, layers)


def load(path: Path, request: Request | None = None) -> Recipe:
    """Load and validate a recipe.

    Raises:
        RecipeError: with file, line and column (or the `--set`), what was expected, and the nearest valid key.
        UserError: the experiment's spec cannot be used.
    """
    request = request or Request()
    document = read_file(path)
    check_stem(path.stem, document.source)
    check_mapping(document)
    try:
        file = RecipeFile.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise explain(error, RecipeFile, document.data, document.location) from error
    check_names(file, request.profile, document)
    spec = catalogue.experiment(file.experiment).spec
    profiles: tuple[Profile, ...] = ("paper", *file.profiles)
    of_profiles = {name: _validated(spec.Params, _layers(document, name, Request(name))) for name in profiles}
    params = of_profiles.get(request.profile, of_profiles["paper"])
    if request.sets or request.seeds is not None:
        params = _validated(spec.Params, _layers(document, request.profile, request))
    recipe = Recipe(path, file, request, params, of_profiles, document)
    check_claims(file.claims, spec.LOG, document)
    for index, claim in enumerate(recipe.claims):
        for place, control in claim.every_control().items():
            if control.set:
                recipe.varied(index, place)
    return recipe


def _layers(document: Document, profile: Profile, request: Request) -> Layers:
    """The paper's params with the profile and the request's overrides laid over them."""
    layers = Layers(Layer(document.data["params"], Written(document, ("params",))))
    if profile != "paper":
        changes = {
            key: value for key, value in document.data.get("profiles", {}).get(profile, {}).items() if key != "because"
        }
        layers.lay(Layer(changes, Written(document, ("profiles", profile))))
    options = [override(text) for text in request.sets]
    if request.seeds is not None:
        options.append(option(f"--seeds {request.seeds}", {"seeds": request.seeds}))
    for layer in in_order(options):
        layers.lay(layer)
    return layers


def _validated(model: type[Settings], layers: Layers) -> Any:
    try:
        params: Any = model.model_validate_json(json.dumps(layers.values))
    except ValidationError as error:

        def location(path: KeyPath) -> str:
            return layers.to_blame(path, lambda values: _is_valid(model, values))

        raise explain(error, model, layers.values, location, ("params",)) from error
    if params.seeds > MOST_SEEDS:
        raise RecipeError(f"{layers.location(('seeds',))}: params.seeds: more than {MOST_SEEDS} seeds are too many")
    return params


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_valid(model: type[Settings], values: dict[str, Any]) -> bool:
    try:
        model.model_validate_json(json.dumps(values))
    except ValidationError:
        return False
    return True
