"""A base class for apps whose state is one value: snapshots as files come for free."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from lolraft.app import RaftApp

logger = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
CHECKSUM_BYTES = 4
SUFFIX = ".snapshot"
INITIAL = 1
"""The index of the initial state, which counts as a snapshot."""


class StateApp(RaftApp):
    """
    Write `dump`, `load`, `process_write` and `process_read`; the rest is here.

    Snapshots lie in *directory*, one file an index, with a checksum at the end. They are written
    under a temporary name, synced, renamed, and the directory is synced: after a crash there is a
    whole file or none (DESIGN section 6). The state that the constructor of a subclass leaves
    behind is the initial one.
    """

    def __init__(self, directory: Path) -> None:
        """Keep snapshots in *directory*, which is made when it is missing."""
        self.directory = directory
        self._initial: bytes | None = None
        self._whole: int = INITIAL  # The newest file whose checksum was seen to be right.
        directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.tmp"):
            leftover.unlink()

    @abstractmethod
    def dump(self) -> bytes:
        """Return the whole state."""

    @abstractmethod
    def load(self, state: bytes) -> None:
        """Make the state what `dump` returned."""

    def take_snapshot(self, index: int) -> None:
        """Make a snapshot of the state now, which contains all entries up to *index*."""
        if index > INITIAL:
            self._remember_initial()
            self._write(index, iter((self.dump(),)))

    def make_snapshot(self, index: int) -> asyncio.Future[None]:
        """Dump the state now, and write it in a thread while the app goes on."""
        self._remember_initial()
        chunks = iter((self.dump(),))
        return asyncio.get_running_loop().run_in_executor(None, self._write, index, chunks)

    def _write(self, index: int, chunks: Iterator[bytes]) -> None:
        _write(self._path(index), chunks)
        self._whole = index  # The loop need not read it once more to know that.

    def install_snapshot(self, index: int) -> None:
        """Make the state that of the snapshot at *index*, or the initial one."""
        self._remember_initial()
        if index <= INITIAL:
            assert self._initial is not None, "remembered just now"
            self.load(self._initial)
        else:
            self.load(b"".join(self.open_snapshot(index)))

    def _remember_initial(self) -> None:
        # The runtime installs a snapshot before it asks for anything else.
        if self._initial is None:
            self._initial = self.dump()

    async def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> None:
        """Store what a peer sends; nothing is kept of it in memory."""
        path = self._path(index)
        temporary = _temporary(path)
        checksum = 0
        try:
            with temporary.open("wb") as file:
                async for chunk in chunks:
                    checksum = crc32(chunk, checksum)
                    file.write(chunk)
                _seal(file, checksum)
            _publish(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise

    def open_snapshot(self, index: int) -> Iterator[bytes]:
        """
        Return the snapshot at *index* in chunks; damage shows before the first.

        Raises:
            LookupError: there is none, or its checksum does not match.
        """
        path = self._path(index)
        if index <= INITIAL:
            self._remember_initial()
            assert self._initial is not None, "remembered just now"
            return iter((self._initial,))
        if not path.exists() or not _is_whole(path):
            raise LookupError(f"no whole snapshot at index {index} in {self.directory}")
        return _read(path)

    def delete_snapshots_before(self, index: int) -> None:
        """Delete older files."""
        for known in self._indexes():
            if known < index:
                self._path(known).unlink()

    def get_latest_snapshot(self) -> int:
        """Return the newest index whose file is whole; a damaged file is as if absent."""
        for index in sorted(self._indexes(), reverse=True):
            if index == self._whole or _is_whole(self._path(index)):
                self._whole = index  # Asked often: a large file is read once.
                return index
            damaged = self._path(index)
            logger.warning("%s is damaged; it is set aside", damaged)
            damaged.rename(damaged.with_suffix(".damaged"))
        return INITIAL

    def _path(self, index: int) -> Path:
        return self.directory / f"{index}{SUFFIX}"

    def _indexes(self) -> list[int]:
        names = (path.name.removesuffix(SUFFIX) for path in self.directory.glob(f"*{SUFFIX}"))
        return [int(name) for name in names if name.isdigit()]


def _temporary(path: Path) -> Path:
    """Return a name of its own: the same snapshot may be written twice at once."""
    return path.with_suffix(f".{secrets.token_hex(4)}.tmp")


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    temporary = _temporary(path)
    checksum = 0
    with temporary.open("wb") as file:
        for chunk in chunks:
            checksum = crc32(chunk, checksum)
            file.write(chunk)
        _seal(file, checksum)
    _publish(temporary, path)


def _seal(file: BinaryIO, checksum: int) -> None:
    file.write(checksum.to_bytes(CHECKSUM_BYTES, "little"))
    file.flush()
    os.fsync(file.fileno())


def _publish(temporary: Path, path: Path) -> None:
    temporary.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Iterator[bytes]:
    left = path.stat().st_size - CHECKSUM_BYTES
    with path.open("rb") as file:
        while left > 0:
            chunk = file.read(min(CHUNK_BYTES, left))
            left -= len(chunk)
            yield chunk


def _is_whole(path: Path) -> bool:
    size = path.stat().st_size
    if size < CHECKSUM_BYTES:
        return False
    checksum = 0
    for chunk in _read(path):
        checksum = crc32(chunk, checksum)
    with path.open("rb") as file:
        file.seek(size - CHECKSUM_BYTES)
        return int.from_bytes(file.read(), "little") == checksum
