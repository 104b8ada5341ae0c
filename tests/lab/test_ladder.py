"""The ladder: messages where they are known, events elsewhere; filter, cursor, single steps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lab.apps import kv
from lab.attach import client_of, taped, watched
from lab.chronicle import Chronicle
from lab.observe.fold import MOST_MESSAGES, fold
from lab.observe.happenings import MessagesSeen
from lab.observe.plain import from_plain, to_plain
from lab.observe.recording import decode, encode
from lab.observe.tape import view_digest
from lab.observe.view import ClusterView, MessageView
from lab.onward import screen_of
from lab.sim.cluster import SimCluster
from lab.tui.widgets.ladder import LadderPanel, sentence
from tests.lab import demo
from tests.lab.screen import running
from tests.lab.taped import story
from tests.lab.test_steering import Room

SENT = MessageView(
    number=7, sent_s=demo.NOW_S - 1, sender="n1", receiver="n3", kind="append",
    text="entry 3, commit 2, term 1", fate="flying",
)  # fmt: skip


@asynccontextmanager
async def room(folder: Path, seed: int = 3) -> AsyncIterator[Room]:
    """Run the app over a simulated cluster that is taped, as `./log --backend sim` does."""
    cluster, chronicle = SimCluster(seed=seed, speed=4.0), Chronicle()
    with taped(cluster, None, chronicle) as (watcher, deck):
        deck._folder = folder
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            client = client_of(cluster)
            app = screen_of(watcher, cluster, client, deck, chronicle, None)
            async with app.run_test(size=(100, 30)) as pilot:
                one = Room(app, pilot, cluster)
                await one.until(lambda: "leads 1" in one.text() or "leaders 1/1" in one.text())
                yield one
        finally:
            await watcher.stop()
            await cluster.close()


def ladder(one: Room) -> LadderPanel:
    assert one.app.desk is not None
    panel = one.app.desk.panels["ladder"]
    assert isinstance(panel, LadderPanel)
    return panel


def shown(one: Room) -> ClusterView:
    scene = one.app.scene()
    assert scene is not None
    return scene.view


async def elected(one: Room) -> None:
    """Let the leader die, and wait until the others have elected one before our eyes."""
    leader = shown(one).shards[0].leader
    assert leader is not None
    await one.cluster.kill(leader)
    await one.until(
        lambda: {seen.kind for seen in shown(one).messages} >= {"vote", "append", "ack"}
    )


async def test_each_message_has_a_line_and_each_fate_looks_its_own(tmp_path: Path) -> None:
    fates = {
        "flying": ("●╌╌╌╌╌", "under way: entry 3"),
        "held": ("‖", "held up by a broken wire: entry 3"),
        "arrived": ("●───", "entry 3, commit 2, term 1 (2.0 ms)"),
        "frozen": ("‖", "n3 was frozen when it came"),
        "lost": ("╳", "lost, by a fault: entry 3"),
    }
    for fate, (drawn, words) in fates.items():
        message = replace(SENT, fate=fate, at_s=SENT.sent_s + 0.002, why="by a fault")
        if fate == "arrived":
            message = replace(message, why="")
        view = replace(
            demo.cluster(3, 1), backend="sim", messages=(message,), messages_shard=0, events=()
        )
        async with running(view, (110, 30)) as lab:
            await lab.press("8")
            (line,) = [line for line in lab.text().splitlines() if "entry 3" in line]
            assert drawn in line, fate
            assert words in line, fate
            assert "every message" in lab.text()


async def test_the_ladder_of_real_nodes_says_that_it_has_no_messages() -> None:
    async with running(demo.cluster(3, 1)) as lab:
        await lab.press("8")
        assert "events as the nodes told them, not messages" in lab.text()
        assert "every message" not in lab.text()
        assert "voted" in lab.text(), "what replicas report of their votes is shown instead"


async def test_words_filter_it_and_an_exclamation_mark_turns_them_round(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        await elected(one)
        await one.press("8", "slash", *"vote", "enter")
        rows = list(ladder(one).rows(one.app.scene()))  # type: ignore[arg-type]
        kinds = {row.kind for row in rows if isinstance(row, MessageView)}
        assert kinds == {"vote", "pre-vote"}
        await one.press("escape", "slash", *"!vote", "enter")
        rows = list(ladder(one).rows(one.app.scene()))  # type: ignore[arg-type]
        kinds = {row.kind for row in rows if isinstance(row, MessageView)}
        assert kinds
        assert not kinds & {"vote", "pre-vote"}


async def test_the_cursor_stays_on_its_message_when_others_come(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        await elected(one)
        await one.press("8", "up", "up", "up")
        here = ladder(one).message()
        assert here is not None
        before = len(shown(one).messages)
        for number in range(4):
            await one.cluster.client().write(0, kv.put("a", str(number)))
        await one.until(lambda: len(shown(one).messages) > before + 4)
        assert ladder(one).message() == here
        await one.press("G")
        await one.until(lambda: ladder(one).message() != here)


async def test_time_steps_through_single_messages_and_the_past_is_as_it_was(
    tmp_path: Path,
) -> None:
    async with room(tmp_path) as one:
        leader = shown(one).shards[0].leader
        assert leader is not None
        assert one.app.tape is not None
        tape = one.app.tape
        await one.press("8", "z")
        await one.cluster.kill(leader)
        assert await one.cluster.to_next_election(20.0)
        one.app.tick()
        live: dict[int, str] = {}  # By position on the tape.
        was = one.app.source._on_happening  # type: ignore[attr-defined]

        def listen(happening: object) -> None:
            was(happening)
            live[tape.end] = view_digest(one.app.source.view)

        one.app.source._on_happening = listen  # type: ignore[attr-defined]
        flew = False
        for _ in range(7):
            before = (one.app.source.view.messages, one.app.source.view.events)
            await one.press("full_stop")
            await one.app.workers.wait_for_complete()
            assert (one.app.source.view.messages, one.app.source.view.events) != before
            flew |= any(message.fate == "flying" for message in shown(one).messages)
        assert flew, "time stands while a message is under way"
        newest = shown(one)
        for _ in range(5):
            at = one.app._at
            await one.press("comma")
            assert one.app._at < at
            assert view_digest(shown(one)) == live[one.app._at]
        assert len(shown(one).messages) < len(newest.messages)


def test_the_newest_word_of_a_message_counts_and_the_oldest_messages_go() -> None:
    view = fold(demo.cluster(3, 1), MessagesSeen(at_s=1.0, shard_id=0, messages=(SENT,)))
    came = replace(SENT, fate="arrived", at_s=SENT.sent_s + 1)
    view = fold(view, MessagesSeen(at_s=2.0, shard_id=0, messages=(came,)))
    assert view.messages == (came,)
    many = tuple(replace(SENT, number=number) for number in range(8, 8 + MOST_MESSAGES))
    view = fold(view, MessagesSeen(at_s=3.0, shard_id=0, messages=many))
    assert view.messages == many
    other = fold(view, MessagesSeen(at_s=4.0, shard_id=1, messages=(SENT,)))
    assert other.messages == (SENT,), "another shard's messages are not those of this one"
    assert other.messages_shard == 1


def test_messages_are_recorded_as_they_are() -> None:
    seen = MessagesSeen(at_s=3.0, shard_id=2, messages=(SENT, replace(SENT, fate="lost", at_s=2.5)))
    assert decode(encode(seen)) == seen
    assert any(isinstance(one, MessagesSeen) for one in story()), "and taped"


def test_a_picture_of_an_older_recording_has_no_messages() -> None:
    view = demo.cluster(3, 1)
    plain = to_plain(view)
    assert from_plain(ClusterView, plain) == view
    assert from_plain(ClusterView, plain[:-2]) == view


def test_a_sentence_that_is_filtered_and_copied_has_no_times_of_its_own() -> None:
    assert sentence(SENT) == "under way: entry 3, commit 2, term 1"
    assert not re.search(r"\(.* ms\)", sentence(replace(SENT, fate="lost", why="by a fault")))


async def test_nobody_looks_without_a_screen() -> None:
    cluster = SimCluster(seed=3, speed=None)
    with watched(cluster, None, Chronicle()) as watcher:
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            await cluster.sleep(2.0)
            assert cluster.world.network.tap is None
            watcher.select(0, None, 80)
            assert cluster.world.network.tap is not None
            await watcher.stop()
            assert cluster.world.network.tap is None
        finally:
            await cluster.close()
    await asyncio.sleep(0)
