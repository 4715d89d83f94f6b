"""The base of everything that a recipe may set: frozen, strictly typed, finite, no unknown key."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A frozen group of settings. Values are never coerced; NaN, infinities and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


PointT = TypeVar("PointT", bound=Settings)


def point(of: type[PointT], params: Settings, **swept: Any) -> PointT:
    """One point of a sweep: the swept values, and for every other field of the point that of the params.

    A swept value hides the field of the params of that name; `**dict(group)` sweeps over a group of settings.

    Raises:
        TypeError: a field of the point is neither swept nor in the params.

    >>> class Params(Settings):
    ...     depths: tuple[int, ...]
    ...     dim: int
    >>> class Point(Settings):
    ...     depth: int
    ...     dim: int
    >>> params = Params(depths=(8, 16), dim=4)
    >>> [point(Point, params, depth=depth) for depth in params.depths]
    [Point(depth=8, dim=4), Point(depth=16, dim=4)]
    >>> point(Point, params)
    Traceback (most recent call last):
    TypeError: 'depth' of the point is neither swept nor a parameter; the parameters are depths, dim
    """
    rest = [name for name in of.model_fields if name not in swept]
    known = type(params).model_fields
    for name in rest:
        if name not in known:
            raise TypeError(
                f"'{name}' of the point is neither swept nor a parameter; the parameters are {', '.join(known)}"
            )
    return of(**{name: getattr(params, name) for name in rest}, **swept)


def setting(description: str, *, unit: str | None = None, default: Any = ..., **bounds: Any) -> Any:
    """Declare one field of a `Settings`: its meaning, its unit and its bounds (`ge`, `gt`, `le`, `min_length`, ...)."""
    extra: Any = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **bounds)
