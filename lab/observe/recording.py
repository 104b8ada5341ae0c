"""
A recording on disk: the happenings of one lab, versioned, compressed, safe against a crash.

A file is a line that names format and version, then blocks: length, checksum, and so many bytes of
JSON lines, compressed. A block that is not whole ends the recording; what is before it counts.
Versions 2 and 3 may begin in the middle of a run (`Began`), 3 with messages in it, and with what
was seen of silences and foreseen of faults by then; what begins at the start is of version 1.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from google.protobuf.message import DecodeError

from lab.cluster.interface import NodeHandle, NodeState
from lab.faults import ClockTrouble, DiskTrouble, Fault, FaultKind, LinkTrouble, Rhythm
from lab.observe.account import Account
from lab.observe.fold import fold
from lab.observe.happenings import (
    Began,
    ClusterChanged,
    Happening,
    LogsFetched,
    Measured,
    MessagesSeen,
    Noted,
    Reported,
    Ticked,
    WatchBroke,
)
from lab.observe.history import PhiHistory
from lab.observe.plain import from_plain, to_plain
from lab.observe.view import ClusterView, EntryView, EventView, LogView, MessageView
from lab.workload.load import Verdict
from lab.workload.measure import Moment, Outage
from lolraft.errors import LolraftError
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2

VERSION, FROM_THE_START = 3, 1
MAGIC = b"lolraft-recording "
BLOCK = struct.Struct("<II")  # bytes that follow, their checksum
BLOCK_BYTES = 64 * 1024  # Before compression: a block is written when it has so many,
BLOCK_S = 1.0  # or when what is in it began so long ago.
MOST_BLOCK_BYTES = 256 * 1024 * 1024
TROUBLES = {one.__name__: one for one in (LinkTrouble, DiskTrouble, ClockTrouble, Rhythm)}
LEVEL = 6

Row = TypeVar("Row", EntryView, MessageView)


class RecordingError(LolraftError):
    """A file is no recording that this lab can read; the text says why."""


class Recorder:
    """Stream happenings into a file; what was written a second ago survives a crash."""

    def __init__(self, path: Path, first: ClusterView, *, begun: Began | None = None) -> None:
        """
        Begin a file; *first* is the picture before the first happening, and empty but for names.

        *begun* is for a recording that begins in the middle: what was known by then.

        Raises:
            OSError: the file cannot be written.
        """
        self.path = path
        self.size_bytes = 0
        self._file: IO[bytes] = path.open("wb")
        self._lines: list[bytes] = []
        self._waiting_bytes, self._since_s = 0, float("inf")
        version = FROM_THE_START if begun is None else VERSION
        head = {"version": version, "title": first.title, "backend": first.backend}
        self._write(MAGIC + json.dumps(head).encode() + b"\n")
        if begun is not None:
            self.take(begun)

    def take(self, happening: Happening, line: bytes | None = None) -> None:
        """Add one happening; *line* is what `encode` makes of it, where that is known."""
        line = encode(happening) if line is None else line
        self._lines.append(line)
        self._waiting_bytes += len(line)
        self._since_s = min(self._since_s, happening.at_s)
        if self._waiting_bytes >= BLOCK_BYTES or happening.at_s - self._since_s >= BLOCK_S:
            self.flush()

    def take_packed(self, packed: bytes) -> None:
        """Add what `pack` made of many happenings."""
        self.flush()
        self._write(BLOCK.pack(len(packed), zlib.crc32(packed)) + packed)

    def flush(self) -> None:
        """Write what has gathered."""
        if not self._lines:
            return
        packed = pack(self._lines)
        self._lines, self._waiting_bytes, self._since_s = [], 0, float("inf")
        self.take_packed(packed)

    def close(self) -> None:
        """Write what has gathered, and end the file."""
        try:
            self.flush()
        finally:
            self._file.close()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        self.size_bytes += len(data)


@dataclass(frozen=True, slots=True)
class Recording:
    """What was read of a file."""

    first: ClusterView
    happenings: tuple[Happening, ...]
    ends_early: bool  # Its last block is not whole.

    def last(self) -> ClusterView:
        """Return the picture at the end."""
        view = self.first
        for happening in self.happenings:
            view = fold(view, happening)
        return view


@dataclass(slots=True)
class Reading:
    """A file that is read happening by happening."""

    first: ClusterView
    _data: bytes = field(repr=False)
    ends_early: bool = False  # Its last block is not whole: known when all is read.

    def happenings(self) -> Iterator[tuple[bytes, Happening]]:
        """Return each happening with the line that it was written in."""
        for lines in _blocks(self._data):
            if lines is None:
                self.ends_early = True
                return
            for line in lines:
                try:
                    happening = decode(line)
                except (ValueError, TypeError, KeyError, DecodeError):
                    self.ends_early = True  # Its checksum is right: whoever wrote it erred.
                    return
                yield line, happening


def begin_to_read(path: Path) -> Reading:
    """
    Return a recording of which only the first line was read yet.

    Raises:
        RecordingError: it is none, or of a newer version.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    end = data.find(b"\n")
    if not data.startswith(MAGIC) or end < 0:
        raise RecordingError(f"{path} is no recording of this lab")
    try:
        head = json.loads(data[len(MAGIC) : end])
        version, title, backend = int(head["version"]), str(head["title"]), str(head["backend"])
    except (ValueError, KeyError, TypeError) as broken:
        raise RecordingError(f"{path}: the first line of this recording is damaged") from broken
    if version > VERSION:
        raise RecordingError(
            f"{path} is a recording of version {version}; this lab reads up to {VERSION}:"
            " open it with the version that made it"
        )
    first = ClusterView(title=title, backend=backend, verdict="UNKNOWN")
    return Reading(first, data[end + 1 :])


