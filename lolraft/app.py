"""What you write: an app is a deterministic state machine with snapshots it can name by index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterable


class RaftApp(ABC):
    """
    Hold the state of one shard's replica. Every method may be sync or `async`.

    All calls for one shard come from one queue, one at a time, in order. `process_write` must be
    deterministic: every replica executes the same messages and must reach the same state and
    answers. Raise `lolraft.errors.Rejected` to refuse a message (garbage included); any other
    exception stops this replica at that entry.

    Snapshots belong to the app and are keyed by the index of the last entry that they contain.
    Index 1 is the initial state: it counts as a snapshot, is never saved and never deleted.
    """

    @abstractmethod
    def process_write(self, message: bytes, index: int) -> bytes | Awaitable[bytes]:
        """Change the state by the command at log *index* and return the answer."""

    @abstractmethod
    def process_read(self, message: bytes, index: int) -> bytes | Awaitable[bytes]:
        """Answer from the state, which contains all entries up to *index*, without changing it."""

    def make_snapshot(self, index: int) -> Awaitable[None] | None:
        """
        Make a snapshot of the state, which contains all entries up to *index*: the log has grown.

        The next calls wait for an `async def`; a `Future` is not waited for, so what it does must
        not touch the state. An app may do nothing here and make its snapshots when it likes.
        """
        return None

    @abstractmethod
    def install_snapshot(self, index: int) -> Awaitable[None] | None:
        """Make the state that of the snapshot at *index*; 1 means the initial state."""

    @abstractmethod
    def save_snapshot(self, index: int, chunks: AsyncIterator[bytes]) -> Awaitable[None]:
        """Store a snapshot that a peer sends, durably, without installing it."""

    @abstractmethod
    def open_snapshot(self, index: int) -> Iterable[bytes] | AsyncIterator[bytes]:
        """
        Return the bytes of the snapshot at *index*, in pieces of any size.

        Raises:
            LookupError: there is no such snapshot (any more).
        """

    @abstractmethod
    def delete_snapshots_before(self, index: int) -> Awaitable[None] | None:
        """Forget the snapshots with a smaller index than *index*."""

    @abstractmethod
    def get_latest_snapshot(self) -> int | Awaitable[int]:
        """Return the index of the newest complete snapshot; 1 when there is none."""
