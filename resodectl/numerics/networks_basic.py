"""The residual networks of basic blocks without normalisation of Cohen et al. 2021 (arXiv 2105.12245, CIFAR-10).

A block maps h to relu(conv2(relu(conv1 h)) + shortcut(h)); no layer but the last has a bias. The stem is conv 3x3 -
ReLU, the end average pooling and a linear layer. A block that changes the shape has a strided 1x1 shortcut.
"""

from dataclasses import dataclass

import torch

from resodectl.numerics.draws import uniform
from resodectl.numerics.layers import convolution, linear, rows_of, side_by_side
from resodectl.numerics.networks import Params, Place, Solver, StreamsOf, default_linear


@dataclass(frozen=True)
class Basic:
    """See the module.

    Attributes:
        blocks: the number of blocks of each stage.
        strides: the stride of the first block of each stage.
        width: the channels of the first stage.
        doubling: whether each stage has twice the channels of the one before.
        equal: whether all blocks of a stage that have one shape start with the same weights.
    """

    channels: int
    classes: int
    blocks: tuple[int, ...]
    strides: tuple[int, ...] = (1, 2, 2, 2)
    width: int = 64
    doubling: bool = True
    equal: bool = False

    def shapes(self) -> list[tuple[int, int, int, int]]:
        """The stage, the channels read and written, and the stride of every block, in order."""
        found, inputs = [], self.width
        for stage, (count, stride) in enumerate(zip(self.blocks, self.strides, strict=True)):
            outputs = self.width * 2**stage if self.doubling else self.width
            for block in range(count):
                found.append((stage, inputs, outputs, stride if block == 0 else 1))
                inputs = outputs
        return found

    def initial(self, streams: StreamsOf, place: Place) -> Params:
        """Fresh parameters, see `Network`: uniform within 1/sqrt(fan-in), torch's default."""
        params = {"stem": _default("stem", streams, (self.width, self.channels, 3), place)}
        for k, (stage, inputs, outputs, stride) in enumerate(self.shapes()):
            for name, read in (("A", inputs), ("Delta", outputs)):
                label = f"stage{stage}.{name}.{read}" if self.equal else f"{name}.{k}"
                params[f"{name}.{k}"] = _default(label, streams, (outputs, read, 3), place)
            if inputs != outputs or stride > 1:
                params[f"shortcut.{k}"] = _default(f"shortcut.{k}", streams, (outputs, inputs, 1), place)
        return params | default_linear("head", streams, outputs, self.classes, place)

    def logits(
        self, params: Params, images: torch.Tensor, solver: Solver, reference: int | None = None
    ) -> torch.Tensor:
        """Logits, see `Network`; there is nothing to normalise, and nothing but backpropagation to choose."""
        x = torch.relu(convolution(side_by_side(images), params["stem"], padding=1))
        for k, (*_, stride) in enumerate(self.shapes()):
            inner = torch.relu(convolution(x, params[f"A.{k}"], stride=stride, padding=1))
            shortcut = params.get(f"shortcut.{k}")
            kept = x if shortcut is None else convolution(x, shortcut, stride=stride)
            x = torch.relu(convolution(inner, params[f"Delta.{k}"], padding=1) + kept)
        return linear(rows_of(x.mean((2, 3), keepdim=True), len(images)), params["head.weight"], params["head.bias"])


def circular_norms(kernels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The operator norms of convolutions on periodic images of `size`, of kernels `(..., out, in, kernel, kernel)`.

    The Fourier transform takes a periodic convolution apart into one matrix `(out, in)` a frequency, so its norm is the
    largest singular value of these (Sedghi, Gupta & Long 2019, arXiv 1805.10408). Kernels larger than the image are
    wrapped around it. Real kernels have the same singular values at opposite frequencies: half of them suffice. The
    eigenvalues of M M^H, of which the largest is as precise, take a fraction of the time of the singular values of M.
    """
    wrapped = _wrapped(_wrapped(kernels, -1, size[1]), -2, size[0])
    matrices = torch.fft.rfft2(wrapped, s=size).movedim((-2, -1), (0, 1))
    if matrices.shape[-2] > matrices.shape[-1]:
        matrices = matrices.mT
    return torch.linalg.eigvalsh(matrices @ matrices.mH)[..., -1].clamp(min=0).amax((0, 1)).sqrt()


def _wrapped(kernels: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """The kernels with what reaches beyond `size` along an axis added at its start."""
    first, *others = kernels.split(size, axis)
    if not others:
        return first
    whole = first.clone()
    for part in others:
        whole.narrow(axis, 0, part.shape[axis]).add_(part)
    return whole


def _default(name: str, streams: StreamsOf, shape: tuple[int, int, int], place: Place) -> torch.Tensor:
    outputs, inputs, kernel = shape
    bound = (inputs * kernel**2) ** -0.5
    return uniform(streams(name), (outputs, inputs, kernel, kernel), -bound, bound, *place)
