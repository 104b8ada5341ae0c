"""Lines for pipes: each thing once, in both forms, also of many shards and to a slow reader."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import pytest

from lab.faults import Fault, FaultKind
from lab.observe.happenings import Measured, Ticked
from lab.observe.view import ClusterView, EventView, NodeView, ShardView
from lab.pipe import MOST_LINES, Pipe
from lab.stream import MOST_SHARDS, Stream, jsonic, plain
from lab.workload.load import Verdict
from lab.workload.measure import Moment

NOW_S = 1_800_000_000.0


def shard(number: int, status: str = "ok", leader: str | None = "n1") -> ShardView:
    return ShardView(
        shard_id=number, status=status, why="", leader=leader, term=1, commit_index=1,
        replicas=MappingProxyType({}), voters=("n1",), since_s=NOW_S,
    )  # fmt: skip


def cluster(shards: int = 1, **more: Any) -> ClusterView:  # noqa: ANN401  # Fields of a view.
    node = NodeView(name="n1", node_id="http://n1:1", state="running", reported_at_s=NOW_S)
    all_of_them = MappingProxyType({number: shard(number) for number in range(shards)})
    known = {"title": "t", "backend": "b", "now_s": NOW_S, "nodes": (node,), "shards": all_of_them}
    return ClusterView(**(known | more))


class Lines:
    """A stream, and what it has written."""

    def __init__(self, *, as_json: bool = True) -> None:
        self.raw: list[str] = []
        self.stream = Stream(self.raw.append, as_json=as_json)

    def look(self, view: ClusterView) -> list[Any]:
        """Return what is new of *view*."""
        before = len(self.raw)
        self.stream.take(Ticked(at_s=view.now_s), view)
        new = self.raw[before:]
        return [json.loads(line) for line in new] if new and new[0].startswith("{") else new


def test_the_first_look_tells_what_there_is() -> None:
    told = Lines().look(cluster())
    assert [one["is"] for one in told] == ["start", "node", "shard", "safety"]
    assert all(one["v"] == 1 and one["at"] == NOW_S for one in told)
    assert (told[0]["title"], told[0]["backend"]) == ("t", "b")
    assert (told[1]["node"], told[1]["state"], told[1]["reports"]) == ("n1", "running", True)
    assert (told[2]["shard"], told[2]["status"], told[2]["leader"]) == (0, "ok", "n1")


def test_what_does_not_change_is_not_told_again() -> None:
    lines, view = Lines(), cluster()
    lines.look(view)
    assert lines.look(replace(view, now_s=NOW_S + 1)) == []


def test_nodes_faults_shards_and_safety_are_told_when_they_change() -> None:
    lines, view = Lines(), cluster()
    lines.look(view)
    silent = replace(view, now_s=NOW_S + 5)
    assert [(one["is"], one["reports"]) for one in lines.look(silent)] == [("node", False)]
    fault = Fault(number=3, kind=FaultKind.KILL, nodes=("n1",), since_s=NOW_S, mechanism="SIGKILL")
    killed = replace(
        silent,
        faults=(fault,),
        nodes=(replace(view.nodes[0], state="killed"),),
        shards=MappingProxyType({0: shard(0, "no-leader", None)}),
        verdict="UNSAFE",
        verdict_why="two leaders",
    )
    told = lines.look(killed)
    assert [one["is"] for one in told] == ["node", "fault", "shard", "safety"]
    assert told[1]["state"] == "began"
    assert told[1]["fault"] == "kill n1 (SIGKILL)"
    assert lines.stream.is_unsafe
    assert [one["state"] for one in lines.look(replace(killed, faults=()))] == ["ended"]


def test_an_event_is_told_once_though_its_line_grows() -> None:
    lines = Lines()
    event = EventView(at_s=NOW_S, node="n1", kind="elected", text="n1 elected", shard_id=0, term=2)
    view = cluster(shards=2, events=(event,))
    assert "event" not in [one["is"] for one in lines.look(view)], "others may join it"
    grown = replace(event, shard_id=None, count=2)
    assert lines.look(replace(view, events=(grown,), now_s=NOW_S + 0.5)) == []
    (told,) = lines.look(replace(view, events=(grown,), now_s=NOW_S + 1.5))
    assert (told["is"], told["count"], told["shard"], told["term"]) == ("event", 2, None, 2)
    assert lines.look(replace(view, events=(grown,), now_s=NOW_S + 1.75)) == []


def test_an_event_of_the_only_shard_is_told_at_once() -> None:
    event = EventView(at_s=NOW_S, node="n1", kind="elected", text="n1 elected", shard_id=0)
    assert "event" in [one["is"] for one in Lines().look(cluster(events=(event,)))]


def test_what_waits_for_others_is_told_at_the_end() -> None:
    lines = Lines()
    event = EventView(at_s=NOW_S, node="n1", kind="elected", text="n1 elected", shard_id=0)
    lines.look(cluster(shards=2, events=(event,)))
    lines.stream.end("the time is up", 0)
    told = [json.loads(line) for line in lines.raw[-2:]]
    assert [one["is"] for one in told] == ["event", "end"]
    assert (told[1]["why"], told[1]["status"]) == ("the time is up", 0)


def test_many_shards_are_one_line() -> None:
    lines = Lines()
    (told,) = [one for one in lines.look(cluster(shards=MOST_SHARDS + 1)) if "shard" in one["is"]]
    assert told["is"] == "shards"
    assert told["statuses"] == {"ok": MOST_SHARDS + 1}


def test_a_load_is_told_in_json_only() -> None:
    moments = (Moment(at_s=1, answered=30, failed=2, p50_s=0.1, p99_s=0.2),)
    measured = Measured(
        at_s=NOW_S, began_s=1.0, verdict=Verdict(acknowledged=7), moments=moments, outages=()
    )
    lines, eyes = Lines(), Lines(as_json=False)
    for one in (lines, eyes):
        one.stream.take(measured, cluster())
    told = json.loads(lines.raw[0])
    assert (told["is"], told["answered"], told["failed"]) == ("load", 30, 2)
    assert (told["p99_s"], told["acknowledged"]) == (0.2, 7)
    assert eyes.raw == []


def test_a_plain_line_is_one_line_without_tricks() -> None:
    line = plain(NOW_S, "n1", "first\nsecond\x1b[2J\x07")
    assert line.endswith("first second\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}")
    assert plain(NOW_S, None, "x").endswith("  -     x")


def test_json_is_what_every_reader_takes() -> None:
    line = jsonic(NOW_S, {"is": "x", "p": float("inf"), "text": "a\nb\ud800"})
    assert "\n" not in line
    assert json.loads(line)["p"] is None
    line.encode()


# --- the pipe ------------------------------------------------------------------------------------


def test_a_slow_reader_holds_up_nobody_and_learns_what_it_missed() -> None:
    read, write = os.pipe()
    pipe = Pipe(write, lambda lines: f"dropped {lines}")
    began_s = time.monotonic()
    for _ in range(MOST_LINES + 5_000):  # More than queue and pipe hold together.
        pipe.write("x" * 100)
    assert time.monotonic() - began_s < 5, "nobody reads, and nobody waits"
    got: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(read, got.append))
    reader.start()
    until_s = time.monotonic() + 10
    while pipe._lines.qsize() > 10 and time.monotonic() < until_s:
        time.sleep(0.01)
    pipe.write("last")
    pipe.close()
    os.close(write)
    reader.join()
    lines = b"".join(got).split()
    assert lines[-1] == b"last"
    after = pairwise(lines)
    dropped = sum(int(count) for word, count in after if word == b"dropped")
    assert dropped + sum(line == b"x" * 100 for line in lines) == MOST_LINES + 5_000


def _read_all(fd: int, take: Callable[[bytes], None]) -> None:
    while data := os.read(fd, 65536):
        take(data)
    os.close(fd)


async def test_a_reader_that_leaves_ends_the_wait() -> None:
    read, write = os.pipe()
    pipe = Pipe(write, str)
    waiting = asyncio.ensure_future(pipe.until(lambda: False))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    os.close(read)
    async with asyncio.timeout(5):
        await waiting  # Though nothing was written.
    assert pipe.is_broken
    pipe.close()
    os.close(write)


async def test_a_wait_ends_when_it_is_over() -> None:
    read, write = os.pipe()
    pipe = Pipe(write, str)
    async with asyncio.timeout(5):
        await pipe.until(lambda: True)
    assert not pipe.is_broken
    pipe.close()
    for fd in (read, write):
        os.close(fd)


@pytest.mark.parametrize("fd_is_open", [True, False])
def test_closing_never_hangs(fd_is_open: bool) -> None:
    read, write = os.pipe()
    pipe = Pipe(write, str)
    for _ in range(MOST_LINES + 2_000):
        pipe.write("y" * 100)
    if not fd_is_open:
        os.close(read)
    began_s = time.monotonic()
    pipe.close()
    assert time.monotonic() - began_s < 6
    if fd_is_open:
        os.close(read)
