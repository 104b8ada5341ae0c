"""`D` and `b` on the ladder: lose the message under the cursor, or let it arrive now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.cluster.steer import DROP, Handling
from lab.observe.view import EventView
from lab.tui.bridge import Bridge
from lab.tui.steering import REAL_TIME
from lab.tui.widgets.ladder import UNDER_WAY, LadderPanel, sentence

if TYPE_CHECKING:
    from lab.observe.view import MessageView

TITLE = "single messages"


class Single(Bridge):
    """What can be done to one message while time stands: RaftScope's best gesture."""

    def action_message(self, how: str) -> None:
        """Drop or bring the message under the ladder's cursor."""
        cluster = self.cluster
        if not isinstance(cluster, Handling):
            self.notify(REAL_TIME, title=TITLE, severity="warning")
            return
        message = self._message()
        if self.page != "ladder" or message is None:
            self.notify("8 shows the messages: put the cursor on one.", title=TITLE)
        elif not self.held:
            self.notify("z stops time first: this one has long arrived.", title=TITLE)
        elif message.fate not in UNDER_WAY:
            self.notify("This one has ended: . goes on until one is under way.", title=TITLE)
        elif reason := cluster.why_not_message(how, message.number):
            self.notify(f"It cannot be done: {reason}.", title=TITLE, severity="warning")
        else:
            cluster.handle_message(how, message.number)
            did = "dropped" if how == DROP else "brought at once"
            way = f"{message.sender} → {message.receiver}"
            text = f"you: {did} {way}: {sentence(message).partition(': ')[2]}"
            self.source.note(
                EventView(at_s=0.0, node=message.sender, kind="you", text=text, by_you=True)
            )
            self.show_at()

    def _message(self) -> MessageView | None:
        panel = self.desk.panels["ladder"] if self.desk is not None else None
        return panel.message() if isinstance(panel, LadderPanel) else None
