"""`./dev watch`: the fast tests, at every save (watchfiles)."""

from __future__ import annotations

import subprocess
import sys

from watchfiles import DefaultFilter, watch

from lab.setup.shell import ROOT

PLACES = ("lolraft", "lab", "proto", "tests")
FAST = ("tests/unit", "tests/scenarios", "tests/paper", "tests/lab")


class Sources(DefaultFilter):
    """Whatever is edited, but not what tests write."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, ".lab", ".hypothesis")


def main() -> int:
    """Run the tests now and after every change, until ctrl-c."""
    places = [ROOT / place for place in PLACES if (ROOT / place).exists()]
    _test()
    for changes in watch(*places, watch_filter=Sources(), raise_interrupt=False):
        names = sorted({path.rpartition("/")[2] for _, path in changes})
        print(f"\n--- {', '.join(names[:4])} changed ---", flush=True)
        _test()
    return 0


def _test() -> None:
    fast = [name for name in FAST if (ROOT / name).exists()]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--failed-first", "-n", "auto", *fast]
    subprocess.run(command, check=False, cwd=ROOT)


if __name__ == "__main__":
    raise SystemExit(main())
