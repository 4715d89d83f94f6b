"""The shape of a recipe file."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from resodectl.experiment.choices import Distinct
from resodectl.experiment.settings import Settings, setting

Profile = Literal["smoke", "laptop", "paper"]
PROFILES: tuple[Profile, ...] = ("smoke", "laptop", "paper")


class Form:
    """A pattern of strings, for the JSON Schema, and what to say of those that have another form."""

    def __init__(self, pattern: str, says: str) -> None:
        self.pattern, self.says = pattern, says

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def check(self, text: str) -> str:
        if not re.search(self.pattern.replace("$", r"\Z"), text):  # `$` would let a line end pass
            raise ValueError(f"{self.says}, got {text!r}")
        return text


Name = Annotated[str, Form(r"^[a-z][a-z0-9_-]*$", "write a name of small letters, digits, '-' and '_'")]
ExperimentName = Annotated[
    str, Form(r"^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$", "write the experiment as family/name, such as adjoint/memory")
]
ArxivId = Annotated[
    str,
    Form(
        r"^([a-z.-]+/\d{7}|\d{4}\.\d{4,5})$",
        'write an arXiv id without its version and without "arXiv:", such as "2205.14612" or "math/0309136"',
    ),
]
Text = Annotated[str, Form(r"\S", "is empty; write a few words")]
Scalar = bool | int | float | str


Values = Distinct[Scalar]


class Range(Settings):
    """An interval of a column's values, both ends included."""

    min: float | None = None
    max: float | None = None


class Near(Settings):
    """The value of a column that is nearest to this one: grids of other profiles need not hit it exactly."""

    near: float

    @model_validator(mode="before")
    @classmethod
    def stands_alone(cls, value: Any) -> Any:
        if isinstance(value, dict) and "near" in value and not value.keys().isdisjoint(Range.model_fields):
            raise ValueError("give either 'near', or 'min' and 'max'")
        return value


Selection = dict[str, Scalar | tuple[Scalar, ...] | Range | Near]


