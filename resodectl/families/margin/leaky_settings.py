"""What recipes on two-layer leaky-ReLU networks may ask for: the points, their hints, the two stages of training."""

from typing import Annotated, Literal

from pydantic import Field

from resodectl.experiment.settings import Settings, setting

# Points in the plane; see `planar.labelled`.
SetName = Literal["symmetric", "one-dropped", "positive", "flipped", "hinted"]

# What is wrong on purpose with the gradient: phi' is left out of that of the first layer.
GradientAblation = Literal["none", "no-derivative"]

# The standard deviation of the weights at the start.
InitialScale = Annotated[float, Field(gt=0.0, le=10.0)]

# phi(z) = slope z for z < 0.
LeakySlope = Annotated[float, Field(gt=0.0, lt=1.0)]

# Margins of late training need every digit.
Double = Literal["float64"]


class Hints(Settings):
    """Three points added to four: (far, 0), (near, wide) and (near, -wide), all of label 1."""

    far: float = setting("H: coordinate of the hint far along the best direction", gt=0.0, default=10.0)
    wide: float = setting("K: distance of the other two hints from that direction", gt=0.0, default=1.0)
    near: float = setting("eps: their coordinate along it, the largest margin of a line", gt=0.0, default=0.1)


class Training(Settings):
    """Gradient descent, then normalised steps of relative length late_step / (1 + t / late_decay)^0.8."""

    lr: float = setting("learning rate of plain descent", gt=0.0)
    steps: int = setting("steps of plain descent", unit="steps", ge=0)
    late_step: float = setting("relative length of the first normalised step", gt=0.0, lt=1.0)
    late_decay: float = setting("normalised steps over which that length begins to fall", unit="steps", gt=0.0)
    late_steps: int = setting("normalised steps", unit="steps", ge=0)
