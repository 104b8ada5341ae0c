"""Plant a mistake into a copy of the package, and let seeds look for it in another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.simulation.planted import PLANTED, Mistake
from tests.simulation.planted_node import PLANTED_NODE
from tests.simulation.planted_reads import PLANTED_READS

ROOT = Path(__file__).parents[2]
ALL = PLANTED + PLANTED_NODE + PLANTED_READS
PROGRAM = """
from dataclasses import replace
from lolraft.sim import Plan
from lolraft.sim.swarm import outcome_of
for seed in range({first}, {last}):
    broken = outcome_of(replace(Plan.of_seed(seed), **{aim!r})).broken
    if broken:
        print(seed, broken.strip().splitlines()[0][:150])
        break
"""


def plant(mistake: Mistake, directory: Path) -> None:
    """Copy the package into *directory*, with the mistake in it."""
    ignore = shutil.ignore_patterns("__pycache__", "rpc", "runtime")
    shutil.copytree(ROOT / "lolraft", directory / "lolraft", ignore=ignore)
    place = directory / "lolraft" / mistake.file
    text = place.read_text()
    assert text.count(mistake.before) == 1, f"{mistake.file} has changed: plant the mistake anew"
    place.write_text(text.replace(mistake.before, mistake.after))


def hunt(mistake: Mistake, directory: Path, first: int, last: int, most_s: float) -> str:
    """Return the seed that catches the mistake and what it saw, or nothing."""
    program = PROGRAM.format(first=first, last=last, aim=mistake.aim)
    try:
        ended = subprocess.run(
            (sys.executable, "-c", program),
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(directory)},
            capture_output=True,
            text=True,
            check=False,
            timeout=most_s,
        )
    except subprocess.TimeoutExpired:
        return ""
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout.strip()


def tell(mistake: Mistake, directory: Path) -> str:
    """Return what a mistake's story says with the mistake in the package; "" when it passes."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "tests" / "simulation", directory / "tests" / "simulation", ignore=ignore
    )
    (directory / "tests" / "__init__.py").touch()
    story = f"tests/simulation/{mistake.story}"
    ended = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", story),
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout if ended.returncode else ""


def main() -> None:
    """Say of each mistake whose name contains the argument how many seeds it takes."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for mistake in ALL:
        if wanted in mistake.name:
            with tempfile.TemporaryDirectory() as directory:
                plant(mistake, Path(directory))
                began_s = time.monotonic()
                found = hunt(mistake, Path(directory), 0, 400, 90.0) or "NOT CAUGHT"
                took_s = time.monotonic() - began_s
                print(f"{took_s:6.1f} s  {mistake.name}\n          {found}", flush=True)


if __name__ == "__main__":
    main()
