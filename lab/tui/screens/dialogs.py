"""The small dialogs: ask for a word, ask yes or no, ask how to leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lab.observe.foresee import Consequence
from lab.tui.ports import Leaving

Answer = TypeVar("Answer")


class Ask(ModalScreen[str | None]):
    """Ask for one line of text; esc gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(
        self,
        title: str,
        words: str,
        *,
        value: str = "",
        more: str = "",
        foretell: Callable[[str], Consequence | str] | None = None,
    ) -> None:
        """Ask; *foretell* says, while one types, what will come of it or what is wrong with it."""
        super().__init__(classes="dialog")
        self._title, self._words, self._value, self._more = title, words, value, more
        self._foretell = foretell

    def compose(self) -> ComposeResult:
        """Show the question over one input."""
        with Vertical(id="box") as box:
            box.border_title = self._title.replace("[", r"\[")
            yield Static(self._words, id="words", markup=False)
            yield Input(self._value, select_on_focus=False)
            if self._foretell is not None:
                yield Static(id="expected", markup=False)
            yield Static(f"{self._more}\nenter does it · esc cancels".strip(), id="more",
                         markup=False)  # fmt: skip

    def on_mount(self) -> None:
        """Say what will come of the value that is offered."""
        self._say_before(self._value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what will come of what is typed."""
        self._say_before(event.value)

    def _say_before(self, text: str) -> None:
        if self._foretell is None:
            return
        told = self._foretell(text.strip())
        line = self.query_one("#expected", Static)
        line.update(told if isinstance(told, str) else told.in_full)
        line.set_class(not isinstance(told, str) and told.harms, "-harms")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text back."""
        self.dismiss(event.value.strip() or None)


class Choose(ModalScreen[Answer | None]):
    """Ask for one of a few answers, each with a key of its own; esc gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("j", "down", "down"),
        Binding("k", "up", "up"),
    ]

    def __init__(
        self, title: str, words: str, answers: list[tuple[str, str, Answer | None]]
    ) -> None:
        super().__init__(classes="dialog")
        self._title, self._words, self._answers = title, words, answers

    def compose(self) -> ComposeResult:
        """Show the words over the answers."""
        with Vertical(id="box") as box:
            box.border_title = self._title.replace("[", r"\[")
            yield Static(self._words, id="words", markup=False)
            yield OptionList(
                *(
                    Option(f"[b $accent]{key}[/]  {words}", id=str(place))
                    for place, (key, words, _) in enumerate(self._answers)
                )
            )

    def on_mount(self) -> None:
        """Bind the answers' own keys."""
        for place, (key, words, _) in enumerate(self._answers):
            self._bindings.bind(key, f"answer({place})", words)

    def action_answer(self, place: int) -> None:
        """Give an answer back."""
        self.dismiss(self._answers[place][2])

    def action_down(self) -> None:
        """Move as in every list."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Move as in every list."""
        self.query_one(OptionList).action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Give the chosen answer back."""
        self.action_answer(int(event.option_id or 0))


def ask_how_to_leave(
    title: str, nodes: int, faults: int, *, ours: bool, stays: bool
) -> Choose[Leaving]:
    """Return the dialog of `q`: end it where it is *ours*, leave running what *stays*, or stay."""
    words = f"{title} has {nodes} node{'s' * (nodes != 1)}"
    words += f" and {faults} fault{'s' * (faults != 1)} in force." if faults else "."
    answers: list[tuple[str, str, Leaving | None]] = [
        ("c", "cancel", None),
    ]
    if stays:
        answers.insert(0, ("l", "leave it running, healed", Leaving.KEEP))
    if ours:
        end = "end the cluster: every node, network and fault is removed"
        answers.insert(0, ("e", end, Leaving.END))
    return Choose("quit", words, answers)


def ask_to_kill(name: str, expected: Consequence) -> Choose[bool]:
    """Return the dialog before a kill that takes the majority."""
    return Choose(
        f"kill {name}?",
        f"{expected.in_full}. Nothing acknowledged is lost. r restarts it, u undoes.",
        [("K", f"kill {name}", True), ("c", "cancel", None)],
    )


def ask_to_remove(name: str, shard: str) -> Choose[bool]:
    """Return the dialog before a member is taken out: no key brings its data back."""
    words = f"{name} deletes its data of {shard}; the others go on without it, and nothing is lost."
    return Choose(
        f"remove {name} from {shard}?",
        words,
        [("M", f"remove {name}", True), ("c", "cancel", None)],
    )
