"""Pretrain tied, untie, fine-tune: Sander, Ablin & Peyre 2022 (arXiv 2205.14612), Table 2."""

from typing import Literal, Self

from pydantic import model_validator

from resodectl.experiment.choices import Depth, Dtype, GradientName, SchemeName
from resodectl.experiment.columns import Column
from resodectl.experiment.settings import point, setting
from resodectl.families.adjoint.models import Trained
from resodectl.training.settings import SgdTraining

Start = Literal["pretrained", "fresh"]


class Shared(Trained):
    """The settings of a recipe that each of its cells has too."""

    scheme: SchemeName = setting("how the residual layers are integrated")
    gradients: tuple[GradientName, ...] = setting("how fine-tuning differentiates the network", min_length=1)
    depth: Depth = setting("depth N: residual layers, of every stage whose number of layers is 'depth'")
    trained_stage: int | None = setting("the one stage that is fine-tuned, from 1; null: the whole network", ge=1)
    finetuning: SgdTraining = setting("the training of the untied network")
    dtype: Dtype = setting("floating-point type")

    @model_validator(mode="after")
    def stage_exists(self) -> Self:
        """Refuse a stage that the network does not have."""
        stages = len(self.model.stages(self.depth))
        if self.trained_stage is not None and self.trained_stage > stages:
            raise ValueError(f"there is no stage {self.trained_stage}: the network has {stages}")
        return self


class Params(Shared):
    """What a recipe sets."""

    pretraining: SgdTraining = setting("the training of the tied network, by backpropagation")
    starts: tuple[Start, ...] = setting("whether fine-tuning starts from the pretrained network", min_length=1)
    seeds: int = setting("independent repetitions", ge=1)


class Point(Shared):
    """What determines a cell: one pretraining serves all gradients."""

    pretraining: SgdTraining | None  # None: fine-tuning starts from fresh weights


_SHARED = (
    Column("gradient", "string", "", "backprop or the memory-free adjoint"),
    Column("seed", "int64", "", "seed of the repetition"),
)
LOG = {
    "curves": (
        Column("network", "string", "", "tied (pretraining), untied (fine-tuned from it) or fresh (not pretrained)"),
        *_SHARED,
        Column("epoch", "int64", "epochs", "epochs of this training done"),
        Column("train_loss", "float64", "nats", "mean cross-entropy over the epoch's batches"),
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
    """One cell for each start."""
    trained = {"pretrained": params.pretraining, "fresh": None}
    return [point(Point, params, pretraining=trained[start]) for start in params.starts]
