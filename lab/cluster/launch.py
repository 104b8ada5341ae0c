"""Run a node that dies with the lab: `python -m lab.cluster.launch serve ...`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from lolraft.cli import main

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def _die_with_parent(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_DEATH_SIGNAL, number, 0, 0, 0)


def _live_on(*_: object) -> None:
    """Outlive the lab: the user chose to leave the cluster running."""
    _die_with_parent(0)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _live_on)
    parent = int(sys.argv[1])
    _die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the lab that started this node is gone")
    raise SystemExit(main(sys.argv[2:]))
