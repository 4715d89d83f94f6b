"""How large and how rough the tensors of successive layers are: T_0, ..., T_{L-1}, in norm.

The estimators of Cohen, Cont, Rossier & Xu 2021 (arXiv 2105.12245) and, beyond the paper, a roughness without scale.
For smooth T_k = L^-beta T(k/L) their orders in L are -beta (largest), -beta - 1 (increment), 1/2 - beta (root of the
sum of squares), 1 - beta (sum) and -1 - 2 beta (quadratic variation); for increments of a Brownian path, which are
independent from layer to layer, about -1/2, about -1/2, 0, 0 and 0.
"""

import torch

WINDOW = 0.1  # of the depth: the length of the moving mean that is taken for the trend
SHORTEST = 3  # layers


def statistics(path: torch.Tensor) -> dict[str, torch.Tensor]:
    """The statistics of each seed, `(seeds,)` in float64, of a path `(depth, seeds, ...)` of at least two layers.

    - `largest`: max_k |T_k|; `increment`: max_k |T_{k+1} - T_k|; `detrended`: max_k |T_k - moving mean|;
    - `root_sum_square`: (sum_k |T_k|^2)^(1/2); `total`: |sum_k T_k|;
    - `quadratic_variation`: sum_k |T_{k+1} - T_k|^2; `h1_seminorm`: (depth times that)^(1/2);
    - `roughness`: see `roughness`.
    """
    layers = _vectors(path)
    depth = len(layers)
    squares = layers.square().sum(2)
    steps = (layers[1:] - layers[:-1]).square().sum(2)
    variation = steps.sum(0)
    return {
        "largest": squares.amax(0).sqrt(),
        "increment": steps.amax(0).sqrt(),
        "detrended": (layers - moving_mean(layers)).norm(dim=2).amax(0),
        "root_sum_square": squares.sum(0).sqrt(),
        "total": layers.sum(0).norm(dim=1),
        "quadratic_variation": variation,
        "h1_seminorm": (depth * variation).sqrt(),
        "roughness": roughness(path),
    }


def roughness(path: torch.Tensor) -> torch.Tensor:
    """mean_k |T_{k+1} - T_k|^2 / (2 mean_k |T_k|^2) of each seed, `(seeds,)` in float64; path `(depth, seeds, ...)`.

    1 for independent layers of mean zero, O(1 / depth^2) for layers that are a smooth function of k / depth, 2 if they
    alternate; no scale plays a part.

    >>> roughness(torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]))
    tensor([2.], dtype=torch.float64)
    """
    layers = _vectors(path)
    steps, squares = (part.square().sum(2).mean(0) for part in (layers.diff(dim=0), layers))
    return steps / (2 * squares)


def moving_mean(path: torch.Tensor) -> torch.Tensor:
    """The mean over the layers within half a window of each, fewer at the ends; the shape of `path`, depth first.

    >>> moving_mean(torch.tensor([0.0, 3.0, 0.0, 3.0]))
    tensor([1.5000, 1.0000, 2.0000, 1.5000])
    """
    depth = len(path)
    half = max(SHORTEST, int(WINDOW * depth)) // 2
    place = torch.arange(depth, device=path.device)
    low, high = (place - half).clamp(min=0), (place + half + 1).clamp(max=depth)
    sums = torch.cat([torch.zeros_like(path[:1]), path.cumsum(0)])
    return (sums[high] - sums[low]) / (high - low).view(-1, *[1] * (path.dim() - 1))


def bin_means(path: torch.Tensor, bins: int) -> torch.Tensor:
    """The trend of a path `(depth, ...)`: every layer replaced by the mean over its bin of nearly equal length.

    Layer k of L falls into bin floor(k bins / L); with as many bins as layers the path is its own trend.

    >>> bin_means(torch.arange(4.0), 2)
    tensor([0.5000, 0.5000, 2.5000, 2.5000])
    """
    depth = len(path)
    index = torch.arange(depth, device=path.device) * min(bins, depth) // depth
    counts = torch.bincount(index).to(path.dtype)
    sums = path.new_zeros((len(counts), *path.shape[1:])).index_add_(0, index, path)
    return (sums / counts.view(-1, *[1] * (path.dim() - 1)))[index]


def _vectors(path: torch.Tensor) -> torch.Tensor:
    """`(depth, seeds, numbers of a layer)` in float64."""
    return path.flatten(2).double() if path.dim() > 2 else path.unsqueeze(2).double()
