"""The arrays inside a pickled dictionary, read without running anything that the file asks for.

A pickle may name any function and have it called. Here numpy's own names stand for inert records of their arguments,
every other name is refused, and the arrays are made from the records afterwards.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
_BYTES = ("|u1", "u1", "uint8")


class RefusedError(Exception):
    """The file holds something other than plain values and arrays of bytes."""


class _Array:
    """The record of an array: what numpy would have been given to set its state."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Kind:
    """The record of a type of numbers."""

    def __init__(self, name: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        pass


class _Inert(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # New functions each time, so that a file cannot change what the next one is given.
        if (module, name) in _RECONSTRUCT:
            return lambda *arguments: _Array()
        if (module, name) == ("numpy", "ndarray"):
            return "numpy.ndarray"
        if (module, name) == ("numpy", "dtype"):
            return lambda kind, *flags: _Kind(kind)
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding: str(text).encode("latin1")
        raise RefusedError(f"the name {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedError("a reference to another file")


def unpickle(data: bytes) -> dict[str, Any]:
    """The dictionary of a pickle with its keys as strings, and its arrays of bytes as uint8.

    Raises:
        RefusedError: it is damaged, or holds anything but plain values and arrays of bytes.
    """
    try:
        content = _Inert(io.BytesIO(data), encoding="bytes").load()
    except RefusedError:
        raise
    except Exception as error:  # whatever a damaged pickle makes of the unpickler
        raise RefusedError(f"a damaged pickle ({error})" if str(error) else "a damaged pickle") from error
    if not isinstance(content, dict):
        raise RefusedError(f"a {type(content).__name__}")
    return {_text(key): _array(value) if isinstance(value, _Array) else value for key, value in content.items()}


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def _array(record: _Array) -> NDArray[np.uint8]:
    """The array that a record describes: state is (version, shape, kind, column order, bytes)."""
    try:
        _, shape, kind, by_columns, data = record.state
        name = kind.name.decode("latin1") if isinstance(kind.name, bytes) else kind.name
        if name not in _BYTES:
            raise RefusedError(f"an array of {name}")
        return np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_columns else "C")
    except (TypeError, ValueError, AttributeError) as error:
        raise RefusedError(f"an array that does not fit its shape ({error})") from error
