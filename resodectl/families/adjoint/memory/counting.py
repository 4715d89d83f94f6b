"""Memory of a differentiated program, counted instead of sampled: the same program gives the same bytes, always.

Two quantities: what autograd keeps between the forward and the backward pass, and the most bytes of tensors alive at
any moment. The resident set of the process, which papers often plot, also has the allocator's caches and is noisy.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class SavedBytes:
    """Bytes of distinct storages that autograd has saved for the backward pass so far."""

    def __init__(self, exclude: Iterable[torch.Tensor]) -> None:
        self._excluded = {tensor.untyped_storage().data_ptr() for tensor in exclude}
        self._kept: dict[int, torch.UntypedStorage] = {}  # kept alive, so that no address is counted twice or reused

    def add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._excluded:
            self._kept[storage.data_ptr()] = storage

    def clear(self) -> None:
        """Forget, and free, what was counted."""
        self._kept.clear()

    @property
    def total(self) -> int:
        return sum(storage.nbytes() for storage in self._kept.values())


@contextmanager
def counting_saved_bytes(exclude: Iterable[torch.Tensor] = ()) -> Iterator[SavedBytes]:
    """Count what is saved for backward by the operations inside.

    `exclude` are the parameters and inputs: they exist whether or not a graph refers to them, so a method is not
    charged for them. A storage that several operations save is counted once, in full, even if only a view is saved.
    """
    count = SavedBytes(exclude)

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        count.add(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield count


class LiveBytes(TorchDispatchMode):
    """Follows every tensor created inside: `now` bytes are alive, `peak` is the most that ever were at once.

    Tensors made before count nothing. Sees the results of operations, forward and backward, but no scratch memory
    that a kernel takes and gives back by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in _tensors(args, kwargs):
            self._known.setdefault(_key(tensor), None)  # made outside, or known already
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            key = _key(tensor)
            if key not in self._known:
                size = tensor.untyped_storage().nbytes()
                self._known[key] = weakref.finalize(tensor.untyped_storage(), self._release, key, size)
                self.now += size
        self.peak = max(self.peak, self.now)
        return result

    def _release(self, key: int, size: int) -> None:
        del self._known[key]
        self.now -= size


def _tensors(*trees: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_iter(trees) if isinstance(leaf, torch.Tensor))


def _key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def peak_bytes(program: Callable[[], Any], device: torch.device | str = "cpu") -> int:
    """The most bytes alive at once that `program` adds to what was alive before it.

    On the CPU by following every tensor, on CUDA by the allocator, which rounds up and counts workspaces too.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        program()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with LiveBytes() as live:
        program()
    return live.peak
