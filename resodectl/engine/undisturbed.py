"""What a simulation may change in its process, set back afterwards, so that every cell starts from the same state."""

import locale
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block, the process may be changed; afterwards these are as before.

    The working folder, the environment, the search path of modules, the file mode mask, the locale, the filters of
    warnings, what NumPy does about floating-point errors, and of torch the default types, the recording of gradients,
    the number of threads and the choice of deterministic algorithms.

    The global generators start anew from the system's entropy: no result may come from them, and one that does differs
    each time, so that computing a cell again shows it. (torch's own start is always the same, and all workers of a pool
    would share that of NumPy.)
    """
    random.seed()
    np.random.seed()
    torch.default_generator.seed()
    folder, mask, languages = os.getcwd(), _mask(), locale.setlocale(locale.LC_ALL)
    variables, modules = dict(os.environ), list(sys.path)
    dtype, device, threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    determined = _determined()
    gradients = torch.is_grad_enabled()
    try:
        with warnings.catch_warnings(), np.errstate():
            yield
    finally:
        os.chdir(folder)
        os.umask(mask)
        locale.setlocale(locale.LC_ALL, languages)
        if dict(os.environ) != variables:
            os.environ.clear()
            os.environ.update(variables)
        sys.path[:] = modules
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        torch.set_num_threads(threads)
        if _determined() != determined:  # to set it imports a lot
            torch.use_deterministic_algorithms(determined[0], warn_only=determined[1])
        torch.set_grad_enabled(gradients)


def _determined() -> tuple[bool, bool]:
    """Whether torch takes deterministic algorithms, and whether it only warns where there is none."""
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _mask() -> int:
    """The file mode mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
