"""What the recipes on init scales say alike."""

from typing import Annotated, Literal

from pydantic import Field

# The standard deviation of weights at the start, or what weights of order one are multiplied by.
InitScale = Annotated[float, Field(gt=0.0, le=1e4)]

# Whose weights are trained: both layers', or the hidden one's alone.
Layers = Literal["both", "hidden"]
