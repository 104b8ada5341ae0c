"""`./dev fuzz [--minutes N]`: the fuzz tests with new examples, again and again."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.effort import MORE


def main() -> int:
    """Run until the time is over, or a test fails; return its exit status."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description="Fuzz for a while.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--more", type=int, default=10, help="examples, times those of the suite")
    options = parser.parse_args()
    until_s = time.monotonic() + options.minutes * 60
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--timeout=0", "-p", "no:cacheprovider"]
    while True:
        ended = subprocess.run(
            [*command, str(Path(__file__).parent)],
            env={**os.environ, MORE: str(options.more)},
            check=False,
        )
        if ended.returncode or time.monotonic() > until_s:
            return ended.returncode


if __name__ == "__main__":
    raise SystemExit(main())
