"""The data directory: locked to one process, durable itself."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from lolraft.storage.interface import Locked, StorageError


class DirectoryLock:
    """Hold a data directory for one process; the kernel lets go when the process dies."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """
        Take the lock.

        Raises:
            Locked: another process holds it; the text names the process.
            StorageError: the directory cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as broken:
            raise StorageError(f"cannot write {self._path}: {broken.strerror}") from broken
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Locked(
                f"{self._path.parent} is in use by process {holder}; stop it, or use another "
                "data directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; may be called twice."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def is_used(directory: Path) -> bool:
    """Return whether a node's data was ever complete here, whatever became of it."""
    return (directory / "used").exists()


def mark_used(directory: Path) -> None:
    """Note, durably, that a node's data is here: a database without any was lost from now on."""
    if not is_used(directory):
        (directory / "used").touch()
        sync_directory(directory)


def make_directory(directory: Path) -> None:
    """
    Make the directory and let its name survive a crash.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        sync_directory(directory.parent)
    except OSError as broken:
        raise StorageError(f"cannot make the data directory {directory}: {broken}") from broken


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