def read(path: Path) -> Recording:
    """
    Return what is whole of a recording.

    Raises:
        RecordingError: it is none, or of a newer version.
        OSError: the file cannot be read.
    """
    reading = begin_to_read(path)
    happenings = tuple(happening for _, happening in reading.happenings())
    return Recording(reading.first, happenings, reading.ends_early)


def pack(lines: list[bytes]) -> bytes:
    """Return a block's lines, compressed."""
    return zlib.compress(b"\n".join(lines), LEVEL)


def unpack(packed: bytes) -> list[bytes] | None:
    """Return the lines of a block, or None where it is not whole."""
    unpacker = zlib.decompressobj()
    try:
        lines = unpacker.decompress(packed, MOST_BLOCK_BYTES)
    except zlib.error:
        return None
    return lines.split(b"\n") if unpacker.eof else None


def _blocks(data: bytes) -> Iterator[list[bytes] | None]:
    """Return the lines of each block; None for one that is not whole, and then no more."""
    at = 0
    while at < len(data):
        lines = None
        if at + BLOCK.size <= len(data):
            size, checksum = BLOCK.unpack_from(data, at)
            packed = data[at + BLOCK.size : at + BLOCK.size + size]
            if len(packed) == size and zlib.crc32(packed) == checksum:
                lines = unpack(packed)
            at += BLOCK.size + size
        yield lines
        if lines is None:
            return


# --- happenings as plain values ------------------------------------------------------------------


def encode(happening: Happening) -> bytes:
    """Return a happening as a line of JSON."""
    return json.dumps(_plain(happening), separators=(",", ":")).encode()


def decode(line: bytes) -> Happening:
    """
    Return the happening of which `encode` made *line*.

    Raises:
        ValueError, TypeError, KeyError, DecodeError: there is none in it.
    """
    return _happening(json.loads(line))


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401  # Any dataclass of ours.
    return {name: getattr(value, name) for name in value.__slots__}


