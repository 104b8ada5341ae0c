"""Odd pictures: whatever a node reports, the screen stays, at every size and page."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from lab.observe.view import (
    ClusterView,
    EntryView,
    EventView,
    LinkView,
    LogLineView,
    LogView,
    NodeView,
    ReplicaView,
    ShardView,
)
from lab.tui.plan import PAGES
from tests.lab import demo
from tests.lab.screen import running

_TEXTS = [
    "",
    "a" * 300,
    "[bold]not markup[/]",
    "日本語の値",
    "line\nbreak\ttab\x1b[31m",
    "n1",
    "🔎",
]
_NUMBERS = [0, 1, -1, 7, 2**63, 10**18]
_FLOATS = [0.0, -1.0, 0.3, 16.0, 1e12, math.inf, math.nan]


def odd_view(seed: int) -> ClusterView:
    """Return a picture whose parts do not fit one another, drawn from *seed*."""
    draw = Random(f"odd {seed}")
    names = [f"n{number}" for number in range(draw.randrange(0, 13))]
    names += draw.sample(["", "weird name", "[x]", "日本"], draw.randrange(0, 3))
    others = [*names, "gone", "http://elsewhere:1/"]

    def a(kinds: list[object]) -> object:
        return draw.choice(kinds)

    def one() -> str:
        return draw.choice(others)

    nodes = tuple(
        NodeView(
            name=name,
            node_id=str(a(_TEXTS)),
            state=str(a(["running", "paused", "killed", "stopped", "exited"])),
            detail=str(a(_TEXTS)),
            reported_at_s=a([None, demo.NOW_S, demo.NOW_S - 1e9, demo.NOW_S + 5]),  # type: ignore[arg-type]
            cpu=draw.choice([0.0, 0.5, 64.0]),
            cpu_history=tuple(draw.random() for _ in range(draw.randrange(0, 61))),
            rss_bytes=draw.choice([0, 1, 1 << 40]),
            leading=draw.choice(_NUMBERS),
            following=draw.choice(_NUMBERS),
            app=str(a(_TEXTS)),
        )
        for name in names
    )

    def replica(name: str) -> ReplicaView:
        return ReplicaView(
            node=name,
            role=str(a(["leader", "follower", "candidate", "silent", "stopped", "new role"])),
            term=draw.choice(_NUMBERS), leader=one(), voted_for=one(),
            commit_index=draw.choice(_NUMBERS), applied_index=draw.choice(_NUMBERS),
            last_index=draw.choice(_NUMBERS[:4]), last_term=1, snapshot_index=0,
            voters=tuple(others), outgoing=("n1",), learners=("gone",),
        )  # fmt: skip

    shards = {
        number: ShardView(
            shard_id=number,
            status=str(a(["ok", "lagging", "no-quorum", "electing", "empty", "new status"])),
            why=str(a(_TEXTS)),
            leader=draw.choice([None, one()]),
            term=draw.choice(_NUMBERS),
            commit_index=draw.choice(_NUMBERS),
            replicas={name: replica(name) for name in others if draw.random() < 0.7},
            voters=tuple(draw.sample(others, draw.randrange(0, len(others)))),
            since_s=draw.choice([0.0, demo.NOW_S, math.inf]),
        )
        for number in draw.sample([0, 1, 17, 777, 2**31, 2**63 - 1], draw.randrange(0, 7))
    }
    logs = {
        name: LogView(
            node=name, base_index=draw.choice([0, 1, 5, 2**62]), base_term=0,
            commit_index=draw.choice(_NUMBERS), applied_index=draw.choice(_NUMBERS),
            last_index=draw.choice([0, 3, 30, 2**63]), at_s=0.0,
            entries=tuple(
                EntryView(index=index, term=draw.randrange(0, 300), kind="command",
                          text=str(a(_TEXTS)), size_bytes=draw.choice([0, 1 << 30]))
                for index in range(1, draw.randrange(1, 40))
            ),
        )
        for name in others if draw.random() < 0.5
    }  # fmt: skip
    pairs = [(one(), one()) for _ in range(20)]
    links = {
        pair: LinkView(
            sender=pair[0], receiver=pair[1], phi=draw.choice(_FLOATS),
            threshold=draw.choice([8.0, 12.0]), mean_s=draw.choice(_FLOATS[:5]),
            deviation_s=0.0, last_heard_s=draw.choice(_FLOATS), round_trip_s=0.0, connected=False,
        )
        for pair in pairs
    }  # fmt: skip
    return ClusterView(
        title=str(a(_TEXTS)),
        now_s=demo.NOW_S,
        nodes=nodes,
        links=links,
        shards=shards,
        faults=demo.cluster().faults,
        events=tuple(
            EventView(
                at_s=demo.NOW_S - draw.choice([0, 1, 1e6, -3]),
                node=draw.choice([None, one()]),
                kind=str(a(["elected", "new kind"])),
                text=str(a(_TEXTS)),
                by_you=bool(turn % 2),
            )
            for turn in range(30)
        ),
        log_lines=tuple(
            LogLineView(
                at_s=demo.NOW_S,
                node=one(),
                level=str(a(["INFO", "", "x" * 50])),
                text=str(a(_TEXTS)),
            )
            for _ in range(30)
        ),
        logs=logs,
        logs_shard=draw.choice([None, *shards]),
        verdict=str(a(["SAFE", "UNSAFE", "UNKNOWN", "new verdict"])),
        verdict_why=str(a(_TEXTS)),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
async def test_an_odd_picture_is_painted_on_every_page(seed: int) -> None:
    size = ((80, 24), (140, 45), (100, 33), (200, 24))[seed % 4]
    async with running(odd_view(seed), size, ascii_glyphs=seed % 3 == 0) as lab:
        for turn in range(3):
            lab.app.action_page(PAGES[(seed * 3 + turn) % len(PAGES)])
            await lab.press("tab", "j", "l", "G", "enter", "y", "O", "m", "n", "escape")
            lines = lab.text().split("\n")
            assert len(lines) == size[1]
        lab.show(odd_view(seed + 100))
        await lab.press("question_mark", "escape")
        lab.show(replace(lab.source.view, nodes=(), shards={}, links={}, logs={}))
        await lab.press("1", "tab", "j", "K", "escape", "x", "t", "0")
        assert lab.app.is_running
