"""The base of everything that a recipe may set: frozen, strictly typed, finite, no unknown key."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Dtype = Literal["float32", "float64"]


class Settings(BaseModel):
    """A frozen group of settings. Values are never coerced; NaN, infinities and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def setting(description: str, *, unit: str | None = None, default: Any = ..., **bounds: Any) -> Any:
    """Declare one field of a `Settings`: its meaning, its unit and its bounds (`ge`, `gt`, `le`, `min_length`, ...)."""
    extra: Any = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **bounds)
