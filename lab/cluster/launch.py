"""Run a node that dies with the lab: `python -m lab.cluster.launch serve ...`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
LIVE_ON = signal.SIGUSR1
KEPT = "kept"
"""The file, in the node's directory, by which it says that it will outlive the lab."""


def _die_with_parent(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_DEATH_SIGNAL, number, 0, 0, 0)


def _live_on(*_: object) -> None:
    """Outlive the lab: the user chose to leave the cluster running."""
    _die_with_parent(0)
    Path(KEPT).touch()


def main(arguments: list[str]) -> int:
    """Tie this process to its parent, then serve."""
    parent = int(arguments[0])
    _die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        print("the lab that started this node is gone", file=sys.stderr)
        return 1
    signal.signal(LIVE_ON, _live_on)
    # The lab started us with it blocked, so that it may come at any moment before this line.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {LIVE_ON})
    from lolraft.cli import main as serve  # Takes a while; the signal need not wait for it.

    return serve(arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
