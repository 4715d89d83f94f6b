"""How a recipe names a target: an example of the paper, a mixture in numbers, or a reader's own Python file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import FileName
from resodectl.experiment.settings import Settings, setting

Positive = Annotated[float, Field(gt=0.0)]
Centre = Annotated[tuple[float, ...], Field(min_length=1)]
Variances = Annotated[tuple[Positive, ...], Field(min_length=1)]


class TwoModes(Settings):
    """Example 1, in the plane: modes of variance 0.1 and weights 0.2, 0.8 at (5, 0) and (0, -5); R = 0.1."""

    kind: Literal["two-modes"]


class FourModes(Settings):
    """Example 2, in 10 dimensions: four equal modes at distance 5 on the first two axes; R = 1."""

    kind: Literal["four-modes"]


class FunnelInBall(Settings):
    """Neal's funnel, cut off outside a ball; the paper's example 3 has 10 dimensions and radius 25."""

    kind: Literal["funnel"]
    dim: int = setting("dimension d", ge=2, le=100, default=10)
    radius: float = setting("radius of the ball, outside of which the density is 0", gt=0.0, le=100.0, default=25.0)


class ModesGiven(Settings):
    """A mixture of a reader's own: e^{-U1} = sum_j w_j exp(-sum_i (x_i - mu_ji)^2 / (2 v_ji)), exact R included."""

    kind: Literal["mixture"]
    weights: tuple[Positive, ...] = setting("weights w_j; they need not add up to 1", min_length=1)
    centres: tuple[Centre, ...] = setting("centres mu_j, a list for each mode", min_length=1)
    variances: tuple[Variances, ...] = setting("variances v_j, a list for each mode", min_length=1)

    @model_validator(mode="after")
    def modes_fit_together(self) -> Self:
        """Refuse modes of which something is missing, or whose dimensions differ."""
        modes, dim = len(self.weights), len(self.centres[0])
        for name in ("centres", "variances"):
            rows = getattr(self, name)
            if len(rows) != modes:
                raise ValueError(f"{name}: {len(rows)} lists for {modes} weights; give one for each mode")
            if wrong := next((row for row in rows if len(row) != dim), None):
                raise ValueError(f"{name}: {len(wrong)} coordinates where the first centre has {dim}")
        return self


class PythonFile(Settings):
    """A target of a reader's own: a Python file with the dimension DIM and the function log_density(x), in torch.

    `log_density` takes places `(..., DIM)` and gives -U1 `(...)`, each value from its own place alone, -inf where the
    density vanishes. If R is known, the file says so: `RATIO = 0.5`. It may import torch and math.
    """

    kind: Literal["file"]
    file: FileName = setting("the Python file, beside the recipe or in --data-root")


TargetChoice = Annotated[TwoModes | FourModes | FunnelInBall | ModesGiven | PythonFile, Field(discriminator="kind")]
