"""A target from a reader's own Python file: its dimension DIM, log_density(x) in torch, and RATIO if it is known."""

import ast
import math
from pathlib import Path
from typing import Any

import torch

from resodectl.datasets.dataset import DataError
from resodectl.errors import in_short
from resodectl.numerics.sampling.targets import Differentiated

MODULES = ("torch", "math", "__future__")  # other modules would not count among what determines a result


def read_target(path: Path, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Differentiated:
    """The target that a Python file defines; it is run, and tried at three places.

    Raises:
        DataError: the file is no such programme, imports other modules than torch and math, or log_density does not
            give one number for each place; it says what to do.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, str(path))
    except (UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: this is no Python file ({in_short(error)})") from error
    _check_imports(path, tree)
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(tree, str(path), "exec"), names)
    except Exception as error:
        raise DataError(f"{path}: running the file failed: {in_short(error)}") from error
    dim, function, ratio = (names.get(name) for name in ("DIM", "log_density", "RATIO"))
    if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
        raise DataError(f"{path}: DIM is {dim!r}; write the dimension of the space, such as DIM = 2")
    if not callable(function):
        raise DataError(f"{path}: there is no function log_density; write one that gives -U1 of places (..., {dim})")
    if ratio is not None and not (isinstance(ratio, int | float) and 0 < ratio < math.inf):
        raise DataError(f"{path}: RATIO is {ratio!r}; write R = Z1 / Z0, a positive number, or leave it out")
    target = Differentiated(dim, function, None if ratio is None else float(ratio))
    _try(path, target, dtype, device)
    return target


def _check_imports(path: Path, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
        else:
            continue
        for module in modules:
            if module.split(".")[0] not in MODULES:
                raise DataError(
                    f"{path}, line {node.lineno}: it imports '{module}'; a target may import torch and math, since a "
                    "change elsewhere would go unnoticed"
                )


def _try(path: Path, target: Differentiated, dtype: torch.dtype, device: torch.device | str) -> None:
    """Refuse a function that fails, whose values have another shape or are NaN, or that mixes the places."""
    places = torch.linspace(-1, 1, 3 * target.dim, dtype=dtype, device=device).reshape(3, target.dim)
    what = f"{path}: log_density of places (3, {target.dim})"
    try:
        values, gradient = target.with_gradient(places)
        alone = torch.stack([target.log_density(place) for place in places])
    except Exception as error:
        raise DataError(f"{what} failed: {in_short(error)}") from error
    if values.shape != (3,) or alone.shape != (3,):
        raise DataError(f"{what} has the shape {tuple(values.shape)}; sum over the last axis alone, to get (3,)")
    if values.isnan().any() or gradient.isnan().any():
        raise DataError(f"{what}, or its gradient, is NaN; let it be finite, or -inf where the density vanishes")
    if not torch.allclose(values, alone, rtol=1e-4, atol=1e-6):
        raise DataError(f"{what} changes with the other places; each value must depend on its own place alone")
