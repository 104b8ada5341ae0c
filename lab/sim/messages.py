"""What the messages of a shard say, in words: the simulator's wire as the ladder shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from lab.observe.view import MessageView
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    GroupMismatch,
    Message,
    Refusal,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Clock, NodeId
from lolraft.sim.wiretap import Carried, Fate

Name = Callable[[NodeId], str]


def message_view(carried: Carried, passed_s: float, name: Name) -> MessageView:
    """Return a message as the screen has it; *passed_s* is wall time less the world's time."""
    kind, text = words(carried.item[1], name)
    return MessageView(
        number=carried.number,
        sent_s=passed_s + carried.sent_s,
        sender=name(carried.sender),
        receiver=name(carried.receiver),
        kind=kind,
        text=text,
        fate=carried.fate.value,
        at_s=None if carried.fate is Fate.FLYING else passed_s + (carried.at_s or 0.0),
        why=carried.why,
    )


def words(message: Message, name: Name) -> tuple[str, str]:
    """Return a message's kind and what it says; the kinds are those of `MessageView`."""
    match message:
        case VoteRequest():
            last = _clock(message.last_clock)
            told = ", told to stand" if message.force_vote else ""
            if message.pre_vote:
                return "pre-vote", f"would you vote for me in term {message.term}? last {last}"
            return "vote", f"vote for me in term {message.term}, last {last}{told}"
        case VoteResponse():
            return "pre-vote" if message.pre_vote else "vote", _vote(message, name)
        case AppendRequest() if not message.entries.terms:
            previous = _clock(message.prev_clock)
            text = f"do you have {previous}? commit {message.commit_index}, term {message.term}"
            return "probe", text
        case AppendRequest():
            first, count = message.entries.first, len(message.entries.terms)
            which = f"entry {first}" if count == 1 else f"entries {first} to {first + count - 1}"
            text = f"{which}, commit {message.commit_index}, term {message.term}"
            return "append", text
        case AppendResponse(success=True):
            return "ack", f"same as yours up to {message.match_index}, term {message.term}"
        case AppendResponse():
            mine = f", mine is {_clock(message.conflict)}" if message.conflict.index else ""
            return "ack", f"no: clash at {message.rejected_index}{mine}, term {message.term}"
        case SnapshotOffer():
            return "snapshot", f"fetch my snapshot at {_clock(message.clock)}, term {message.term}"
        case TimeoutNow():
            return "stand", f"stand for election at once, term {message.term}"
        case GroupMismatch():
            return "stranger", "I belong to another group"
        case _:
            assert_never(message)


def _clock(clock: Clock) -> str:
    return f"{clock.index} of term {clock.term}"


def _vote(message: VoteResponse, name: Name) -> str:
    if message.granted:
        return f"{'I would' if message.pre_vote else 'you have my vote'} in term {message.term}"
    match message.refusal:
        case Refusal.BELIEVES if message.leader_id is not None:
            return f"no: I believe {name(message.leader_id)} leads"
        case Refusal.REMOVED:
            return f"no: you are no member since {message.removed_at}"
        case _:
            return f"no, my term is {message.term}"
