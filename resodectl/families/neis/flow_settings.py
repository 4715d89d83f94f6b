"""How a recipe says which field carries the samples, and how it is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import Rate
from resodectl.experiment.settings import Settings, setting


class Network(Settings):
    """A velocity field with one hidden layer of softplus units."""

    kind: Literal["generic", "gradient"]
    units: int = setting("hidden units", unit="units", ge=1, le=1000)
    scale: float = setting("what the output layer is multiplied by before training", gt=0.0, default=5.0)


class LinearField(Settings):
    """b(x) = W x + c."""

    kind: Literal["linear"]
    scale: float = setting("what W is multiplied by before training", gt=0.0, default=3.0)


class FunnelField(Settings):
    """b(x) = (-beta, -alpha x_2, ..., -alpha x_d) in the ball of radius 25."""

    kind: Literal["funnel"]
    first: float = setting("beta and alpha before training", ge=-100.0, le=100.0, default=2.0)


VelocityChoice = Annotated[Network | LinearField | FunnelField, Field(discriminator="kind")]
"""The field that a recipe names."""


class Flow(Settings):
    """A field and its training by the normalised gradient of the second moment."""

    velocity: VelocityChoice = setting("the field b")
    time_steps: int = setting("Runge-Kutta steps N per unit of time", unit="steps", ge=2, le=10_000)
    samples: int = setting("fresh samples M of a training step", unit="samples", ge=2)
    training_steps: int = setting("training steps S; the last one is not made", unit="steps", ge=2)
    lr: Rate = setting("length of a step of all weights together, falling as 1 / (1 + decay i)")
    last_lr: float = setting("what lr is multiplied by at the end", gt=0.0, le=1.0)
    assisted: float = setting("share of samples that follow -grad U1 first, at the beginning", ge=0.0, le=1.0)
    assisted_until: float = setting(
        "share of the training steps by which that share has fallen to 0", gt=0.0, le=1.0, default=1.0
    )
    start: float = setting("t- in [-1, 0]; t+ is t- + 1", ge=-1.0, le=0.0)

    @model_validator(mode="after")
    def window_is_on_the_grid(self) -> Self:
        """Refuse a window that does not begin at a step of the path."""
        before = -self.start * self.time_steps
        if abs(before - round(before)) > 1e-9:
            raise ValueError(f"start: it must be a multiple of 1 / time_steps = 1 / {self.time_steps}")
        return self

    @property
    def units(self) -> int:
        """The hidden units of the field; 0 where it has none."""
        return self.velocity.units if isinstance(self.velocity, Network) else 0
