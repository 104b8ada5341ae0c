"""Streams that we dial: each on a channel of its own, kept up, watched for a peer that is stuck."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import grpc
import grpc.aio

from lolraft.rpc.translate_back import Malformed

FIRST_DELAY_S = 0.1
LAST_DELAY_S = 1.0
CONNECT_S = 1.0
"""A connection that does not stand by then is tried anew: a lost SYN is repeated ever later."""

FAREWELL_S = 0.3
"""How long the last messages may take when the node stops."""

logger = logging.getLogger(__name__)

Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"

BROKEN = (
    grpc.aio.AioRpcError,
    grpc.aio.UsageError,
    grpc.aio.InternalError,
    asyncio.InvalidStateError,
)
"""What a call raises when its stream has ended, depending on the moment."""


class DialledStream(ABC):
    """
    Keep one bidirectional stream of bytes to one peer.

    A stream that breaks is dialled again, after 0.1 s at first and 1 s at most, on a new channel:
    names are looked up anew, and nothing of a connection that hangs is left. `hurry` ends the
    wait. One task reads, one writes; there is none per message.
    """

    def __init__(self, name: str, path: str, make_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._name = name  # For the log.
        self._path = path
        self._make_channel = make_channel
        self._call: Call | None = None
        self._outgoing: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._hurry = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    @property
    def stands(self) -> bool:
        """Return whether the peer has accepted the stream and it has not broken since."""
        return self._call is not None

    def hurry(self) -> None:
        """Dial at once: the peer has been heard of."""
        self._hurry.set()

    def break_off(self, why: str) -> None:
        """Give the present stream up and dial anew."""
        if self._call is not None:
            logger.info("%s: %s, dialling again", self._name, why)
            self._call.cancel()

    async def finish(self) -> None:
        """Let what was queued arrive, as far as that is quick: withdrawn claims, last answers."""
        call = self._call
        if call is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._drained.wait()
                await call.done_writing()
                await call.code()  # The peer has read to the end when it ends the stream.
        except (TimeoutError, *BROKEN) as broken:
            logger.debug("%s: no farewell: %r", self._name, broken)

    async def close(self) -> None:
        """End the stream for good."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _put(self, raw: bytes) -> None:
        self._outgoing.append(raw)
        self._drained.clear()
        self._more.set()

    async def _keep(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            self._hurry.clear()
            stood = False
            try:
                stood = await self._dial_once()
            except Exception:  # Nothing here is worth a node; it is our mistake, so it is logged.
                logger.exception("%s: unexpected failure", self._name)
            delay_s = FIRST_DELAY_S if stood else delay_s
            try:
                async with asyncio.timeout(delay_s):
                    await self._hurry.wait()
            except TimeoutError:
                delay_s = min(delay_s * 2, LAST_DELAY_S)

    async def _dial_once(self) -> bool:
        """Dial, serve the stream until it breaks; return whether it ever stood."""
        channel = self._make_channel()
        stood = False
        try:
            call: Call = channel.stream_stream(self._path)()
            async with asyncio.timeout(CONNECT_S):
                await call.initial_metadata()  # The servant sends it before anything else.
            if call.done():
                logger.debug("%s: refused: %s", self._name, await call.details())
                return False
            stood = True
            await self._serve(call)
        except (TimeoutError, Malformed, *BROKEN) as broken:
            logger.debug("%s: %r", self._name, broken)
        except asyncio.CancelledError:
            # Reading a call that `break_off` cancelled raises what ending this task would.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            if self._call is not None:
                self._call = None
                self._outgoing.clear()
                self.on_down()
            await channel.close()
        return stood

    async def _serve(self, call: Call) -> None:
        self._call = call
        self._outgoing.clear()
        self.on_up()
        writer = asyncio.get_running_loop().create_task(self._write(call))
        try:
            while isinstance(raw := await call.read(), bytes):  # Else it is `grpc.aio.EOF`.
                self.on_message(raw)
            logger.debug("%s: ended: %s", self._name, await call.details())
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, call: Call) -> None:
        try:
            while True:
                while self._outgoing:
                    await call.write(self._outgoing.popleft())
                    self.on_written()
                self._drained.set()
                self._more.clear()
                await self._more.wait()
        except BROKEN:
            call.cancel()  # The reader sees it and ends.

    @abstractmethod
    def on_up(self) -> None:
        """Note that the stream stands."""

    @abstractmethod
    def on_down(self) -> None:
        """Note that the stream broke; what was queued is lost."""

    @abstractmethod
    def on_message(self, raw: bytes) -> None:
        """Take what the peer answered; `Malformed` breaks the stream."""

    def on_written(self) -> None:  # noqa: B027 - beats do not care.
        """Note that the flow control let the oldest message through."""


