"""What is done to the cluster: every call runs in a worker, and how it ended is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.cluster.interface import Cluster, ClusterError
from lab.faults import Fault, FaultKind, Trouble
from lab.observe.view import EventView
from lab.tui.ports import Client, ViewSource, Words
from lolraft.errors import LolraftError, RequestFailed

if TYPE_CHECKING:
    from textual.app import App

_TOGETHER = 16  # Shards that a new node joins at the same time.

Work = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class _About:
    """What a line of the timeline is about."""

    node: str | None = None
    shard_id: int | None = None


class Deeds:
    """Run one wish at a time for each thing it concerns, and say how it went."""

    def __init__(
        self,
        app: App[object],
        source: ViewSource,
        cluster: Cluster,
        client: Client,
        words: Words,
    ) -> None:
        self._app, self._source = app, source
        self._cluster, self._client, self._words = cluster, client, words

    # Nodes.

    def kill(self, name: str) -> None:
        """SIGKILL a node."""
        self._node(name, f"kill {name}", lambda: self._cluster.kill(name), FaultKind.KILL)

    def stop(self, name: str) -> None:
        """SIGTERM a node."""
        self._node(name, f"stop {name}", lambda: self._cluster.stop(name), FaultKind.STOP)

    def pause(self, name: str) -> None:
        """Freeze a node."""
        self._node(name, f"pause {name}", lambda: self._cluster.pause(name), FaultKind.PAUSE)

    def resume(self, name: str) -> None:
        """Let a paused node go on."""
        self._node(name, f"resume {name}", lambda: self._cluster.resume(name))

    def restart(self, name: str, verb: str = "restart") -> None:
        """Start a node again."""
        self._node(name, f"{verb} {name}", lambda: self._cluster.restart(name))

    def isolate(self, name: str) -> None:
        """Cut a node off."""
        self._node(name, f"isolate {name}", lambda: self._cluster.isolate(name), FaultKind.ISOLATE)

    def _node(
        self,
        name: str,
        what: str,
        call: Callable[[], Awaitable[object]],
        kind: FaultKind | None = None,
    ) -> None:
        self._go(what, call, group=f"node {name}", node=name, kind=kind)

    # Links.

    def cut(self, sender: str, receiver: str) -> None:
        """Cut one way."""
        self._go(
            f"cut {sender} → {receiver}",
            lambda: self._cluster.cut(sender, receiver),
            group="links", node=sender, kind=FaultKind.CUT,
        )  # fmt: skip

    def cut_both(self, one: str, other: str) -> None:
        """Cut both ways."""
        self._go(
            f"cut {one} ⇄ {other}",
            lambda: self._cluster.cut_both(one, other),
            group="links", node=one, kind=FaultKind.CUT_BOTH,
        )  # fmt: skip

    def partition(self, groups: tuple[tuple[str, ...], ...]) -> None:
        """Cut between groups."""
        self._go(
            "partition " + " | ".join(" ".join(group) for group in groups),
            lambda: self._cluster.partition(groups),
            group="links", kind=FaultKind.PARTITION,
        )  # fmt: skip

    def disturb(self, what: str, kind: FaultKind, where: tuple[str, ...], trouble: Trouble) -> None:
        """Make a link or a node behave badly."""
        self._go(
            what,
            lambda: self._cluster.disturb(kind, where, trouble),
            group="links", node=where[0], kind=kind,
        )  # fmt: skip

    def heal(self, fault: Fault | None = None) -> None:
        """End one network fault or all."""
        what = "heal everything" if fault is None else f"heal {fault}"
        self._go(what, lambda: self._cluster.heal(fault), group="links")

    def undo(self, number: int | None = None) -> None:
        """Take back the newest fault, whatever it was, or the one of this *number*."""
        faults = [item for item in self._cluster.faults() if number in (None, item.number)]
        if not faults:
            self._app.notify("Nothing to undo: no fault is in force.")
            return
        newest = max(faults, key=lambda fault: fault.number)
        if newest.kind is FaultKind.PAUSE:
            self.resume(newest.nodes[0])
        elif newest.kind in (FaultKind.KILL, FaultKind.STOP):
            self.restart(newest.nodes[0])
        else:
            self.heal(newest)

    # Shards.

    def write(self, shard_id: int, shard: str, key: str, value: str) -> None:
        """Put a value through the client."""
        words = self._words

        async def work() -> str:
            answer = await self._client.write(shard_id, words.put(key, value))
            return words.tell(answer)

        what = f"write {key}={value} to {shard}"
        self._go(what, self._timed(work), group=f"write {shard_id}", shard_id=shard_id)

    def read(self, shard_id: int, shard: str, key: str) -> None:
        """Get a value, linearizably."""
        words = self._words

        async def work() -> str:
            return words.tell(await self._client.read(shard_id, words.get(key)))

        what, group = f"read {key} from {shard}", f"read {shard_id}"
        self._go(what, self._timed(work), group=group, shard_id=shard_id, tell=True)

    def transfer(self, shard_id: int, shard: str, target: str, target_id: str) -> None:
        """Hand leadership over."""
        self._go(
            f"transfer {shard} to {target}",
            lambda: self._client.transfer_leadership(shard_id, target_id),
            group=f"transfer {shard_id}", node=target,
        )  # fmt: skip

    def remove(self, shard_id: int, shard: str, name: str, server_id: str) -> None:
        """Take a node out of a shard; it runs on, without it."""
        self._go(
            f"remove {name} from {shard}",
            lambda: self._client.remove_server(shard_id, server_id),
            group=f"remove {shard_id}", node=name, shard_id=shard_id,
        )  # fmt: skip

    def snapshot(self, shard_id: int, shard: str) -> None:
        """Let the app at the leader take a snapshot: the log before it may go."""
        words = self._words

        async def work() -> str:
            return words.tell(await self._client.read(shard_id, words.snapshot()))

        what, group = f"snapshot of {shard}", f"snapshot {shard_id}"
        self._go(what, work, group=group, shard_id=shard_id)

    def add_node(self, shard_ids: list[int]) -> None:
        """Start an empty node and make it a member of the shards, some at the same time."""

        async def work() -> str:
            handle = await self._cluster.add_node()
            joining = f"joining {_shards(len(shard_ids))}"
            self._say(f"you: {handle.name} started, {joining}", _About(handle.name))
            joined, refused = await self._join(str(handle.node_id), shard_ids)
            if refused is not None:
                raise ClusterError(
                    f"{handle.name} joined {joined} of {_shards(len(shard_ids))}, then: {refused}"
                )
            return f"{handle.name} is a member of {_shards(joined)}"

        self._go("add a node", work, group="add", tell=True)

    async def _join(self, server_id: str, shard_ids: list[int]) -> tuple[int, Exception | None]:
        """Add the server shard by shard, several at once; stop at the first refusal."""
        joined = 0
        for start in range(0, len(shard_ids), _TOGETHER):
            some = shard_ids[start : start + _TOGETHER]
            calls = (self._client.add_server(shard_id, server_id) for shard_id in some)
            ends = await asyncio.gather(*calls, return_exceptions=True)
            joined += sum(not isinstance(end, BaseException) for end in ends)
            for end in ends:
                if isinstance(end, Exception):
                    return joined, end
                if isinstance(end, BaseException):
                    raise end
        return joined, None

    # How all of it is done.

    def _timed(self, work: Callable[[], Awaitable[str]]) -> Work:
        async def timed() -> str:
            began = time.perf_counter()
            answer = await work()
            return f"{answer} ({(time.perf_counter() - began) * 1000:.1f} ms)"

        return timed

    def _go(
        self,
        what: str,
        call: Callable[[], Awaitable[object]],
        *,
        group: str,
        node: str | None = None,
        kind: FaultKind | None = None,
        shard_id: int | None = None,
        tell: bool = False,
    ) -> None:
        """Start *call* in a worker, unless the backend says beforehand that it cannot."""
        reason = self._cluster.why_not(kind) if kind is not None else None
        if reason is not None:
            self._app.notify(reason, title=f"cannot {what}", severity="warning")
            return
        self._app.run_worker(
            self._run(what, call, _About(node, shard_id), tell),
            group=group, name=what, exit_on_error=False,
        )  # fmt: skip

    async def _run(
        self,
        what: str,
        call: Callable[[], Awaitable[object]],
        about: _About,
        tell: bool,
    ) -> None:
        try:
            result = await call()
        except ClusterError as error:
            self._failed(what, str(error), about)
        except RequestFailed as error:
            more = "" if error.outcome_known else " · it may still be executed"
            self._failed(what, f"{error.text}{more}", about)
        except LolraftError as error:
            self._failed(what, str(error), about)
        except Exception as error:  # The screen stays, whatever a backend raises.
            self._failed(what, f"{type(error).__name__}: {error}", about)
        else:
            ended = f" ({result.mechanism})" if isinstance(result, Fault) else ""
            ended = f": {result}" if isinstance(result, str) and result else ended
            self._say(f"you: {what}{ended}", about)
            if tell:
                self._app.notify(f"{what}{ended}")

    def _failed(self, what: str, why: str, about: _About) -> None:
        self._say(f"failed: {what}: {why}", about, kind="failed")
        self._app.notify(why or "no reason given", title=f"{what} failed", severity="error")

    def _say(self, text: str, about: _About, kind: str = "you") -> None:
        self._source.note(
            EventView(
                at_s=time.time(), node=about.node, kind=kind, text=text,
                shard_id=about.shard_id, by_you=kind == "you",
            )
        )  # fmt: skip


def _shards(number: int) -> str:
    return "1 shard" if number == 1 else f"{number:,} shards"
