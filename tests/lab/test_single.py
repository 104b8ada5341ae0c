"""Single messages by hand, while time stands; the world stays one that can be made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cluster.steer import BRING, DROP
from lab.observe.view import MessageView
from lab.sim.cluster import SimCluster
from lab.tui.widgets.ladder import LadderPanel
from tests.lab import demo
from tests.lab.screen import running
from tests.lab.test_bridge import Life, life
from tests.lab.test_ladder import ladder, room, shown
from tests.lab.test_steering import Room


def seen(one: Life) -> tuple[MessageView, ...]:
    messages: tuple[MessageView, ...] = one.watcher.view.messages
    return messages


def on_to(one: Life, wanted: Callable[[MessageView], bool]) -> MessageView:
    """Go on step by step until such a message is under way, and return it."""
    for _ in range(20_000):
        found = [message for message in seen(one) if message.fate == "flying" and wanted(message)]
        if found:
            return found[0]
        assert one.cluster.step()
    raise AssertionError("no such message was sent")


def now(one: Life, number: int) -> MessageView:
    return next(message for message in seen(one) if message.number == number)


async def without_leader(one: Life) -> str:
    """Kill the leader; the world stands just after."""
    leader = one.watcher.view.shards[0].leader
    assert leader is not None
    await one.cluster.kill(leader)
    return leader


def is_vote(message: MessageView) -> bool:
    return message.kind == "vote" and message.text.startswith("vote for me")


def answers(one: Life) -> list[MessageView]:
    return [message for message in seen(one) if message.kind == "vote" and not is_vote(message)]


async def test_a_dropped_message_never_arrives_and_another_is_sent_instead(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await without_leader(one)
        request = on_to(one, is_vote)
        before = one.cluster.world.elections
        one.cluster.handle_message(DROP, request.number)
        lost = now(one, request.number)
        assert (lost.fate, lost.why) == ("lost", "by you")
        assert one.cluster.why_not_message(DROP, request.number) == "it is not under way any more"
        one.cluster.world.clock.run(one.cluster.world.clock.now_s + 0.1)
        assert one.cluster.world.elections == before, "of two, one did not hear the candidate"
        await one.live(8.0)
        assert one.cluster.world.elections > before, "and then it asks again"
        assert now(one, request.number).fate == "lost"
        assert one.cluster.violation is None


async def test_a_brought_message_arrives_now_and_only_once(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await without_leader(one)
        request = on_to(one, is_vote)
        earlier = len(answers(one))
        at_s = one.cluster.now_s()
        one.cluster.handle_message(BRING, request.number)
        brought = now(one, request.number)
        assert (brought.fate, brought.why) == ("arrived", "by you")
        assert brought.at_s == pytest.approx(at_s)
        for _ in range(60):
            one.cluster.step()
        assert len(answers(one)) == earlier + 1, "one request was answered once"
        await one.live(3.0)
        assert now(one, request.number).why == "by you"


async def test_what_a_hand_did_is_done_again_on_the_way_back(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await without_leader(one)
        one.cluster.handle_message(DROP, on_to(one, is_vote).number)
        answer = on_to(one, lambda message: "would" in message.text or is_vote(message))
        one.cluster.handle_message(BRING, answer.number)
        await one.live(1.0)
        position = one.deck.tape.end
        await one.live(2.0)
        later = one.here
        await one.back(position)
        one.cluster.world.clock.run(later.now_s)
        assert one.cluster.world.digest == later.digest
        assert {deed.name for deed in one.cluster.hands.deeds} >= {"drop", "bring"}


async def test_what_is_under_way_then_is_under_way_again_and_can_be_dropped(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await without_leader(one)
        request = on_to(one, is_vote)
        position = one.deck.tape.end
        await one.live(3.0)
        assert now(one, request.number).fate == "arrived"
        await one.back(position)
        assert now(one, request.number).fate == "flying"
        one.cluster.handle_message(DROP, request.number)
        await one.live(3.0)
        assert now(one, request.number).fate == "lost"


async def test_what_cannot_be_brought_says_why(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        await without_leader(one)
        request = on_to(one, is_vote)
        cut = await one.cluster.cut_both(request.sender, request.receiver)
        assert "the wire is broken" in one.cluster.why_not_message(BRING, request.number)
        assert one.cluster.why_not_message(DROP, request.number) == ""
        await one.cluster.heal(cut)
        await one.cluster.pause(request.receiver)
        assert "frozen" in one.cluster.why_not_message(BRING, request.number)
        await one.cluster.resume(request.receiver)
        assert one.cluster.why_not_message(BRING, request.number) == ""
        await one.cluster.kill(request.receiver)
        assert "its stream is gone" in one.cluster.why_not_message(BRING, request.number)
        assert "not under way" in one.cluster.why_not_message(DROP, 12345)


# --- the keys ------------------------------------------------------------------------------------


async def flying(one: Room) -> MessageView:
    """Hold time where a message is under way, with the cursor on it."""
    leader = shown(one).shards[0].leader
    assert leader is not None
    await one.press("8", "z")
    assert isinstance(one.cluster, SimCluster)
    await one.cluster.kill(leader)
    assert await one.cluster.to_next_election(20.0)
    for _ in range(20):
        await one.press("full_stop")
        await one.app.workers.wait_for_complete()
        await one.press("G")
        message = ladder(one).message()
        if message is not None and message.fate == "flying":
            return message
    raise AssertionError(one.text())


@pytest.mark.parametrize(("key", "fate"), [("D", "lost"), ("b", "arrived")])
async def test_a_key_drops_or_brings_the_one_under_the_cursor(
    tmp_path: Path, key: str, fate: str
) -> None:
    async with room(tmp_path) as one:
        message = await flying(one)
        assert "D drops, b brings" in one.text()
        await one.press(key)
        (found,) = [item for item in shown(one).messages if item.number == message.number]
        assert (found.fate, found.why) == (fate, "by you")
        assert "you: dropped" in one.text() or "you: brought" in one.text()
        await one.press("up", key)
        assert "This one has ended" in one.toasts or ladder(one).message() is None


async def test_while_time_passes_nothing_can_be_caught(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        await one.press("D")
        assert "8 shows the messages" in one.toasts
        await flying(one)
        await one.press("z", "D")
        assert "z stops time first" in one.toasts or "8 shows" in one.toasts


async def test_real_nodes_have_no_single_messages() -> None:
    async with running(demo.cluster(3, 1)) as lab:
        await lab.press("8", "D")
        assert "nobody can steer" in lab.toasts
        assert isinstance(lab.app.desk.panels["ladder"], LadderPanel)  # type: ignore[union-attr]
