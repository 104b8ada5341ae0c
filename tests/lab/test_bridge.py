"""`F`: another future of a simulated world, and other nodes' story told in the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.apps import kv
from lab.attach import taped
from lab.chronicle import Chronicle
from lab.cluster.interface import ClusterError, NodeState
from lab.cluster.replayed import ReplayedCluster
from lab.faults import FaultKind, LinkTrouble, Rhythm
from lab.observe.deck import Deck
from lab.observe.recording import read
from lab.observe.replay import Replay
from lab.observe.tape import view_digest
from lab.scenarios import script
from lab.scenarios.retell import retell
from lab.scenarios.run import stage_of
from lab.sim.cluster import SimCluster
from lab.sim.hands import Moment
from lab.sim.past import Past
from lab.sim.swarm import SwarmCluster
from lab.sim.watch import SimWatcher
from lab.tui.app import LabApp
from lab.tui.ports import Leaving, Onward
from lab.workload.beside import LoadBeside
from lolraft.multiraft.effects import Tell
from lolraft.raft.types import NodeId
from tests.lab import taped as stories
from tests.lab.screen import running
from tests.lab.test_ladder import room as screen
from tests.lab.test_ladder import shown
from tests.lab.test_steering import room as untaped

OLD, NEW = (Tell(kind="suspect", text=text) for text in ("old", "new"))


class Life(SimpleNamespace):
    """A simulated cluster, its watcher, tape and report, and the way back."""

    cluster: SimCluster
    watcher: SimWatcher
    deck: Deck
    chronicle: Chronicle
    past: Past

    @property
    def here(self) -> Moment:
        return self.cluster.hands.moment()

    async def live(self, seconds: float) -> None:
        """Let time pass, and stand still then."""
        self.cluster.set_speed(None)
        await self.cluster.sleep(seconds)
        self.cluster.set_speed(0.0)

    async def back(self, position: int) -> None:
        await self.past.return_to(position, lambda line: None)


@asynccontextmanager
async def life(folder: Path, seed: int = 4, **wishes: int) -> AsyncIterator[Life]:
    cluster, chronicle = SimCluster(seed=seed, speed=None, **wishes), Chronicle()
    with taped(cluster, None, chronicle) as (watcher, deck):
        assert isinstance(watcher, SimWatcher)
        deck._folder = folder
        past = Past(cluster, watcher, deck, chronicle)
        one = Life(cluster=cluster, watcher=watcher, deck=deck, chronicle=chronicle, past=past)
        try:
            await cluster.start(lambda line: None)
            watcher.start()
            await one.live(3.0)
            yield one
        finally:
            await watcher.stop()
            await cluster.close()


def states(one: Life) -> list[str]:
    return [node.state.value for node in one.cluster.nodes()]


# --- the world made again ------------------------------------------------------------------------


async def test_left_alone_the_same_future_comes_again(tmp_path: Path) -> None:
    """The strongest word on a return: what was under way then is under way again."""
    async with life(tmp_path) as one:
        await one.cluster.kill("n1")
        await one.live(0.3)  # Messages fly, timers run.
        position = one.deck.tape.end
        await one.live(8.0)
        later = one.here
        await one.back(position)
        assert one.here.now_s < later.now_s - 7
        one.cluster.world.clock.run(later.now_s)
        assert one.cluster.world.digest == later.digest


async def test_after_every_kind_of_deed_the_world_comes_out_the_same(tmp_path: Path) -> None:
    async with life(tmp_path, nodes=4, snapshot_entries=20, tail_entries=5) as one:
        cluster = one.cluster
        cluster.set_speed(None)
        load = LoadBeside(cluster.client(), now=cluster.now_s, sleep=cluster.sleep)
        load.start((0,))
        await cluster.sleep(1.0)
        await cluster.pause("n2")
        await cluster.sleep(1.0)
        await cluster.resume("n2")
        await cluster.disturb(FaultKind.DELAY, ("n1", "n2"), LinkTrouble(delay_s=0.02))
        await cluster.disturb(FaultKind.FLAP, ("n1", "n3"), Rhythm(period_s=0.6))
        await cluster.sleep(2.0)
        await cluster.stop("n3")
        await cluster.heal()
        await cluster.restart("n3")
        await cluster.sleep(1.0)
        await cluster.snapshot("n1", 0)
        handle = await cluster.add_node()
        await cluster.client().add_server(0, handle.node_id, timeout_s=20.0)
        leader = one.watcher.view.shards[0].leader
        target = next(node for node in cluster.nodes() if node.name != leader)
        await cluster.client().timeout_now(target.node_id, 0)
        await cluster.isolate("n4")
        await cluster.sleep(2.0)
        await load.cancel()
        cluster.set_speed(0.0)
        done = {deed.name for deed in cluster.hands.deeds}
        assert done >= {"ask", "order", "wait", "pause", "resume", "put", "take", "shut_down",
                        "start", "snapshot"}  # fmt: skip
        position = one.deck.tape.end - 3
        live = view_digest(one.deck.tape.view_at(position))
        moment = one.deck.marks[position]
        await one.back(position)
        assert moment == Moment(*one.here[:2], one.here.deeds, one.here.digest)
        assert view_digest(one.deck.tape.view_at(position)) == live
        assert [fault.kind for fault in cluster.faults()] == [FaultKind.ISOLATE]
        await cluster.heal()
        cluster.set_speed(None)
        await cluster.client().write(0, kv.put("after", "all"), timeout_s=20.0)
        await cluster.sleep(5.0)
        assert one.watcher.view.verdict == "SAFE"
        assert cluster.violation is None


async def test_another_future_has_nothing_of_the_dropped_one(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        cluster = one.cluster
        position, then_s = one.deck.tape.end, cluster.now_s()
        await cluster.kill("n1")
        await cluster.kill("n2")
        await one.live(4.0)
        assert one.watcher.view.shards[0].status == "no-quorum"
        await one.back(position)
        assert cluster.now_s() == pytest.approx(then_s)
        assert states(one) == ["running"] * 3
        assert cluster.faults() == ()
        assert one.deck.tape.newest.account.spans == ()
        await one.live(3.0)
        view = one.watcher.view
        assert view.shards[0].status == "ok"
        assert not any("kill" in event.text for event in view.events)
        assert len(view.events) == len(set(view.events)), "nothing is told twice"
        assert one.chronicle.gather.report().faults == ()
        assert one.deck.tape.newest.view is view
        marks = list(one.deck.marks)
        assert marks == sorted(marks)
        assert marks[-1] == one.deck.tape.end


async def test_what_was_told_until_then_is_not_told_again(tmp_path: Path) -> None:
    """Wall times come out with other last bits: the picture alone cannot know what it has."""
    async with life(tmp_path) as one:
        view = one.watcher.view
        told = one.cluster.world.told
        for node in view.nodes:
            at_s = node.told_s - one.cluster.time.epoch_s
            assert at_s > 0, "each heard of the others"
            told[NodeId(node.node_id)] = [(at_s + 3e-7, OLD), (at_s + 0.01, NEW)]
        one.watcher.go_back(view)
        assert [tell for _, tells in sorted(told.items()) for _, tell in tells] == [NEW] * 3
        told.clear()


async def test_a_past_of_the_past_can_be_returned_to(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        first = one.deck.tape.end
        await one.live(2.0)
        await one.cluster.kill("n1")
        second = one.deck.tape.end
        await one.live(3.0)
        await one.back(second)
        assert states(one) == ["killed", "running", "running"]
        await one.live(1.0)
        await one.back(first)
        assert states(one) == ["running"] * 3
        with pytest.raises(ClusterError, match="older than all"):
            await one.back(second + 10_000)


async def test_a_fault_with_a_rhythm_goes_on(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await one.cluster.disturb(FaultKind.CRASH_LOOP, ("n2",), Rhythm(period_s=1.0))
        await one.live(1.2)
        position = one.deck.tape.end
        await one.live(2.0)
        await one.back(position)
        crashes = sum(deed.name == "crash" for deed in one.cluster.hands.deeds)
        await one.live(3.0)
        assert sum(deed.name == "crash" for deed in one.cluster.hands.deeds) >= crashes + 2


async def test_who_waits_in_the_dropped_future_is_told(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await one.live(0.5)
        position = one.deck.tape.end
        await one.live(0.5)
        asleep = asyncio.ensure_future(one.cluster.sleep(100.0))
        await asyncio.sleep(0)
        await one.back(position)
        with pytest.raises(ClusterError, match="time went back"):
            await asleep


async def test_a_world_that_comes_out_otherwise_changes_nothing(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await one.cluster.pause("n3")
        await one.live(1.0)
        position = one.deck.tape.end
        await one.live(1.0)
        hands = one.cluster.hands
        place = next(at for at, deed in enumerate(hands.deeds) if deed.name == "pause")
        hands.deeds[place] = hands.deeds[place]._replace(name="crash")
        before = (one.here, one.deck.tape.end, one.watcher.view, one.cluster.world)
        with pytest.raises(ClusterError, match="did not become what it was"):
            await one.back(position)
        assert (one.here, one.deck.tape.end, one.watcher.view, one.cluster.world) == before


async def test_a_recording_keeps_the_dropped_future_and_another_begins(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        first = one.deck.record()
        await one.live(1.0)
        position = one.deck.tape.end
        await one.cluster.kill("n1")
        await one.live(1.0)
        done = await one.past.return_to(position, lambda line: None)
        assert done.recorded is not None
        assert done.recorded.path == first
        second = one.deck.recorded
        assert second is not None
        assert second.path != first
        await one.live(1.0)
        one.deck.stop()
        assert read(first).last().node("n1").state == "killed"  # type: ignore[union-attr]
        again = read(second.path).last()
        assert again.node("n1").state == "running"  # type: ignore[union-attr]
        assert view_digest(again) == view_digest(one.watcher.view)


# --- the key, in the simulator -------------------------------------------------------------------


async def test_f_goes_on_from_the_picture_on_the_screen(tmp_path: Path) -> None:
    async with screen(tmp_path) as one:
        cluster = one.cluster
        await cluster.sleep(2.0)
        await cluster.kill("n1")
        await cluster.sleep(3.0)
        await one.press("F")
        assert "This is now" in one.toasts
        await one.press("z")
        while shown(one).faults:
            await one.press("comma")
        was = view_digest(shown(one))
        then_s = shown(one).now_s
        await one.press("L")
        assert not one.app.load.is_running, "no key acts on the past"
        await one.press("F")
        await one.until(lambda: "of another future have not happened" in one.text())
        assert "HELD" in one.top
        assert not one.app.is_past
        tape = one.app.tape
        assert tape is not None
        assert was in {view_digest(tape.view_at(at)) for at in range(tape.end - 9, tape.end)}
        assert "z lets time go on" in one.toasts
        assert [node.state for node in cluster.nodes()] == [NodeState.RUNNING] * 3
        await one.press("z")
        await one.until(lambda: shown(one).now_s > then_s + 1)
        assert "SIM" in one.top
        await one.press("L")
        await one.until(lambda: one.app.load.view.verdict.acknowledged > 5)


async def test_while_a_scenario_goes_on_nobody_returns(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        position = one.deck.tape.end
        await one.live(1.0)
        one.chronicle.playing = asyncio.get_running_loop().create_future()
        assert "a scenario goes on" in one.past.why_not(position)
        one.chronicle.playing.cancel()
        assert one.past.why_not(position) == ""
        one.cluster.hands.is_full = True
        assert "too much was done" in one.past.why_not(position)


async def test_a_seeds_world_has_one_future() -> None:
    async with untaped(SwarmCluster(3, speed=1.0)) as one:
        await one.press("F")
        assert "goes on in the one way it can" in one.toasts


# --- from other nodes ----------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "leaving"), [("e", Leaving.END), ("l", Leaving.KEEP)])
async def test_f_asks_what_becomes_of_real_nodes_and_opens_their_story(
    tmp_path: Path, key: str, leaving: Leaving
) -> None:
    async with stories.taped(tmp_path) as (lab, _):
        lab.cluster.backend = "local"
        await lab.press("F")
        await lab.until(lambda: "open this story in the simulator" in lab.text())
        assert "not the schedule" in lab.text()
        await lab.press("c")
        assert lab.app.is_running
        await lab.press("F", key)
        assert isinstance(lab.app.return_value, Onward)
        assert lab.app.return_value.leaving is leaving
        story = lab.app.return_value.story
        assert story.nodes == 3
        words = [" ".join(step.words[1:3]) for step in story.steps]
        assert words[:3] == ["lead n3", "kill n3", "restart n3"]
        assert not any(step.verb == "expect" for step in story.steps)


async def test_the_story_goes_as_far_as_the_picture(tmp_path: Path) -> None:
    async with stories.taped(tmp_path) as (lab, source):
        tape = source.deck.tape
        lab.app.held = True
        lab.app.show_at(tape.elections[0])
        story = lab.app.story_until_now()
        assert isinstance(story, script.Script)
        assert [step.words[1] for step in story.steps] == ["#"], "nobody was killed yet"


async def test_without_a_tape_there_is_no_story() -> None:
    async with running() as lab:
        await lab.press("F")
        assert "nothing was taped" in lab.toasts


async def test_a_recording_is_left_without_a_question(tmp_path: Path) -> None:
    source = stories.TapedSource(tmp_path)
    source.go_on()
    replay = Replay(tmp_path / "f", source.deck.tape, ends_early=False)
    gone = ReplayedCluster("sim:4")
    app = LabApp(replay, gone, gone, replay=replay)
    async with app.run_test() as pilot:
        while app.scene() is None:  # It is bounded by the test's own time.
            await pilot.pause()
        await pilot.press("F")
        await pilot.pause()
    assert isinstance(app.return_value, Onward)
    assert app.return_value.leaving is None


async def test_a_story_is_told_to_where_it_was_and_time_stands_there(tmp_path: Path) -> None:
    text = (
        "title    Saved from local:lab3\nshows b\nat 0.5s load on\nat 1s kill n1\n"
        "at 2s kill n1\nat 3s restart n1\nat 4s # This is how far the story went.\n"
    )
    async with life(tmp_path) as one:
        one.cluster.set_speed(None)
        stage = stage_of(one.cluster, one.watcher, one.cluster.client())
        stood: list[float] = []

        def stand_still() -> None:
            one.cluster.set_speed(0.0)
            stood.append(one.cluster.now_s())

        outcome = await retell(script.parse("story", text), stage, stand_still)
        assert stood == [one.cluster.now_s()]
        assert outcome.failed_at.startswith("at 2s kill n1: n1 does not run")
        assert outcome.took_s == pytest.approx(4.0, abs=0.6)
        said = [event.text for event in one.watcher.view.events]
        assert "It replays the story, not the schedule · Saved from local:lab3" in said
        assert "story: kill n1" in said
        assert any(line.startswith("the story could not: at 2s kill n1") for line in said)
        assert said[-1] == "here the story was left: from now on it goes its own way"
        assert stage.load is None or not stage.load.is_running
        assert states(one) == ["running"] * 3
