"""What happened, as lines: kept short while nothing is wrong, told when something is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Effect
from lolraft.multiraft.events import Event

if TYPE_CHECKING:
    from lolraft.sim.world import World

KEPT_TURNS, KEPT_NOTES = 160, 120
LONGEST = 600


class Story:
    """Remember the last turns as values, and what faults and nodes said as lines."""

    def __init__(self) -> None:
        self.notes: deque[tuple[float, str]] = deque(maxlen=KEPT_NOTES)
        self._turns: deque[tuple[float, str, Sequence[Event], Sequence[Effect]]] = deque(
            maxlen=KEPT_TURNS
        )

    def keep_all_notes(self) -> None:
        """Keep every line from the beginning."""
        self.notes = deque(self.notes)

    def keep_all_turns(self) -> None:
        """Keep every turn from the beginning, for a trace."""
        self._turns = deque(self._turns)

    def note(self, now_s: float, text: str) -> None:
        """Keep a line."""
        self.notes.append((now_s, text))

    def turn(
        self, now_s: float, name: str, events: Sequence[Event], effects: Sequence[Effect]
    ) -> None:
        """Keep a turn; nothing is formatted before somebody asks."""
        self._turns.append((now_s, name, events, effects))

    def text(self) -> str:
        """Return both, in order of time."""
        lines = [(now_s, 0, text) for now_s, text in self.notes]
        for now_s, name, events, effects in self._turns:
            for event in events:
                lines.append((now_s, 1, f"{short(name)} <- {value(event)}"))
            for effect in effects:
                lines.append((now_s, 2, f"{short(name)} -> {value(effect)}"))
        lines.sort(key=lambda line: line[0])
        return "\n".join(f"{now_s:10.4f}  {text}" for now_s, _, text in lines)


def short(node_id: str) -> str:
    """Return `n1` of `http://n1:1`."""
    return node_id.removeprefix("http://").split(":")[0]


def value(item: object) -> str:
    """Return a value as one line that is not too long."""
    text = repr(item).replace("http://", "").replace(":1'", "'")
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def describe(world: World) -> str:
    """Return what every node thinks of every shard, for the end of a story."""
    lines = []
    for node in world.nodes.values():
        if node.machine is None:
            lines.append(f"{short(node.node_id)} is dead")
            continue
        inner = node.machine.node
        live = [short(peer.node_id) for peer in inner.peers.values() if peer.live]
        acking = [short(peer.node_id) for peer in inner.peers.values() if peer.acking]
        lines.append(
            f"{short(node.node_id)} at {node.now_s:.3f} epoch {inner.record.epoch}"
            f" proven {inner.record.proven} hears {live} acked by {acking}"
            f"{' frozen' if node.is_paused else ''}"
        )
        for shard_id, shard in inner.shards.items():
            state = shard.state
            objects = {
                short(peer.node_id): peer.objections[shard_id]
                for peer in inner.peers.values()
                if shard_id in peer.objections
            }
            voters = [short(name) for name in state.configuration.voters]
            outgoing = [short(name) for name in state.configuration.outgoing]
            lines.append(
                f"  shard {shard_id}: {state.role.value} term {state.current_term}"
                f" voted {state.ballot.voted_for and short(state.ballot.voted_for)}"
                f" leader {state.leader_id and short(state.leader_id)}"
                f" last {tuple(state.log.last_clock)} commit {state.commit_index}"
                f" applied {shard.applied_index} base {state.log.base.index} voters {voters}"
                f"{f' outgoing {outgoing}' if outgoing else ''} deadline {state.deadline_s}"
                f" attempt {state.attempt}"
                f"{f' objected by {objects}' if objects else ''}"
                f"{' stopped' if state.stopped else ''}"
            )
            for member, progress in state.progress.items():
                lines.append(f"    {short(member)}: {value(progress)}")
    return "\n".join(lines)
