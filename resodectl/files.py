"""Writing files: each whole and on disk under its name, or not at all."""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from resodectl.errors import UserError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole and on disk under its name, or not at all.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def require_writable(folder: Path, what: str) -> None:
    """Create a folder and make sure that files can be written in it.

    Raises:
        UserError: they cannot.
    """
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"x")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: the {what} folder cannot be written ({error.strerror}); name another with --{what}"
        ) from error


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write a file unless it has these bytes already; returns whether it was written."""
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)
    return True
