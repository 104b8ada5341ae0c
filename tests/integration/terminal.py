"""A program in a terminal of its own: keys go in, the screen is read as text."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40.0


class Terminal:
    """
    Run `python ARGUMENTS...` on the far side of a pty; `close` ends it, whatever it does.

    The packages that it imports are those below *root*, where it also stands.
    """

    def __init__(
        self,
        *arguments: str,
        state: Path,
        columns: int = 80,
        lines: int = 24,
        root: Path = ROOT,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        environment = {**os.environ, "PYTHONPATH": str(root), "XDG_STATE_HOME": str(state)}
        environment |= {"XDG_CONFIG_HOME": str(state / "config")}
        for size_of_ours in ("COLUMNS", "LINES"):  # They would win over the pty's.
            environment.pop(size_of_ours, None)
        environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "TEXTUAL_ANIMATIONS": "none"}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            cwd=root,
            env=environment,
        )
        os.close(slave)
        self._is_open = True

    # --- the screen ------------------------------------------------------------------------------

    def text(self) -> str:
        """Return what is on the screen, without trailing spaces."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _read(self, within_s: float) -> bool:
        """Take what the program has written; False when its side is closed."""
        ready, _, _ = select.select([self._master], [], [], within_s)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other side any more.
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, shown: Callable[[str], object]) -> str:
        """Wait until *shown* holds for the screen, and return the screen."""
        end_s = time.monotonic() + PATIENCE_S
        while not shown(self.text()):
            assert time.monotonic() < end_s, f"never came on the screen:\n{self.text()}"
            assert self._read(0.1), f"the program ended:\n{self.text()}"
        return self.text()

    def press(self, *keys: str) -> None:
        """Send keys as a terminal does."""
        for key in keys:
            os.write(self._master, key.encode())

    # --- the end ---------------------------------------------------------------------------------

    def vanish(self) -> None:
        """Close the terminal, as a window is closed or a connection breaks."""
        if self._is_open:
            self._is_open = False
            os.close(self._master)

    def wait(self) -> int:
        """Wait until the program has ended; return its exit status."""
        end_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"the program does not end:\n{self.text()}"
            if not self._is_open or not self._read(0.05):
                time.sleep(0.02)
        while self._is_open and select.select([self._master], [], [], 0)[0] and self._read(0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """End the program and its terminal."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)
        self.vanish()
