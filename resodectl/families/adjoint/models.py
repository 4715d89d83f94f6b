"""The networks that a recipe chooses from: Sander, Ablin & Peyre 2022 (arXiv 2205.14612)."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from resodectl.experiment.choices import DataName, SchemeName
from resodectl.experiment.settings import Settings, setting
from resodectl.training.settings import SHAPES

STEMS = {"strided-5x5": (5, 3, 1), "plain-3x3": (3, 1, 1)}  # kernel, stride, padding
POOL = 4


class MlpModel(Settings):
    """Linear, ReLU, residual layers V tanh(W x + b) + c, linear: it stands in for a convolutional network."""

    kind: Literal["mlp"]
    width: int = setting("dimension of the hidden state", ge=1, default=16)
    hidden: int = setting("hidden units of a residual layer", ge=1, default=32)

    def stages(self, depth: int) -> tuple[int, ...]:
        """The residual layers of each stage: there is one stage."""
        return (depth,)


class TinyConvModel(Settings):
    """The paper's tiny network: one convolution, residual layers conv-BN-ReLU-conv-BN, pooling by 4, linear."""

    kind: Literal["tiny-conv"]
    channels: int = setting("channels of the residual layers", ge=1)
    stem: Literal["strided-5x5", "plain-3x3"] = setting(
        "the first convolution: 5x5 with stride 3 and batch normalisation, or 3x3 without either"
    )

    def features(self, data: str) -> int:
        """How many numbers the last linear layer reads; 0 if the images are too small for this network."""
        kernel, stride, padding = STEMS[self.stem]
        height, width = (((side + 2 * padding - kernel) // stride + 1) // POOL for side in SHAPES[data][1:])
        return self.channels * height * width

    def stages(self, depth: int) -> tuple[int, ...]:
        """The residual layers of each stage: there is one stage."""
        return (depth,)


class BottleneckModel(Settings):
    """The paper's ResNet-101: after the first block of every stage its residual layers are scaled by 1/N."""

    kind: Literal["bottleneck"]
    residuals: tuple[Annotated[int, Field(ge=1)] | Literal["depth"], ...] = setting(
        "residual layers of each stage; 'depth' stands for the depth of the sweep", min_length=1
    )
    adjoint_from: int = setting(
        "a stage with fewer residual layers is differentiated by backpropagation even where the adjoint is asked for",
        ge=1,
    )
    width: int = setting("channels of the stem and of the first stage's inner convolutions", ge=1, default=64)

    def stages(self, depth: int) -> tuple[int, ...]:
        """The residual layers of each stage."""
        return tuple(depth if count == "depth" else count for count in self.residuals)


Model = Annotated[MlpModel | TinyConvModel | BottleneckModel, Field(discriminator="kind")]


class Trained(Settings):
    """The settings of every experiment that trains a network."""

    data: DataName = setting("the data set")
    model: Model = setting("the network")
    residual_exponent: float = setting(
        "residual layers are multiplied by N**-residual_exponent; 1 in the paper", ge=0.0
    )

    @model_validator(mode="after")
    def images_are_large_enough(self) -> Self:
        """Refuse a network that pools the images away."""
        if isinstance(self.model, TinyConvModel) and self.model.features(self.data) == 0:
            raise ValueError(f"the images of {self.data} are too small for the stem {self.model.stem}")
        return self

    def check_stages(self, schemes: Iterable[SchemeName], depth: int) -> None:
        """Refuse Heun's scheme, a step of which reads two layers, where a stage of the network has one.

        Raises:
            ValueError: it has.
        """
        shortest = min(self.model.stages(depth))
        if "heun" in schemes and shortest < 2:
            raise ValueError(f"a Heun network needs at least 2 residual layers in each stage, not {shortest}")
