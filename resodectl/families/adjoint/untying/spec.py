"""Pretrain tied, untie, fine-tune: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Table 2."""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import AdjointAblation, Depth, Distinct, Dtype, GradientName, SchemeName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import point, setting
from resodectl.families.adjoint.models import Trained
from resodectl.training.settings import SgdTraining

Start = Literal["pretrained", "fresh"]


class Shared(Trained):
    """The settings of a recipe that each of its cells has too."""

    scheme: SchemeName = setting("how the residual layers are integrated")
    gradients: Distinct[GradientName] = setting("how fine-tuning differentiates the network")
    depth: Depth = setting("depth N: residual layers, of every stage whose number of layers is 'depth'")
    trained_stage: int | None = setting("the one stage that is fine-tuned, from 1; null: the whole network", ge=1)
    pretraining: SgdTraining = setting("the training of the tied network, by backpropagation")
    finetuning: SgdTraining = setting("the training of the untied network")
    starts: Distinct[Start] = setting(
        "what is fine-tuned: the pretrained network, or the same with the layers to be trained drawn anew",
    )
    ablation: AdjointAblation = setting("what is wrong on purpose with the adjoint", default="none")
    dtype: Dtype = setting("floating-point type")

    @model_validator(mode="after")
    def stage_exists(self) -> Self:
        """Refuse a stage that the network does not have, or that has no second layer to be untied from."""
        self.check_stages([self.scheme], self.depth)
        stages = self.model.stages(self.depth)
        if self.trained_stage is not None and self.trained_stage > len(stages):
            raise ValueError(f"there is no stage {self.trained_stage}: the network has {len(stages)}")
        if max(self.untied_stages().values(), default=1) < 2:
            raise ValueError("there is nothing to untie: no stage that is fine-tuned has 2 residual layers")
        return self

    def untied_stages(self) -> dict[int, int]:
        """The residual layers of each stage that is untied, by its number, from 1."""
        stages = dict(enumerate(self.model.stages(self.depth), 1))
        return stages if self.trained_stage is None else {self.trained_stage: stages[self.trained_stage]}


class Params(Shared):
    """What a recipe sets."""

    seeds: int = setting("independent repetitions", ge=1)


class Point(Shared):
    """What determines a cell: one pretraining serves all starts and gradients."""


_SHARED = (
    Column("gradient", "string", "", "backprop or the memory-free adjoint"),
    Column("seed", "int64", "", "seed of the repetition"),
)
LOG = {
    "curves": (
        Column("network", "string", "", "tied (pretraining), untied (fine-tuned) or fresh (its layers drawn anew)"),
        *_SHARED,
        Column("epoch", "int64", "epochs", "epochs of this training done"),
        Column("train_loss", "float64", "nats", "cross-entropy of the first 2000 training images after the epoch"),
        Column("test_loss", "float64", "nats", "mean cross-entropy over the test set after the epoch"),
        Column("test_error", "float64", "%", "share of wrong answers on the test set after the epoch"),
        Column("diverged", "bool", "", "whether a loss is no longer finite"),
    ),
    "layers": (
        Column("network", "string", "", "untied or fresh"),
        *_SHARED,
        Column("roughness", "float64", "", "N rms(difference of neighbouring layers) / rms(layer) after fine-tuning"),
    ),
}
SEED_BLOCK = 16


def cells(params: Params) -> list[Point]:
    """One cell."""
    return [point(Point, params)]
