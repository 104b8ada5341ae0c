"""Single messages by hand: lose this one, or let it arrive now, as faults on messages do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lolraft.multiraft.events import Event, FrameArrived
from lolraft.multiraft.frames import Frame
from lolraft.sim.wiretap import Carried, Fate

if TYPE_CHECKING:
    from lolraft.sim.network import Network

BY_YOU = "by you"


def why_not(network: Network, number: int, *, bring: bool) -> str:
    """Return why the message of *number* can be neither lost nor brought, or nothing."""
    found = network.tap.find(number) if network.tap is not None else None
    if found is None:
        return "it is not under way any more"
    carried, _, connection = found
    if not bring:
        return ""
    there = network.nodes[carried.receiver]
    if carried.fate is Fate.HELD or network.weather.is_cut(carried.sender, carried.receiver):
        return "the wire is broken: heal it first"
    if not connection.open or there.machine is None or there.life != connection.peer_life:
        return "its stream is gone, and it with that"
    return "the process there is frozen" if there.is_paused else ""


def drop(network: Network, number: int) -> None:
    """Lose the message of *number*; the rest of its frame arrives."""
    _take_out(network, number, Fate.LOST)


def bring(network: Network, number: int) -> None:
    """Let the message of *number* arrive now, before whatever was sent earlier."""
    carried, frame = _take_out(network, number, Fate.ARRIVED)
    alone = replace(frame, messages=(carried.item,), forwards=(), replies=())
    network.nodes[carried.receiver].post(FrameArrived(frame=alone))


def _take_out(network: Network, number: int, fate: Fate) -> tuple[Carried, Frame]:
    tap = network.tap
    assert tap is not None, "somebody looks"
    found = tap.find(number)
    assert found is not None, "`why_not` was asked"
    carried, frame, _ = found
    network.taken[id(carried.item)] = carried.item
    tap.let_go(carried)
    tap.settle(carried, fate, BY_YOU)
    return carried, frame


def what_is_left(network: Network, event: Event) -> Event:
    """Return *event* without the messages that were taken out of its frame."""
    if not isinstance(event, FrameArrived):
        return event
    frame = event.frame
    left = tuple(item for item in frame.messages if id(item) not in network.taken)
    if len(left) == len(frame.messages):
        return event
    return FrameArrived(frame=replace(frame, messages=left))