class FrameStream(DialledStream):
    """
    The Exchange stream: one frame at a time, receipts come back.

    A frame that the peer has not taken for *patience_s* means that the peer or the connection is
    stuck: the stream is dialled again (L7). After a cut, a connection would otherwise wait out a
    retransmission that has backed off to many seconds.
    """

    def __init__(
        self,
        name: str,
        make_channel: Callable[[], grpc.aio.Channel],
        *,
        patience_s: float,
        on_state: Callable[[bool], None],
        on_written: Callable[[], None],
        read_receipt: Callable[[bytes], int],
    ) -> None:
        self._patience_s = patience_s
        self._on_state = on_state
        self._on_written = on_written
        self._read_receipt = read_receipt
        self._sent = 0
        self._taken = 0
        self._progress_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        super().__init__(name, "/lolraft.Peer/Exchange", make_channel)

    def send(self, raw: bytes) -> bool:
        """Queue one frame; return False when the stream is down."""
        if not self.stands:
            return False
        if self._sent == self._taken:
            self._progress_s = time.monotonic()
        self._sent += 1
        self._put(raw)
        if self._watch is None:
            self._look_later(self._patience_s)
        return True

    def _look_later(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(delay_s, self._look, loop.time() + delay_s)

    def _look(self, planned_s: float) -> None:
        self._watch = None
        if self._sent == self._taken:
            return
        left_s = self._progress_s + self._patience_s - time.monotonic()
        late_s = asyncio.get_running_loop().time() - planned_s
        if late_s > self._patience_s / 4:
            # We were away ourselves: receipts may lie in the socket (L5).
            self._look_later(self._patience_s / 4)
        elif left_s > 0:
            self._look_later(left_s)
        else:
            self.break_off(f"a frame was not taken for {self._patience_s:.1f} s")

    def on_up(self) -> None:
        """Start counting anew."""
        self._sent = self._taken = 0
        self._on_state(True)

    def on_down(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._sent = self._taken = 0
        self._on_state(False)

    def on_message(self, raw: bytes) -> None:
        """Take a receipt."""
        taken = self._read_receipt(raw)
        if not self._taken <= taken <= self._sent:
            raise Malformed(f"a receipt for {taken} frames of {self._sent}")
        self._taken = taken
        self._progress_s = time.monotonic()

    def on_written(self) -> None:
        """Let the next frame come."""
        self._on_written()


class BeatStream(DialledStream):
    """
    The Beat stream: heartbeats go, acks come back.

    A peer that acks nothing for *patience_s* is dialled again: see `FrameStream`.
    """

    MOST_WAITING = 16  # Read rounds in a burst; what does not fit is dropped.

    def __init__(
        self,
        name: str,
        make_channel: Callable[[], grpc.aio.Channel],
        *,
        patience_s: float,
        on_ack: Callable[[bytes], None],
    ) -> None:
        self._patience_s = patience_s
        self._on_ack = on_ack
        self._unacked_since_s: float | None = None
        self._last_send_s = 0.0
        super().__init__(name, "/lolraft.Peer/Beat", make_channel)

    def send(self, raw: bytes) -> bool:
        """Queue one heartbeat; return False when it was dropped."""
        if not self.stands or len(self._outgoing) >= self.MOST_WAITING:
            return False
        now_s = time.monotonic()
        if self._unacked_since_s is None or now_s - self._last_send_s > self._patience_s / 2:
            self._unacked_since_s = now_s  # The second: we were away ourselves (L5).
        self._last_send_s = now_s
        if now_s - self._unacked_since_s > self._patience_s:
            self.break_off(f"no heartbeat was acked for {self._patience_s:.1f} s")
            return False
        self._put(raw)
        return True

    def on_up(self) -> None:
        """Forget what an earlier stream owed."""
        self._unacked_since_s = None

    def on_down(self) -> None:
        """Nothing to do: the next beat is dropped."""

    def on_message(self, raw: bytes) -> None:
        """Take an ack."""
        self._unacked_since_s = None
        self._on_ack(raw)
