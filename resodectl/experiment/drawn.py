"""What a drawing is told of its recipe, beside the log: the title, the params, and what the claims state."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from resodectl.experiment.settings import Settings

ParamsT_co = TypeVar("ParamsT_co", bound=Settings, covariant=True)


class Stated(Protocol):
    """One claim: the rows and the options of its measure, and the number that the paper gives."""

    @property
    def where(self) -> Mapping[str, Any]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def published(self) -> float | None: ...


class Drawn(Protocol[ParamsT_co]):
    """A recipe whose figure is drawn."""

    @property
    def title(self) -> str: ...
    @property
    def params(self) -> ParamsT_co: ...
    @property
    def claims(self) -> Sequence[Stated]: ...
