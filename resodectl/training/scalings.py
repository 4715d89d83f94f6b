"""How pixels are scaled before a network reads them: a scaling finds the mean and the spread to be taken out.

Each is a function of the training images with pixels from 0 to 1, `(n, channels, height, width)`. It returns two
tensors that broadcast to an image; training and test images become (pixels - mean) / spread.
"""

from collections.abc import Callable, Sequence

import torch

Scaling = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

SOFTENING = 0.1  # added to the spread of each pixel, as some pixels of digits are constant


def unscaled(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels stay between 0 and 1."""
    return pixels.new_tensor(0.0), pixels.new_tensor(1.0)


def halved(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels run from -1/2 to 1/2."""
    return pixels.new_tensor(0.5), pixels.new_tensor(1.0)


def by_root_mean_square(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels are centred one by one, and all divided by the root of their mean square.

    >>> images = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).view(2, 1, 1, 2)
    >>> mean, spread = by_root_mean_square(images)
    >>> mean.flatten().tolist(), round(spread.item(), 4)
    ([0.0, 0.5], 0.3536)
    """
    mean = pixels.mean(0)
    return mean, (pixels - mean).square().mean().sqrt()


def by_pixel(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels are centred and divided by their deviation one by one; those that never change become zero."""
    mean = pixels.mean(0)
    deviation = (pixels - mean).square().mean(0).sqrt()
    return mean, torch.where(deviation > 0, deviation, 1.0)


def by_softened_pixel(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels are centred and divided by their deviation plus 0.1 one by one; both are taken in float64."""
    values = pixels.double().cpu().numpy()
    mean, spread = (torch.from_numpy(moment).to(pixels) for moment in (values.mean(0), values.std(0) + SOFTENING))
    return mean, spread


def by_channel(mean: Sequence[float], spread: Sequence[float]) -> Scaling:
    """The scaling that takes fixed means and spreads out of the channels, whatever the images are.

    >>> mean, _ = by_channel((0.5, 0.25), (1.0, 1.0))(torch.zeros(3, 2, 8, 8))
    >>> mean.shape
    torch.Size([2, 1, 1])
    """

    def scaling(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return pixels.new_tensor(mean).view(-1, 1, 1), pixels.new_tensor(spread).view(-1, 1, 1)

    return scaling


# The means and spreads of red, green and blue (of the one channel of MNIST) that are in general use.
MNIST = by_channel((0.1307,), (0.3081,))
CIFAR10 = by_channel((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
IMAGENET = by_channel((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

STANDARDISED: dict[str, Scaling] = {"digits": by_softened_pixel, "cifar10": CIFAR10}
