"""The story of a run for a person: who died, was cut off, voted, led, and what broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lolraft.multiraft.effects import Tell
from lolraft.multiraft.frames import Frame
from lolraft.raft.events import TimeoutNow, VoteResponse
from lolraft.raft.types import Index, NodeId, ShardId
from lolraft.sim.app import SimApp
from lolraft.sim.checkers.checker import Checker
from lolraft.sim.history import Operation
from lolraft.sim.story import short

if TYPE_CHECKING:
    from lolraft.sim.node import SimNode
    from lolraft.sim.world import World

TOLD = (
    "elected", "stepped_down", "election", "configuration", "removed", "stopped", "suspect",
    "trusted", "stalled", "disk_failed", "snapshot",
)  # fmt: skip


class Chronicle(Checker):
    """Keep a line for each deed, from the beginning; judge nothing."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        world.story.keep_all_notes()

    def frame_leaves(self, node: SimNode, peer: NodeId, frame: Frame) -> None:
        """Note votes and hand-overs."""
        for shard_id, message in frame.messages:
            match message:
                case VoteResponse(granted=True, pre_vote=False):
                    deed = f"votes for {short(peer)} in term {message.term}"
                case TimeoutNow():
                    deed = f"hands over to {short(peer)} in term {message.term}"
                case _:
                    continue
            self.world.note(f"shard {shard_id}: {short(node.node_id)} {deed}")

    def told(self, node: SimNode, tell: Tell) -> None:
        """Note what the node itself reports."""
        if tell.kind in TOLD:
            shard = "" if tell.shard_id is None else f"shard {tell.shard_id}: "
            text = tell.text.strip().splitlines()[-1].replace("http://", "").replace(":1", "")
            self.world.note(f"{shard}{short(node.node_id)} {tell.kind.replace('_', ' ')}: {text}")

    def installed(self, node: SimNode, shard_id: ShardId, index: Index, app: SimApp) -> None:
        """Note a snapshot that became a state."""
        name = short(node.node_id)
        self.world.note(f"shard {shard_id}: {name} starts from the snapshot at {index}")


def tale(world: World) -> str:
    """Return the chronicle, with what clients asked and were told, in order of time."""
    lines = list(world.story.notes)
    for shard_id, history in world.histories.items():
        for item in history.operations:
            what = f"shard {shard_id}: client {item.client} {_deed(item)}"
            lines.append((item.begin_s, f"{what} ..."))
            if item.answer is not None:
                lines.append((item.end_s, f"{what}: {item.answer!r}"))
    lines.sort(key=lambda line: line[0])
    return "\n".join(f"{now_s:10.4f}  {text}" for now_s, text in lines)


def _deed(item: Operation) -> str:
    if item.kind == "read":
        return f"reads {item.key}"
    return (
        f"{item.kind}s {item.value}{'' if item.kind == 'add' else f' to {item.key}'} ({item.name})"
    )