class Band(Settings):
    """Where an estimate must fall; an end that is None is open, and one integer is a band of its own.

    >>> str(Band.model_validate((-1.1, None))), str(Band.model_validate(4))
    ('[-1.1, inf)', '4')
    """

    low: float | None
    high: float | None

    @model_validator(mode="before")
    @classmethod
    def from_pair(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return {"low": value, "high": value}
        pair = isinstance(value, list | tuple) and len(value) == 2
        if not pair or any(isinstance(end, bool) or not isinstance(end, int | float | None) for end in value):
            raise ValueError(
                "a band is a pair [low, high] of numbers, null for an open end; or one integer, where that is exact"
            )
        if None not in value and value[0] >= value[1]:
            raise ValueError("the low end of a band must be below its high end")
        return {"low": value[0], "high": value[1]}

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("a band that is open at both ends cannot fail")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the low end of a band must be below its high end")
        return self

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        low = "(-inf" if self.low is None else f"[{self.low:g}"
        high = "inf)" if self.high is None else f"{self.high:g}]"
        return f"{low}, {high}"


class BandByProfile(Settings):
    """A band of its own for some profiles."""

    smoke: Band | None = None
    laptop: Band
    paper: Band


class Theory(Settings):
    """What theory says of the measured value, and where that is written."""

    value: float
    source: Text


class Control(Settings):
    """One broken hypothesis under which the claim must fail."""

    because: Text = setting("which hypothesis is broken")
    where: Selection = setting("the rows to look at instead (these keys replace the claim's)", default={})
    set: dict[str, Any] = setting("params to change; the control then runs its own cells", default={})

    @model_validator(mode="after")
    def changes_something(self) -> Self:
        if not self.where and not self.set:
            raise ValueError("a control must change something: give 'where' or 'set'")
        return self


class Claim(Settings):
    """One quantitative statement of the paper about a figure."""

    claim: Name = setting("the measure: measure_<claim> of the experiment's analysis")
    says: Text = setting("the statement, in one sentence")
    kind: Name | None = setting("the log's kind, where the log has several", default=None)
    where: Selection = setting("the rows it looks at", default={})
    each: dict[str, Values] = setting(
        "makes one claim of each value of a column; `says` has {column} where the value stands",
        default={},
        max_length=1,
    )
    options: dict[str, Any] = setting("options of the measure", default={}, alias="with")
    published: float | None = setting("the paper's number", default=None)
    theory: Theory | None = setting("what theory says", default=None)
    within: Band | BandByProfile = setting("the band that the whole 95 % interval must fall in")
    gate: bool = setting("whether the claim is judged, or only reported", default=True)
    because: Text | None = setting("why the claim is not judged", default=None)
    control: Control | None = setting("the broken hypothesis under which the claim must fail", default=None)
    controls: tuple[Control, ...] = setting("in place of `control`, several broken hypotheses", default=())

    @model_validator(mode="after")
    def has_controls(self) -> Self:
        if (self.control is None) == (not self.controls):
            raise ValueError("a claim needs either 'control', or 'controls', a list of several")
        return self

    @model_validator(mode="after")
    def ungated_says_why(self) -> Self:
        if self.gate == (self.because is not None):
            raise ValueError("'because' belongs to a claim with 'gate: false', which must have it")
        return self

    @model_validator(mode="after")
    def each_value_makes_a_sentence(self) -> Self:
        for column in self.each:
            if column in self.where:
                raise ValueError(f"'{column}' stands in 'where' and in 'each'; leave it to 'each'")
            if f"{{{column}}}" not in self.says:
                raise ValueError(f"'says' must name the value of each claim: write {{{column}}} where it stands")
        return self

    def of_each(self) -> tuple["Claim", ...]:
        """The claims that this one stands for: one for each value of `each`, itself if there is none."""
        (column, values), *_ = [*self.each.items(), ("", ())]
        if not column:
            return (self,)
        return tuple(
            self.model_copy(
                update={
                    "each": {},
                    "says": self.says.replace(
                        f"{{{column}}}", f"{value:g}" if isinstance(value, float) else str(value)
                    ),
                    "where": {**self.where, column: Near(near=value) if isinstance(value, float) else value},
                }
            )
            for value in values
        )

    def every_control(self) -> dict[tuple[str | int, ...], Control]:
        """The controls, one or several, each by its place in the claim."""
        if self.control is not None:
            return {("control",): self.control}
        return {("controls", number): control for number, control in enumerate(self.controls)}

    def band(self, profile: Profile) -> Band:
        """The band that holds in a profile; `smoke` takes the laptop's unless it has its own."""
        if isinstance(self.within, Band):
            return self.within
        return getattr(self.within, profile) or self.within.laptop


class Paper(Settings):
    """A paper that papers.yaml does not have."""

    title: Text = setting("its title")
    authors: tuple[Text, ...] = setting("its authors", min_length=1)
    year: int = setting("the year of publication", ge=1600)
    venue: Text | None = setting("where it was published", default=None)
    arxiv: ArxivId | None = setting("its arXiv id", default=None)


class RecipeFile(Settings):
    """One figure or table of one paper: its setting, its smaller profiles and its claims."""

    family: Name = setting("the family that lists this recipe")
    paper: Name | Paper = setting("the paper's key in papers.yaml, or a paper of your own")
    figure: Text = setting("the figure or table of the paper, or 'unnumbered'")
    title: Text = setting("what the figure shows")
    experiment: ExperimentName = setting("the experiment, family/name")
    draw: Name | None = setting("draw_<draw> of the experiment's analysis, where it has several", default=None)
    departs: Text | None = setting("in what even the paper profile differs from the paper", default=None)
    params: dict[str, Any] = setting("the paper's own setting: the profile 'paper'")
    profiles: dict[Literal["smoke", "laptop"], dict[str, Any]] = setting(
        "what smaller profiles change, and why; without `laptop` that profile is the params", default={}
    )
    claims: tuple[Claim, ...] = setting("what the figure claims", default=())

    @model_validator(mode="after")
    def one_headline_is_gated(self) -> Self:
        if self.claims and not any(claim.gate for claim in self.claims):
            raise ValueError("every recipe gates its headline: no claim here is judged")
        return self