def _plain(happening: Happening) -> dict[str, Any]:
    facts: dict[str, Any] = {"at_s": happening.at_s, "is": type(happening).__name__}
    match happening:
        case Reported(node=node, update=update):
            packed = base64.b64encode(update.SerializeToString()).decode()
            return facts | {"node": node, "update": packed}
        case WatchBroke(node=node, reason=reason):
            return facts | {"node": node, "reason": reason}
        case ClusterChanged(nodes=nodes, faults=faults):
            handles = [_fields(handle) | {"state": handle.state.value} for handle in nodes]
            return facts | {"nodes": handles, "faults": [_plain_fault(one) for one in faults]}
        case LogsFetched(shard_id=shard_id, logs=logs):
            plain = [
                _fields(log) | {"entries": [list(_fields(entry).values()) for entry in log.entries]}
                for log in logs
            ]
            return facts | {"shard_id": shard_id, "logs": plain}
        case MessagesSeen(shard_id=shard_id, messages=messages):
            rows = [list(_fields(message).values()) for message in messages]
            return facts | {"shard_id": shard_id, "messages": rows}
        case Noted(event=event):
            return facts | {"event": _fields(event)}
        case Began(view=view, phi=phi, account=account):
            return facts | {"known": [to_plain(one) for one in (view, phi, account)]}
        case Ticked():
            return facts
        case Measured(began_s=began_s, verdict=verdict, moments=moments, outages=outages):
            return facts | {
                "began_s": began_s,
                "verdict": _fields(verdict),
                "moments": [_fields(one) for one in moments],
                "outages": [_fields(one) for one in outages],
            }


def _plain_fault(fault: Fault) -> dict[str, Any]:
    trouble = fault.trouble
    named = None if trouble is None else [type(trouble).__name__, _fields(trouble)]
    return _fields(fault) | {"kind": fault.kind.value, "trouble": named}


def _happening(plain: dict[str, Any]) -> Happening:
    at_s = plain["at_s"]
    match plain["is"]:
        case "Reported":
            update = observe_pb2.Update.FromString(base64.b64decode(plain["update"]))
            return Reported(at_s=at_s, node=plain["node"], update=update)
        case "WatchBroke":
            return WatchBroke(at_s=at_s, node=plain["node"], reason=plain["reason"])
        case "ClusterChanged":
            nodes = tuple(_handle(one) for one in plain["nodes"])
            faults = tuple(_fault(one) for one in plain["faults"])
            return ClusterChanged(at_s=at_s, nodes=nodes, faults=faults)
        case "LogsFetched":
            logs = tuple(
                LogView(**log | {"entries": tuple(_row(EntryView, one) for one in log["entries"])})
                for log in plain["logs"]
            )
            return LogsFetched(at_s=at_s, shard_id=plain["shard_id"], logs=logs)
        case "MessagesSeen":
            messages = tuple(_row(MessageView, one) for one in plain["messages"])
            return MessagesSeen(at_s=at_s, shard_id=plain["shard_id"], messages=messages)
        case "Noted":
            return Noted(at_s=at_s, event=EventView(**plain["event"]))
        case "Measured":
            return Measured(
                at_s=at_s,
                began_s=plain["began_s"],
                verdict=Verdict(**plain["verdict"]),
                moments=tuple(Moment(**one) for one in plain["moments"]),
                outages=tuple(Outage(**one) for one in plain["outages"]),
            )
        case "Began":
            view, phi, account = plain["known"]
            return Began(
                at_s=at_s,
                view=from_plain(ClusterView, view),
                phi=from_plain(PhiHistory, phi),
                account=from_plain(Account, account),
            )
        case _:
            return Ticked(at_s=at_s)


def _handle(plain: dict[str, Any]) -> NodeHandle:
    known = {"node_id": NodeId(plain["node_id"]), "state": NodeState(plain["state"])}
    return NodeHandle(**plain | known)


def _row(kind: type[Row], plain: list[Any]) -> Row:
    return kind(**dict(zip(kind.__slots__, plain, strict=True)))


def _fault(plain: dict[str, Any]) -> Fault:
    trouble = None
    if plain["trouble"] is not None:
        name, values = plain["trouble"]
        trouble = TROUBLES[name](**values)
    return Fault(
        **plain
        | {
            "kind": FaultKind(plain["kind"]),
            "nodes": tuple(plain["nodes"]),
            "links": tuple((one, other) for one, other in plain["links"]),
            "trouble": trouble,
        }
    )
