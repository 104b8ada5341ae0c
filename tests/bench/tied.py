"""Run a program that dies with who started it: `python -m tests.bench.tied PARENT PROGRAM ...`."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG; it survives exec.


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then let the program take its place."""
    parent, program = int(arguments[0]), arguments[1:]
    ctypes.CDLL(None, use_errno=True).prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("the benchmark that started this is gone")
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
