"""`lolraft backup` and `lolraft restore`: shards into a file while they run, and back, offline."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import grpc
import grpc.aio

from lolraft.app import RaftApp
from lolraft.backup import (
    Chain,
    Kind,
    Piece,
    SavedShard,
    app_chunks,
    read_backup,
    write_end,
    write_header,
    write_piece,
)
from lolraft.cli_ask import picture
from lolraft.cli_serve import find_app
from lolraft.client_stream import channel_to, reply_of
from lolraft.config import Tls, normalise_node_id
from lolraft.errors import ConfigError, LolraftError, RequestFailed
from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Configuration, NodeId, ShardId
from lolraft.recovery import rewritten
from lolraft.rpc.pb import client_pb2, client_pb2_grpc, observe_pb2
from lolraft.runtime.apps import FOR_EVER
from lolraft.storage.directory import sync_directory
from lolraft.storage.memory import after_save
from lolraft.storage.sqlite import SqliteStorage

PAUSE_S = 0.2
RETRIED = ("UNAVAILABLE", "NOT_FOUND", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED")


class CannotRestore(LolraftError):
    """What is asked for would overwrite something, or the app cannot take it."""


class Saved(NamedTuple):
    """What one shard took in the file."""

    shard_id: ShardId
    last_index: int
    bytes: int
    server: NodeId


# --- backup --------------------------------------------------------------------------------------


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what `backup` takes beside what all askers take."""
    parser.add_argument("--all", action="store_true", help="every shard of these servers")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="to be written")


async def backup(options: argparse.Namespace, tls: Tls | None) -> int:
    """
    Write shards as of a moment after the command began: every write acknowledged before is in.

    The file appears under its name when it is whole and durable, or not at all.

    Raises:
        ConfigError: the options make no sense.
        RequestFailed: no server gave a shard within the time; nothing was written.
    """
    if not 0 < options.timeout < math.inf:
        raise ConfigError("--timeout is a number of seconds above 0")
    servers = [normalise_node_id(address) for address in options.addresses]
    if options.all:
        shards = await _shards_of(servers, tls, options.timeout)
    else:
        shards = [options.shard]
    out: Path = options.out
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write_header(file)
            saved = [await _save(file, s, servers, tls, options.timeout) for s in shards]
            write_end(file, shards)
        temporary.rename(out)
        sync_directory(out.parent)
    except OSError as broken:
        raise ConfigError(f"cannot write {out}: {broken.strerror}") from broken
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    if options.json:
        print(json.dumps({"file": str(out), "shards": [item._asdict() for item in saved]}))
        return 0
    for item in saved:
        upto = f"shard {item.shard_id} up to entry {item.last_index}"
        print(f"{upto}: {item.bytes} bytes from {item.server}")
    print(f"{out} is whole; `lolraft restore {out} --data DIR --id ID` begins new groups with it")
    return 0


async def _shards_of(servers: list[NodeId], tls: Tls | None, timeout_s: float) -> list[ShardId]:
    found = await asyncio.gather(*(picture(server, tls, timeout_s) for server in servers))
    updates = [update for update in found if isinstance(update, observe_pb2.Update)]
    if not updates:
        raise RequestFailed("UNAVAILABLE", "; ".join(str(update) for update in found))
    shards = {s.shard_id for update in updates for s in update.shards if s.role != "silent"}
    if not shards:
        raise RequestFailed("FAILED_PRECONDITION", "no shard has a group yet: nothing to save")
    return sorted(shards)


async def _save(
    file: BinaryIO, shard_id: ShardId, servers: list[NodeId], tls: Tls | None, timeout_s: float
) -> Saved:
    """Append one shard; a try that broke leaves nothing behind. *timeout_s* is without progress."""
    start = file.tell()
    until_s = time.monotonic() + timeout_s
    turn = 0
    while True:
        server = servers[turn % len(servers)]
        try:
            head = await _stream(file, shard_id, server, tls, timeout_s)
            return Saved(shard_id, int(head["last"][1]), file.tell() - start, server)
        except RequestFailed as refused:
            if refused.code not in RETRIED or time.monotonic() > until_s:
                raise
        file.seek(start)
        file.truncate()
        turn += 1
        await asyncio.sleep(PAUSE_S)


async def _stream(
    file: BinaryIO, shard_id: ShardId, server: NodeId, tls: Tls | None, timeout_s: float
) -> dict[str, Any]:
    chain, head, last = Chain(), b"", 0
    channel = channel_to(server, tls)
    try:
        stub: Any = client_pb2_grpc.ClientStub(channel)  # type: ignore[no-untyped-call]
        call = stub.Backup(client_pb2.BackupRequest(shard_id=shard_id))
        while True:
            async with asyncio.timeout(timeout_s):
                wire = await call.read()
            if wire is grpc.aio.EOF:
                break
            piece = Piece(wire.kind, wire.body, wire.crc32)
            if not chain.fits(piece):
                raise RequestFailed("UNAVAILABLE", f"{server} sent a damaged record")
            head = head or piece.body
            last = piece.kind
            write_piece(file, piece)
    except TimeoutError:
        text = f"{server} sent nothing for {timeout_s:g} s"
        raise RequestFailed("DEADLINE_EXCEEDED", text) from None
    except ValueError as broken:
        raise RequestFailed("INVALID_ARGUMENT", f"shard {shard_id}: {broken}") from broken
    except grpc.aio.AioRpcError as error:
        reply = reply_of(error)
        raise RequestFailed(reply.code, f"{server}: {reply.message.decode()}") from error
    finally:
        await channel.close()
    if last != Kind.END:
        raise RequestFailed("UNAVAILABLE", f"{server} ended in the middle")
    facts: dict[str, Any] = json.loads(head)
    return facts


