"""The commands of `lolraft` that ask a cluster: all but `serve`."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict

from lolraft.client import RaftClient
from lolraft.client_stream import channel_to
from lolraft.config import Tls, normalise_node_id, parse_servers
from lolraft.errors import ConfigError, RequestFailed
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2, observe_pb2_grpc

MOST_SHARDS = 20  # Lines of the table; --json has them all.


async def ask(options: argparse.Namespace, tls: Tls | None) -> int:
    """Do one of the asking commands."""
    if not 0 <= options.shard < 2**32:
        raise ConfigError(f"--shard is a number from 0 to {2**32 - 1}")
    if not 0 < options.timeout < math.inf:
        raise ConfigError("--timeout is a number of seconds above 0")
    if options.command == "status":
        return await status(options, tls)
    async with RaftClient(options.addresses, timeout_s=options.timeout, tls=tls) as client:
        answer = await _do(client, options)
    show(answer, as_json=options.json)
    return 0


async def _do(client: RaftClient, options: argparse.Namespace) -> bytes | None:
    shard = options.shard
    match options.command:
        case "write":
            message = message_of(options)
            return await client.write(shard, message, request_id=options.request_id)
        case "read":
            return await client.read(shard, message_of(options))
        case "add-server":
            server = normalise_node_id(options.server)
            await client.add_server(shard, server, as_learner=options.as_learner)
        case "remove-server":
            await client.remove_server(shard, normalise_node_id(options.server))
        case "replace-server":
            old, new = normalise_node_id(options.old), normalise_node_id(options.new)
            await client.replace_server(shard, old, new)
        case "change-members":
            voters, learners = parse_servers(options.voters), parse_servers(options.learners)
            await client.change_members(shard, voters, learners)
        case "transfer":
            target = normalise_node_id(options.to) if options.to else ""
            await client.transfer_leadership(shard, target)
    return None


def message_of(options: argparse.Namespace) -> bytes:
    """
    Return the message of a command line.

    Raises:
        ConfigError: it is no hexadecimal though it should be.
    """
    if options.message == "-":
        raw = sys.stdin.buffer.read()
    else:
        raw = options.message.encode(errors="surrogateescape")
    if not options.hex:
        return raw
    try:
        return bytes.fromhex(raw.decode())
    except ValueError as broken:
        raise ConfigError(f"--hex wants pairs of hexadecimal digits: {broken}") from broken


def show(answer: bytes | None, *, as_json: bool) -> None:
    """Print an answer: as text where it is text, else in hexadecimal."""
    if answer is None:
        print(json.dumps({"ok": True}) if as_json else "done")
        return
    try:
        text: str | None = answer.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and not text.isprintable():
        text = None
    if as_json:
        print(json.dumps({"ok": True, "text": text, "hex": answer.hex()}))
    else:
        print(text if text is not None else answer.hex())


# --- status --------------------------------------------------------------------------------------


async def status(options: argparse.Namespace, tls: Tls | None) -> int:
    """Show what each server says of itself; 1 when none answers."""
    servers = [normalise_node_id(address) for address in options.addresses]
    known: dict[NodeId, observe_pb2.Update | str] = {}
    waiting = servers
    while waiting:  # Peers that a server names are asked too.
        found = await asyncio.gather(*(picture(s, tls, options.timeout) for s in waiting))
        known.update(zip(waiting, found, strict=True))
        named = {
            normalise_node_id(peer.peer)
            for update in found
            if isinstance(update, observe_pb2.Update)
            for peer in update.peers
        }
        waiting = sorted(named - known.keys())
    pictures = {s: u for s, u in known.items() if isinstance(u, observe_pb2.Update)}
    if options.json:
        print(json.dumps({s: _as_json(update) for s, update in known.items()}, indent=2))
    elif pictures:
        print("\n".join(_table(known)))
    if not pictures:
        why = "; ".join(str(update) for update in known.values())
        raise RequestFailed("UNAVAILABLE", f"no server answers: {why}")
    return 0


async def picture(server: NodeId, tls: Tls | None, timeout_s: float) -> observe_pb2.Update | str:
    """Return a server's first, full update, or why there is none."""
    channel = channel_to(server, tls)
    try:
        stub: Any = observe_pb2_grpc.ObserveStub(channel)
        async for update in stub.Watch(observe_pb2.WatchRequest(), timeout=timeout_s):
            first: observe_pb2.Update = update
            return first
    except grpc.aio.AioRpcError as error:
        return f"{server}: {error.details()}"
    finally:
        await channel.close()
    return f"{server}: no answer"


def _as_json(update: observe_pb2.Update | str) -> dict[str, Any]:
    if isinstance(update, str):
        return {"error": update}
    return MessageToDict(update, preserving_proto_field_name=True)


def _table(known: dict[NodeId, observe_pb2.Update | str]) -> list[str]:
    lines = [f"{'node':<28} {'state':<6} {'leads':>6} {'follows':>7} {'rss':>6} {'fsync':>8}  phi"]
    shards: dict[int, list[tuple[NodeId, observe_pb2.ShardFacts]]] = {}
    for server, update in sorted(known.items()):
        if isinstance(update, str):
            lines.append(f"{server:<28} {'silent':<6} {update.partition(': ')[2][:60]}")
            continue
        leads = sum(shard.role == "leader" for shard in update.shards)
        phis = " ".join(f"{_short(peer.peer)}={min(peer.phi, 99):.1f}" for peer in update.peers)
        lines.append(
            f"{server:<28} {'up':<6} {leads:>6} {len(update.shards) - leads:>7} "
            f"{update.node.rss_bytes >> 20:>5}M {update.node.fsync_s * 1e3:>5.1f} ms  {phis}"
        )
        for shard in update.shards:
            shards.setdefault(shard.shard_id, []).append((server, shard))
    lines += ["", f"{'shard':>6} {'term':>5} {'commit':>8}  replicas (applied/last, * leads)"]
    for shard_id, replicas in sorted(shards.items())[:MOST_SHARDS]:
        term = max(shard.term for _, shard in replicas)
        commit = max(shard.commit_index for _, shard in replicas)
        shown = "  ".join(
            f"{_short(server)}{'*' if shard.role == 'leader' else ''} "
            f"{shard.applied_index}/{shard.last_index}"
            + ("" if shard.role in ("leader", "follower") else f" {shard.role}")
            for server, shard in replicas
        )
        lines.append(f"{shard_id:>6} {term:>5} {commit:>8}  {shown}")
    if len(shards) > MOST_SHARDS:
        lines.append(f"   ... and {len(shards) - MOST_SHARDS} more shards; --json has them all")
    return lines


def _short(server: str) -> str:
    host, _, port = server.partition("://")[2].rpartition(":")
    return port if host in ("127.0.0.1", "localhost", "[::1]") else host
