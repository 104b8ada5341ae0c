"""How an answer of the machine reaches a gRPC client: a message, or a status with a sentence."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import grpc.aio

from lolraft.config import normalise_node_id
from lolraft.errors import ConfigError
from lolraft.multiraft.commands import ID_ROOM, RequestId, why_bad_id
from lolraft.multiraft.effects import Respond
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId

Context = grpc.aio.ServicerContext[Any, Any]

LEADER_KEY = "lolraft-leader"
"""Trailing metadata of a refused request: the server that could do it."""

PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""Trailing metadata of gRPC's own: so long a client that retries should wait."""

RETRY_AFTER_MS = 100
"""Advice to who was refused for lack of room: a full queue needs about so long to drain."""

LONGEST_SENTENCE = 500
"""Characters of a status: gRPC drops an answer whose headers exceed some 8 KiB, escapes counted."""

STATUS = {code: grpc.StatusCode[code.value] for code in Code}
NUMBERS: dict[Code, int] = {code: STATUS[code].value[0] for code in Code}
CODES: dict[int, Code] = {number: code for code, number in NUMBERS.items()}


async def message_or_abort(context: Context, respond: Respond) -> bytes:
    """Return the app's answer, or end the call with the status that the machine chose."""
    if respond.code is Code.OK:
        return respond.message
    trailing = [(LEADER_KEY, str(respond.leader_id))] if respond.leader_id is not None else []
    if respond.code is Code.RESOURCE_EXHAUSTED:
        trailing.append((PUSHBACK_KEY, str(RETRY_AFTER_MS)))
    text = short(respond.message.decode(errors="replace"))
    await context.abort(STATUS[respond.code], text, trailing_metadata=tuple(trailing))


def short(text: str) -> str:
    """Return *text*, cut where it is too long for a status: an app may quote what it was sent."""
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}..."


async def refuse(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    """End the call with a sentence."""
    await context.abort(code, short(text))


async def server_id_or_abort(context: Context, text: str) -> NodeId:
    """Return a server id in its one form, or end the call with INVALID_ARGUMENT."""
    try:
        return normalise_node_id(text)
    except ConfigError as broken:
        await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(broken))


def why_bad_write(message: bytes, request_id: RequestId, most_bytes: int) -> str | None:
    """Return what is wrong with a write, None when nothing is."""
    if len(message) > most_bytes - ID_ROOM:
        return f"a message has at most {most_bytes - ID_ROOM} bytes"
    return why_bad_id(request_id)
