"""The rings that keep what happened lately."""

from __future__ import annotations

import asyncio
import logging

from lolraft.multiraft.events import HostShard
from lolraft.runtime.loop import run
from lolraft.trace import LogRing, Trace


def test_a_trace_keeps_the_last_turns_and_cuts_what_is_long() -> None:
    trace = Trace(turns=2)
    for shard_id in (1, 2, 3):
        trace.record(0.5, [HostShard(shard_id=shard_id)], [b"x" * 10_000])
    text = trace.text()
    assert "shard_id=1" not in text
    assert text.index("shard_id=2") < text.index("shard_id=3")
    assert len(text) < 2_000


def test_a_log_ring_keeps_the_last_lines_and_tells_watchers() -> None:
    ring = LogRing(lines=2)
    logger = logging.getLogger("lolraft.test_trace")
    logger.addHandler(ring)
    logger.setLevel(logging.INFO)
    heard: list[str] = []
    end = ring.subscribe(lambda line: heard.append(line.text))
    try:
        logger.info("one %d", 1)
        logger.warning("two")
        logger.debug("not asked for")
        end()
        logger.error("three")
    finally:
        logger.removeHandler(ring)
    assert [(line.level, line.text) for line in ring.tail(10)] == [
        ("WARNING", "two"),
        ("ERROR", "three"),
    ]
    assert ring.tail(1)[0].text == "three"
    assert ring.tail(0) == ()
    assert heard == ["one 1", "two"]


def test_a_watcher_that_raises_does_not_reach_who_logs() -> None:
    ring = LogRing()
    logger = logging.getLogger("lolraft.test_trace")
    logger.addHandler(ring)
    ring.subscribe(lambda line: [][0])
    try:
        logger.error("fine")
    finally:
        logger.removeHandler(ring)
    assert ring.tail(1)[0].text == "fine"


def test_run_returns_what_main_returns_in_a_fast_loop() -> None:
    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(main()) == "uvloop"
