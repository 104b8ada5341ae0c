"""The port of a real node, and calls that no client of ours makes: garbage, lies, halves."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from lolraft.multiraft.node import MOST_STRANGERS
from lolraft.rpc.pb import client_pb2, lolraft_pb2, observe_pb2, peer_pb2
from tests.fuzz.bend import bend, noise
from tests.integration.cluster import Cluster

FILES = (lolraft_pb2, client_pb2, peer_pb2, observe_pb2, health_pb2, reflection_pb2)
WAIT_S = 0.4
"""So long a call may last; most of those that are no nonsense would last for ever."""

MOST_TASKS = 100 + 4 * MOST_STRANGERS
NEVER = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
"""What gRPC makes of an exception, and of a library that gave up."""

OWN_ERROR = "Internal error from Core"
"""The client's library made it up: the call had ended while it still wrote."""


@dataclass(frozen=True)
class Method:
    """One method of the port."""

    name: str
    takes: type[Message]
    many: bool  # Requests, on one stream.


METHODS = tuple(
    Method(
        f"/{service.full_name}/{method.name}",
        GetMessageClass(method.input_type),
        method.client_streaming,
    )
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)


class Errors(logging.Handler):
    """Keep what was logged as an error: for input from outside nothing is."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


class Port:
    """One node that leads shard 0 alone and hosts a silent one, with everything switched on."""

    def __init__(self, directory: Path) -> None:
        self.runner = asyncio.Runner()
        self.errors = Errors()
        self.codes: Counter[tuple[str, grpc.StatusCode]] = Counter()
        self._written = 0
        self._cluster = Cluster(directory, 1, shards=(0, 1), enable_faults=True)
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        logging.getLogger().addHandler(self.errors)
        await self._cluster.__aenter__()
        await self._cluster.leader()
        (self.node_id,) = self._cluster.ids
        self.channel = grpc.aio.insecure_channel(self.node_id[7:])

    def close(self) -> None:
        """Stop the node."""

        async def end() -> None:
            await self.channel.close()
            await self._cluster.__aexit__()

        self.runner.run(end())
        self.runner.close()
        logging.getLogger().removeHandler(self.errors)

    async def call(self, method: Method, requests: Sequence[bytes], *, cut: bool) -> None:
        """Call a method with *requests*, and leave in the midst of it, or read to the end."""
        call = self.channel.stream_stream(method.name)(timeout=WAIT_S)
        try:
            for raw in requests:
                await call.write(raw)
            if not cut:
                await call.done_writing()
                while await call.read() is not grpc.aio.EOF:
                    pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # It had ended before all was written; the code says how.
        if cut:
            call.cancel()
            return
        code, details = await call.code(), await call.details()
        if details == OWN_ERROR:
            return
        self.codes[method.name, code] += 1
        assert code not in NEVER, f"{method.name} answers {code}: {details}\n{requests!r}"

    async def goes_on(self) -> None:
        """Write, read, and find nothing that has grown."""
        driver = self._cluster.nodes[self.node_id].driver
        assert not driver.failed.done(), "the node has stopped"
        self._written += 1
        line = b"fuzz %d" % self._written
        await self._cluster.write(line, shard_id=0)
        assert line in (await self._cluster.read(shard_id=0)).split(b"\n")
        node = driver.machine.node
        await self._cluster.until(lambda: not node.pending and not node.waiting_shards)
        assert len(node.peers) <= MOST_STRANGERS + 1
        await self._cluster.until(lambda: len(asyncio.all_tasks()) < MOST_TASKS)
        assert not self.errors.texts, "\n".join(self.errors.texts)


def requests_for(method: Method, chance: Random, node_id: str) -> list[bytes]:
    """Return what is sent: messages that make sense, and then some that make none."""
    count = chance.choice((1, 1, 2, 4)) if method.many else 1
    requests = [_sensible(method, chance, node_id).SerializeToString() for _ in range(count)]
    match chance.randrange(6):
        case 0:
            requests[-1] = chance.randbytes(chance.choice((1, 7, 300, 5000)))
        case 1:
            requests[-1] = requests[-1][: chance.randrange(len(requests[-1]) + 1)]
        case 2:
            requests[-1] = b"\x0a\xff\xff\xff\xff\x7f" + requests[-1]  # A length of 32 GiB.
        case 3:
            requests[-1] = requests[-1] + noise(chance)
        case 4:
            chance.shuffle(requests)
        case _:
            pass
    return requests


def _sensible(method: Method, chance: Random, node_id: str) -> Message:
    message = method.takes()
    names = {field.name: field for field in message.DESCRIPTOR.fields}
    if "sender" in names and chance.random() < 0.8:
        sender = chance.choice(
            ("http://127.0.0.1:9", f"http://127.0.0.2:{chance.randrange(1, 99)}")
        )
        setattr(message, "sender", sender)  # noqa: B010  # Of whatever type it is.
    if "server_id" in names and chance.random() < 0.5:
        setattr(message, "server_id", node_id)  # noqa: B010
    bend(message, chance, chance.choice((0, 1, 3, 6)))
    if isinstance(message, observe_pb2.FaultRules):
        # What breaks the disk on purpose does break it, and clocks that jump end its promises.
        message.ClearField("storage")
        message.ClearField("clock")
    return message
