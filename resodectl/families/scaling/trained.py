"""How recipes ask for training: Marion, Fermanian, Biau & Vert 2022 (arXiv 2206.06929), Figures 8 and 9."""

from typing import Literal

from resodectl.experiment.settings import Settings, setting

DataName = Literal["digits", "mnist", "cifar10"]


class Training(Settings):
    """Adam with its default constants on the mean cross-entropy, with a learning rate that drops in steps."""

    epochs: int = setting("passes over the training set", ge=1)
    batch: int = setting("images in a batch", ge=1)
    drop_every: int = setting("epochs after which the learning rate is multiplied by `drop`, again and again", ge=1)
    drop: float = setting("that factor; 1 for a constant learning rate", gt=0.0, le=1.0)

    def lr_factor(self, epoch: int) -> float:
        """What the learning rate is multiplied by in an epoch, counted from 0."""
        return self.drop ** (epoch // self.drop_every)
