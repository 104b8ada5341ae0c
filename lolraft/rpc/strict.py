"""Garbage instead of protobuf gets INVALID_ARGUMENT, on every service of the port."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from lolraft.errors import LolraftError
from lolraft.rpc.answers import Context, refuse


class Garbage(LolraftError):
    """A message is not what its method takes; the text says what it should be."""


class StrictRequests(grpc.aio.ServerInterceptor):
    """
    Refuse what cannot be parsed with a status of its own.

    To gRPC it is an unexpected error of the method: status UNKNOWN, and a traceback in the log for
    every message that a stranger makes up.
    """

    def __init__(self) -> None:
        self._strict: dict[str, Any] = {}  # By method; the port serves a few dozen.

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401  # gRPC's handlers are tuples of callables of any kind.
        """Return the method's handler, wrapped; None where there is no such method."""
        name = handler_call_details.method
        if name in self._strict:
            return self._strict[name]
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler  # Unknown, or it takes bytes.
        self._strict[name] = _strict(handler)
        return self._strict[name]


def _strict(handler: Any) -> Any:  # noqa: ANN401
    def parse(raw: bytes) -> object:
        try:
            return handler.request_deserializer(raw)
        except DecodeError as broken:
            return Garbage(f"the request is not what this method takes: {broken}")

    if handler.request_streaming and handler.response_streaming:
        wrapped = {"stream_stream": _many_to_many(handler.stream_stream)}
    elif handler.request_streaming:
        wrapped = {"stream_unary": _many_to_one(handler.stream_unary)}
    elif handler.response_streaming:
        wrapped = {"unary_stream": _one_to_many(handler.unary_stream)}
    else:
        wrapped = {"unary_unary": _one_to_one(handler.unary_unary)}
    return handler._replace(request_deserializer=parse, **wrapped)


def _one_to_one(method: Any) -> Any:  # noqa: ANN401
    async def strict(request: object, context: Context) -> object:
        if isinstance(request, Garbage):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(request))
        return await method(request, context)

    return strict


def _one_to_many(method: Any) -> Any:  # noqa: ANN401
    async def strict(request: object, context: Context) -> None:
        if isinstance(request, Garbage):
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(request))
        await _write_all(method(request, context), context)

    return strict


def _many_to_one(method: Any) -> Any:  # noqa: ANN401
    async def strict(requests: AsyncIterator[object], context: Context) -> object:
        try:
            return await method(_checked(requests), context)
        except Garbage as garbage:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(garbage))

    return strict


def _many_to_many(method: Any) -> Any:  # noqa: ANN401
    async def strict(requests: AsyncIterator[object], context: Context) -> None:
        try:
            await _write_all(method(_checked(requests), context), context)
        except Garbage as garbage:
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(garbage))

    return strict


async def _write_all(
    answers: AsyncGenerator[object, None] | Awaitable[None], context: Context
) -> None:
    if isinstance(answers, Awaitable):
        return await answers  # The method writes by itself, as that of grpc.health does.
    async with aclosing(answers):
        async for answer in answers:
            try:
                await context.write(answer)
            except grpc.aio.InternalError:
                return  # The client has gone: nobody's mistake, so not in the log.


async def _checked(requests: AsyncIterator[object]) -> AsyncIterator[object]:
    """
    Pass the messages of a stream on.

    Raises:
        Garbage: one cannot be parsed.
    """
    async for request in requests:
        if isinstance(request, Garbage):
            raise request
        yield request
