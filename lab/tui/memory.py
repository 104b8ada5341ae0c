"""The lab remembers how it looked: what is chosen on the screen goes to the user's settings."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tui import settings
from lab.tui.keymap import keymap_of
from lab.tui.paint import ASCII, UNICODE

if TYPE_CHECKING:
    from lab.tui.app import LabApp

SAID_S = 20.0


class Memory:
    """
    The settings of one screen.

    Only what changes while it is shown is written, so that what a command line says for once
    (`--ascii`) is not remembered, and two labs side by side do not undo each other's choices.
    """

    def __init__(
        self,
        place: Path,
        *,
        ascii_glyphs: bool | None = None,
        theme: str | None = None,
        keeps_speed: bool = True,
    ) -> None:
        """Read *place*; what the command line says wins over it, and a scenario has its speed."""
        self._place = place
        found = settings.read(place)
        self._settings, self._words = found.settings, list(found.words)
        self._wins = {"ascii": ascii_glyphs, "theme": theme}
        self._keeps_speed = keeps_speed
        self._seen: dict[str, object] = {}
        self._writing = threading.Lock()
        self._unwritten: dict[str, object] = {}
        self._failed = False

    def dress(self, app: LabApp) -> None:
        """Let *app*, which is not shown yet, look as it is remembered."""
        wanted = self._settings
        app.theme = str(self._wins["theme"] or wanted.theme)
        is_ascii = self._wins["ascii"]
        app.glyphs = ASCII if (wanted.ascii if is_ascii is None else is_ascii) else UNICODE
        app.colouring, app.order = wanted.colouring, wanted.order
        app.descending = wanted.descending
        if self._keeps_speed:
            app.begin_at(wanted.speed)
        app.keymap, said = keymap_of(wanted.keys)
        self._words += [f"keys: {one}" for one in said]
        self._seen = self._looks(app)

    def begin(self, app: LabApp) -> None:
        """Use the user's keys from now on, and say what is wrong with the settings."""
        app.set_keymap(dict(app.keymap))
        for line in self._words:
            app.notify(line, title="settings", severity="warning", timeout=SAID_S)

    def keep(self, app: LabApp, *, at_once: bool = False) -> None:
        """Write what has changed since, if anything has; in a thread, unless it is *at_once*."""
        looks = self._looks(app)
        changes = {name: value for name, value in looks.items() if value != self._seen[name]}
        if not changes and not at_once:
            return
        self._seen = looks
        with self._writing:
            self._unwritten |= changes
        if at_once:
            self._write()  # Also what a thread was to write that never came to it.
            return

        def write() -> None:
            if (why := self._write()) is not None:
                app.call_from_thread(app.notify, why, title="settings", severity="warning")

        app.run_worker(write, thread=True, group="settings", exit_on_error=False)

    def _write(self) -> str | None:
        """Write; return why that cannot be, once."""
        try:
            with self._writing:
                if self._unwritten:
                    settings.write(self._place, self._unwritten)
                    self._unwritten = {}
        except OSError as broken:
            told, self._failed = self._failed, True
            return None if told else f"nothing is remembered: {broken}"
        return None

    def _looks(self, app: LabApp) -> dict[str, object]:
        """Return what is to be remembered of *app*, by the names of `Settings`."""
        looks: dict[str, object] = {
            "theme": app.theme,
            "ascii": app.glyphs is ASCII,
            "colouring": app.colouring,
            "order": app.order,
            "descending": app.descending,
        }
        if self._keeps_speed:  # Without a limit it goes too fast to begin with.
            looks["speed"] = app.chosen or self._seen.get("speed", self._settings.speed)
        return looks
