"""How an answer of the machine reaches a gRPC client: a message, or a status with a sentence."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import grpc.aio

from lolraft.config import normalise_node_id
from lolraft.errors import ConfigError
from lolraft.multiraft.commands import LONGEST_REQUEST_ID
from lolraft.multiraft.effects import Respond
from lolraft.raft.effects import Code
from lolraft.raft.types import NodeId

Context = grpc.aio.ServicerContext[Any, Any]

LEADER_KEY = "lolraft-leader"
"""Trailing metadata of a refused request: the server that could do it."""

LONGEST_SENTENCE = 500
"""Characters of a status: gRPC drops an answer whose headers exceed some 8 KiB, escapes counted."""

STATUS = {code: grpc.StatusCode[code.value] for code in Code}
NUMBERS: dict[Code, int] = {code: STATUS[code].value[0] for code in Code}
CODES: dict[int, Code] = {number: code for code, number in NUMBERS.items()}


async def message_or_abort(context: Context, respond: Respond) -> bytes:
    """Return the app's answer, or end the call with the status that the machine chose."""
    if respond.code is Code.OK:
        return respond.message
    trailing = ((LEADER_KEY, respond.leader_id),) if respond.leader_id is not None else ()
    text = short(respond.message.decode(errors="replace"))
    await context.abort(STATUS[respond.code], text, trailing_metadata=trailing)


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


def why_bad_write(message: bytes, request_id: str, most_bytes: int) -> str | None:
    """Return what is wrong with a write, None when nothing is."""
    if len(request_id.encode()) > LONGEST_REQUEST_ID:
        return f"a request id has at most {LONGEST_REQUEST_ID} bytes"
    if len(message) > most_bytes - LONGEST_REQUEST_ID - 2:
        return f"a message has at most {most_bytes - LONGEST_REQUEST_ID - 2} bytes"
    return None
