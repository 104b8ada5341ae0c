"""What is asked of a shard: values, a leader, a member less, a snapshot."""

from __future__ import annotations

from lab.tui.keys import transfer_target
from lab.tui.scene import shard_name
from lab.tui.screens.dialogs import Ask, ask_to_remove
from lab.tui.wishes import Wishes


class ShardWishes(Wishes):
    """The part of the screen that asks the client."""

    def action_write(self) -> None:
        """Ask for key=value and put it."""
        shard_id = self._asked_shard()
        if shard_id is None:
            return
        name = shard_name(shard_id)

        def then(text: str | None) -> None:
            if text is not None:
                key, _, value = text.partition("=")
                self.deeds.write(shard_id, name, key.strip(), value.strip())

        self.push_screen(
            Ask(f"write to {name}", "key=value", value="hello=world",
                more="acknowledged when a majority has it on disk"), then,
        )  # fmt: skip

    def action_read(self) -> None:
        """Ask for a key and get it."""
        shard_id = self._asked_shard()
        if shard_id is None:
            return
        name = shard_name(shard_id)

        def then(text: str | None) -> None:
            if text is not None:
                self.deeds.read(shard_id, name, text)

        self.push_screen(
            Ask(f"read from {name}", "key", value="hello",
                more="linearizable: it sees every write acknowledged before"), then,
        )  # fmt: skip

    def action_transfer(self) -> None:
        """Hand the shard's leadership to the selected node, or the most caught-up voter."""
        shard_id, scene = self._shard(), self.scene()
        target = transfer_target(scene)
        node = scene.view.node(target) if scene and target else None
        if shard_id is None or scene is None:
            return
        if node is None:
            self.notify("No other live voter could lead it.", severity="warning")
            return
        self.deeds.transfer(shard_id, shard_name(shard_id), node.name, node.node_id)

    def action_remove(self) -> None:
        """Ask whether to take the selected node out of the selected shard, for good."""
        shard_id, scene, name = self._shard(), self.scene(), self._node()
        node = scene.view.node(name or "") if scene else None
        if shard_id is None or scene is None or scene.shard is None or node is None:
            return
        shard, voters = shard_name(shard_id), scene.shard.voters
        if node.name not in voters:
            self.notify(f"{node.name} is no voter of {shard}.", severity="warning")
            return
        self.push_screen(
            ask_to_remove(node.name, shard),
            lambda sure: (
                self.deeds.remove(shard_id, shard, node.name, node.node_id) if sure else None
            ),
        )

    def action_snapshot(self) -> None:
        """Let the leader's app take a snapshot of the selected shard."""
        shard_id = self._asked_shard()
        if shard_id is not None:
            self.deeds.snapshot(shard_id, shard_name(shard_id))