# --- restore -------------------------------------------------------------------------------------


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", type=Path, metavar="FILE", help="of lolraft backup")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="new, or stopped")
    parser.add_argument("--id", required=True, metavar="ID", help="http://host:port of the server")
    parser.add_argument("--app", default="kv", metavar="NAME|MODULE:CLASS", help="default: kv")
    parser.add_argument("--json", action="store_true", help="print JSON")


async def restore(options: argparse.Namespace) -> int:
    """
    Begin a new group of one server with each shard of a file.

    The app's half is made durable first, then one transaction writes Raft's half of all shards
    (S5): a restore that was interrupted left nothing that counts, and can be done again.

    Raises:
        ConfigError: the id or the app makes no sense.
        BadBackup: the file is damaged or of another version.
        CannotRestore: a shard exists already, or the app failed.
        StorageError: the directory cannot be used, or a node is running on it.
    """
    node_id = normalise_node_id(options.id)
    app = find_app(options.app)
    shards = read_backup(options.file)
    storage = SqliteStorage(options.data)
    node = storage.open(node_id)
    try:
        records = storage.load()
        for shard in shards:
            _check_empty(options.data, shard.shard_id, records.get(shard.shard_id, ShardRecord()))
        saves = []
        for shard in shards:
            await _save_app(app, options.data, options.file, shard)
            kept = records.get(shard.shard_id, ShardRecord())
            saves.append((shard.shard_id, _first_save(shard, kept, node_id)))
        hosted = tuple(sorted({*node.hosted, *(shard.shard_id for shard in shards)}))
        node = replace(node, hosted=hosted)
        storage.commit(Batch(number=0, saves=tuple(saves), node=node))
    finally:
        storage.close()
    _tell(options, node_id, shards)
    return 0


def _check_empty(directory: Path, shard_id: ShardId, kept: ShardRecord) -> None:
    if kept != ShardRecord(ballot=kept.ballot):
        raise CannotRestore(
            f"{directory} holds shard {shard_id} already, up to entry "
            f"{max(kept.entries.last, kept.log_starts_after.index)}: nothing was restored. "
            "Restore into a new directory, or remove this server from the shard's group first"
        )


async def _save_app(app: type[RaftApp], data: Path, file: Path, shard: SavedShard) -> None:
    """Make the app's half durable, in place of what an interrupted restore may have left."""
    if not shard.snapshot_index:
        return
    directory = data / "apps" / str(shard.shard_id)
    make: Any = app  # An app's constructor takes its directory; RaftApp itself does not say so.
    try:
        directory.mkdir(parents=True, exist_ok=True)
        built: RaftApp = make(directory)
        outcome = built.delete_snapshots_before(FOR_EVER)
        if outcome is not None:
            await outcome
        await built.save_snapshot(shard.snapshot_index, app_chunks(file, shard))
    except Exception as broken:  # The app's, whatever it is.
        raise CannotRestore(
            f"the app could not take the snapshot of shard {shard.shard_id} "
            f"({type(broken).__name__}: {broken}); was the backup made with --app "
            f"{shard.head.get('app') or 'another app'}?"
        ) from broken


def _first_save(shard: SavedShard, kept: ShardRecord, node_id: NodeId) -> Save:
    """Return the whole shard as a new group of *node_id*; a ballot is never forgotten (S12)."""
    group = Configuration(voters=(node_id,), group_id=secrets.randbits(128) | 1)
    saved = replace(shard.record(), ballot=kept.ballot)
    whole = after_save(saved, rewritten(saved, lambda _: group))
    return Save(
        number=1,
        ballot=whole.ballot,
        snapshot=whole.snapshot,
        log_starts_after=whole.log_starts_after if whole.snapshot is not None else None,
        entries=whole.entries,
    )


def _tell(options: argparse.Namespace, node_id: NodeId, shards: list[SavedShard]) -> None:
    if options.json:
        found = [{"shard": shard.shard_id, "index": shard.last.index} for shard in shards]
        print(json.dumps({"node_id": node_id, "data": str(options.data), "shards": found}))
        return
    for shard in shards:
        print(f"shard {shard.shard_id} begins a new group with {shard.last.index} entries")
    print(
        f"start it with `lolraft serve {node_id} --data {options.data} --app {options.app}`, "
        "without --members; then grow each shard with add-server"
    )
