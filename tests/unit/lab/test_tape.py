"""A tape shows every moment as it was live, forgets what is old, and becomes a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.apps import kv
from lab.faults import FaultKind, LinkTrouble
from lab.observe import tape as tapes
from lab.observe.happenings import Happening, Noted, Ticked
from lab.observe.recording import begin_to_read, read
from lab.observe.tape import EVERY, Picture, Tape, next_of, previous_of, view_digest
from lab.observe.view import ClusterView, EventView
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher


@asynccontextmanager
async def troubled(tape: Tape, live: list[Picture]) -> AsyncIterator[SimCluster]:
    """Run a simulated cluster into trouble; keep every picture as it was live."""
    pictures = Picture(tape.first)

    def take(happening: Happening) -> None:
        nonlocal pictures
        pictures = pictures.after(happening, watcher.view)
        live.append(pictures)
        tape.take(happening, watcher.view)

    cluster = SimCluster(seed=4, speed=None)
    watcher = SimWatcher(cluster, on_happening=take)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        watcher.select(0, None, 64)
        await cluster.client().write(0, kv.put("a", "1"), timeout_s=20.0)
        await cluster.disturb(FaultKind.DELAY, ("n1", "n2"), LinkTrouble(delay_s=0.01))
        await cluster.sleep(1.0)
        leader = watcher.view.shards[0].leader
        assert leader is not None
        await cluster.kill(leader)
        watcher.note(EventView(at_s=0.0, node=leader, kind="you", text="kill", by_you=True))
        await cluster.sleep(20.0)
        await cluster.restart(leader)
        await cluster.sleep(20.0)
        yield cluster
    finally:
        await watcher.stop()
        await cluster.close()


def blank() -> ClusterView:
    return ClusterView(title="sim:4", backend="sim", verdict="UNKNOWN")


async def test_every_moment_is_shown_as_it_was_live() -> None:
    tape, live = Tape(blank()), list[Picture]()
    async with troubled(tape, live):
        assert len(live) == tape.end > 2 * EVERY, "there is more than one kept picture"
        for position, picture in reversed(list(enumerate(live, 1))):
            if position % 7 == 0 or position in tape.events or position % EVERY < 2:
                seen = tape.picture_at(position)
                assert seen == picture, position
                assert view_digest(seen.view) == view_digest(picture.view), position
        assert live[-1].account.spans, "a fault was in the account"
        assert live[-1].phi.tracks
        assert tape.view_at(0) == tape.first


async def test_a_file_of_it_shows_the_same_at_every_happening(tmp_path: Path) -> None:
    tape, live = Tape(blank()), list[Picture]()
    async with troubled(tape, live):
        tape.write(tmp_path / "f").close()
    reading = begin_to_read(tmp_path / "f")
    replayed = Tape(reading.first)
    for position, (line, happening) in enumerate(reading.happenings()):
        replayed.take(happening, line=line)
        assert view_digest(replayed.newest.view) == view_digest(live[position].view), position
        assert replayed.newest == live[position]
    assert replayed.end == tape.end
    assert (replayed.events, replayed.elections) == (tape.events, tape.elections)


async def test_what_is_old_is_forgotten_and_the_rest_becomes_a_file(tmp_path: Path) -> None:
    tape, live = Tape(blank(), most_s=12.0), list[Picture]()
    async with troubled(tape, live):
        pass
    assert tape.start > 0
    assert tape.starts_s == live[tape.start - 1].view.now_s
    assert tape.newest.view.now_s - tape.starts_s >= 12.0
    for position in (tape.start, tape.end - 5, tape.end):
        assert tape.time_at(position) == live[position - 1].view.now_s
        assert tape.view_at(tape.position_at(tape.time_at(position))).now_s == tape.time_at(
            position
        )
    assert all(position > tape.start for position in tape.events)
    for position in range(tape.start, tape.end, 5):
        assert tape.picture_at(position or 1) == live[position - 1], position
    assert tape.picture_at(0) == live[tape.start - 1], "nearer than nothing"
    recorder = tape.write(tmp_path / "f")
    recorder.take(Ticked(at_s=tape.newest.view.now_s + 1))
    recorder.close()
    assert b'"version": 3' in (tmp_path / "f").read_bytes()[:60]
    found = read(tmp_path / "f")
    replayed = Tape(found.first)
    for happening in found.happenings[:-1]:
        replayed.take(happening)
    assert replayed.newest == tape.newest, "with phi and the account of what was forgotten"
    assert replayed.picture_at(1) == live[tape.start - 1]
    assert replayed.end - 1 == tape.end - tape.start


def test_too_many_bytes_are_forgotten_too() -> None:
    tape = Tape(blank(), most_bytes=4_000)
    for number in range(40 * EVERY):
        tape.take(Ticked(at_s=1.0 + number * 1e-3))
    assert tape.end - tape.start < 30 * EVERY
    assert tape.end - tape.start >= EVERY


async def test_events_and_elections_are_found_in_their_order() -> None:
    tape, live = Tape(blank()), list[Picture]()
    async with troubled(tape, live):
        pass
    pictures = [Picture(tape.first), *live]
    changed = [
        position
        for position in range(1, tape.end + 1)
        if tapes.matters(pictures[position - 1].view, pictures[position].view)
    ]
    assert tape.events == changed
    assert len(tape.elections) >= 2, "one at the beginning, one after the kill"
    for position in tape.elections:
        new = set(pictures[position].view.events) - set(pictures[position - 1].view.events)
        assert any(event.kind == "elected" for event in new)
    first, second = tape.events[:2]
    assert next_of(tape.events, first) == second
    assert next_of(tape.events, tape.end) is None
    assert previous_of(tape.events, second) == first
    assert previous_of(tape.events, first) is None


@pytest.mark.parametrize("what", ["events", "faults", "nodes", "violation", "nothing"])
async def test_what_matters(what: str) -> None:
    tape, live = Tape(blank()), list[Picture]()
    async with troubled(tape, live):
        pass
    view = next(picture.view for picture in live if picture.view.faults)
    if what == "events":
        after = replace(view, events=(*view.events, BROKEN))
    elif what == "faults":
        after = replace(view, faults=())
    elif what == "nodes":
        after = replace(view, nodes=(replace(view.nodes[0], state="paused"), *view.nodes[1:]))
    elif what == "violation":
        after = tapes.fold(view, Noted(at_s=view.now_s, event=BROKEN))
        after = replace(after, events=view.events)
    else:
        after = replace(view, nodes=(replace(view.nodes[0], cpu=0.5), *view.nodes[1:]))
    assert tapes.matters(view, after) == (what != "nothing")


BROKEN = EventView(at_s=1.0, node=None, kind="violation", text="broken")


def test_a_moment_has_the_position_of_the_last_picture_before_it() -> None:
    tape = Tape(blank())
    for at_s in (10.0, 10.0, 11.0, 12.5):
        tape.take(Ticked(at_s=at_s))
    assert [tape.position_at(at_s) for at_s in (0.0, 9.0, 10.0, 10.9, 11.0, 99.0)] == [
        0, 0, 2, 2, 3, 4,
    ]  # fmt: skip
    assert (tape.starts_s, tape.time_at(3), tape.time_at(99)) == (10.0, 11.0, 12.5)
