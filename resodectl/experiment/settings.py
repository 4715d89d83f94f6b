"""The base of everything that a recipe may set: frozen, strictly typed, finite, no unknown key."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Dtype = Literal["float32", "float64"]


class Settings(BaseModel):
    """A frozen group of settings. Values are never coerced; NaN, infinities and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


PointT = TypeVar("PointT", bound=Settings)


def point(of: type[PointT], params: Settings, **swept: Any) -> PointT:
    """One point of a sweep: the swept values, and for every other field of the point that of the params.

    >>> class Params(Settings):
    ...     depths: tuple[int, ...]
    ...     dim: int
    >>> class Point(Settings):
    ...     depth: int
    ...     dim: int
    >>> point(Point, Params(depths=(8, 16), dim=4), depth=16)
    Point(depth=16, dim=4)
    """
    fixed = {name: getattr(params, name) for name in of.model_fields if name not in swept}
    return of(**fixed, **swept)


def setting(description: str, *, unit: str | None = None, default: Any = ..., **bounds: Any) -> Any:
    """Declare one field of a `Settings`: its meaning, its unit and its bounds (`ge`, `gt`, `le`, `min_length`, ...)."""
    extra: Any = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **bounds)
