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


class Odd:
    """Draws parts that do not fit one another."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(f"odd {seed}")
        self.names = [f"n{number}" for number in range(self.draw.randrange(0, 13))]
        self.names += self.draw.sample(["", "weird name", "[x]", "日本"], self.draw.randrange(0, 3))
        self.others = [*self.names, "gone", "http://elsewhere:1/"]

    def text(self) -> str:
        return self.draw.choice(_TEXTS)

    def one(self) -> str:
        return self.draw.choice(self.others)

    def number(self) -> int:
        return self.draw.choice(_NUMBERS)

    def node(self, name: str) -> NodeView:
        draw = self.draw
        return NodeView(
            name=name,
            node_id=self.text(),
            state=draw.choice(["running", "paused", "killed", "stopped", "exited"]),
            detail=self.text(),
            reported_at_s=draw.choice([None, demo.NOW_S, demo.NOW_S - 1e9, demo.NOW_S + 5]),
            cpu=draw.choice([0.0, 0.5, 64.0]),
            cpu_history=tuple(draw.random() for _ in range(draw.randrange(0, 61))),
            rss_bytes=draw.choice([0, 1, 1 << 40]),
            leading=self.number(),
            following=self.number(),
            app=self.text(),
        )

    def replica(self, name: str) -> ReplicaView:
        roles = ["leader", "follower", "candidate", "silent", "stopped", "new role"]
        return ReplicaView(
            node=name,
            role=self.draw.choice(roles),
            term=self.number(),
            leader=self.one(),
            voted_for=self.one(),
            commit_index=self.number(),
            applied_index=self.number(),
            last_index=self.draw.choice(_NUMBERS[:4]),
            last_term=1,
            snapshot_index=0,
            voters=tuple(self.others),
            outgoing=("n1",),
            learners=("gone",),
        )

    def shard(self, number: int) -> ShardView:
        draw = self.draw
        statuses = ["ok", "lagging", "no-quorum", "electing", "empty", "new status"]
        return ShardView(
            shard_id=number,
            status=draw.choice(statuses),
            why=self.text(),
            leader=draw.choice([None, self.one()]),
            term=self.number(),
            commit_index=self.number(),
            replicas={name: self.replica(name) for name in self.others if draw.random() < 0.7},
            voters=tuple(draw.sample(self.others, draw.randrange(0, len(self.others)))),
            since_s=draw.choice([0.0, demo.NOW_S, math.inf]),
        )

    def entry(self, index: int) -> EntryView:
        return EntryView(
            index=index,
            term=self.draw.randrange(0, 300),
            kind="command",
            text=self.text(),
            size_bytes=self.draw.choice([0, 1 << 30]),
        )

    def log(self, name: str) -> LogView:
        draw = self.draw
        return LogView(
            node=name,
            base_index=draw.choice([0, 1, 5, 2**62]),
            base_term=0,
            commit_index=self.number(),
            applied_index=self.number(),
            last_index=draw.choice([0, 3, 30, 2**63]),
            at_s=0.0,
            entries=tuple(self.entry(index) for index in range(1, draw.randrange(1, 40))),
        )

    def link(self, pair: tuple[str, str]) -> LinkView:
        draw = self.draw
        return LinkView(
            sender=pair[0],
            receiver=pair[1],
            phi=draw.choice(_FLOATS),
            threshold=draw.choice([8.0, 12.0]),
            mean_s=draw.choice(_FLOATS[:5]),
            deviation_s=0.0,
            last_heard_s=draw.choice(_FLOATS),
            round_trip_s=0.0,
            connected=False,
        )

    def event(self, number: int) -> EventView:
        return EventView(
            at_s=demo.NOW_S - self.draw.choice([0, 1, 1e6, -3]),
            node=self.draw.choice([None, self.one()]),
            kind=self.draw.choice(["elected", "new kind"]),
            text=self.text(),
            by_you=bool(number % 2),
        )

    def line(self) -> LogLineView:
        level = self.draw.choice(["INFO", "", "x" * 50])
        return LogLineView(at_s=demo.NOW_S, node=self.one(), level=level, text=self.text())


def odd_view(seed: int) -> ClusterView:
    """Return a picture whose parts do not fit one another, drawn from *seed*."""
    odd = Odd(seed)
    numbers = odd.draw.sample([0, 1, 17, 777, 2**31, 2**63 - 1], odd.draw.randrange(0, 7))
    pairs = [(odd.one(), odd.one()) for _ in range(20)]
    return ClusterView(
        title=odd.text(),
        now_s=demo.NOW_S,
        nodes=tuple(odd.node(name) for name in odd.names),
        links={pair: odd.link(pair) for pair in pairs},
        shards={number: odd.shard(number) for number in numbers},
        faults=demo.cluster().faults,
        events=tuple(odd.event(number) for number in range(30)),
        log_lines=tuple(odd.line() for _ in range(30)),
        logs={name: odd.log(name) for name in odd.others if odd.draw.random() < 0.5},
        logs_shard=odd.draw.choice([None, *numbers]),
        verdict=odd.draw.choice(["SAFE", "UNSAFE", "UNKNOWN", "new verdict"]),
        verdict_why=odd.text(),
    )


@pytest.mark.parametrize("seed", range(8))
async def test_an_odd_picture_is_painted_on_every_page(seed: int) -> None:
    size = ((80, 24), (140, 45), (100, 33), (200, 24))[seed % 4]
    async with running(odd_view(seed), size, ascii_glyphs=seed % 3 == 0) as lab:
        for turn in range(3):
            lab.app.action_page(PAGES[(seed * 3 + turn) % len(PAGES)])
            await lab.press(
                "tab",
                "j",
                "l",
                "G",
                "w",
                "escape",
                "left_square_bracket",
                "enter",
                "y",
                "O",
                "m",
                "n",
                "escape",
            )
            lines = lab.text().split("\n")
            assert len(lines) == size[1]
        lab.show(odd_view(seed + 100))
        await lab.press("question_mark", "escape")
        lab.show(replace(lab.source.view, nodes=(), shards={}, links={}, logs={}))
        await lab.press("1", "tab", "j", "K", "escape", "x", "t", "0")
        assert lab.app.is_running
