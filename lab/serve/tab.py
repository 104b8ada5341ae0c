"""A tab: the lab as a process that a browser looks at, and how it is begun and ended."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Sequence

LOOK_S = 0.5
END_S = 5.0


def command_of(arguments: Sequence[str]) -> str:
    """Return the shell's words for a tab; the shell gives its place to it."""
    return "exec " + shlex.join([sys.executable, "-m", "lab", *arguments])


def end_with_parent() -> None:
    """End this process when the one that serves it has gone, however that went."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_S)
        os._exit(1)  # It had its time.

    threading.Thread(target=look, name="parent", daemon=True).start()
