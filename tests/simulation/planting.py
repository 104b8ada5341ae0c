"""Plant a mistake into a copy of the package, and let seeds look for it in another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.planted import PLANTED, Mistake
from tests.simulation.planted_node import PLANTED_NODE
from tests.simulation.planted_reads import PLANTED_READS

ROOT = Path(__file__).parents[2]
ALL = PLANTED + PLANTED_NODE + PLANTED_READS
MOST_SEEDS = 60
PROGRAM = """
import time
from dataclasses import replace
from lolraft.sim import Plan
from lolraft.sim.swarm import outcome_of
for seed in range({first}, {last}):
    outcome = outcome_of(replace(Plan.of_seed(seed), siege_s=0.0, **{aim!r}))
    if outcome.broken:
        print(seed, time.process_time(), outcome.broken.strip().splitlines()[0][:150])
        break
    if time.process_time() > {most_s}:
        break
"""


@dataclass(frozen=True)
class Caught:
    """What noticed a mistake."""

    by: str  # The first line of what was said.
    seed: int | None = None  # None for a story.
    seeds: int = 0  # That were tried.
    cpu_s: float = 0.0

    def __str__(self) -> str:
        if self.seed is None:
            return self.by
        return f"seed {self.seed}, after {self.seeds} and {self.cpu_s:.0f} CPU s: {self.by}"


def plant(mistake: Mistake, directory: Path) -> None:
    """Copy the package and what its stories need into *directory*, with the mistake in it."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("lolraft", "lab/setup", "tests/simulation", "tests/scenarios", "tests/unit"):
        shutil.copytree(ROOT / folder, directory / folder, ignore=ignore)
    for file in ("lab/__init__.py", "tests/__init__.py", "tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, directory / file)
    place = directory / "lolraft" / mistake.file
    text = place.read_text()
    assert text.count(mistake.before) == 1, f"{mistake.file} has changed: plant the mistake anew"
    place.write_text(text.replace(mistake.before, mistake.after))


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, *arguments),
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def hunt(
    mistake: Mistake, directory: Path, seeds: int = MOST_SEEDS, most_s: float = 1e9
) -> Caught | None:
    """Let seeds look for the mistake."""
    first = mistake.seed
    program = PROGRAM.format(first=first, last=first + seeds, aim=mistake.aim, most_s=most_s)
    ended = _run(directory, "-c", program)
    assert ended.returncode == 0, ended.stderr[-2000:]
    if not ended.stdout:
        return None
    seed, cpu_s, said = ended.stdout.strip().split(" ", 2)
    return Caught(said, int(seed), int(seed) - first + 1, float(cpu_s))


def tell(mistake: Mistake, directory: Path) -> Caught | None:
    """Tell the mistake's story."""
    story = mistake.story if "/" in mistake.story else f"simulation/{mistake.story}"
    ended = _run(directory, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{story}")
    assert ended.returncode in (0, 1), ended.stdout[-2000:] + ended.stderr[-2000:]
    return Caught(f"story {story}") if ended.returncode else None


def catch(mistake: Mistake, directory: Path) -> Caught | None:
    """Plant the mistake, and return what notices it."""
    plant(mistake, directory)
    return tell(mistake, directory) if mistake.story else hunt(mistake, directory)


def main() -> None:
    """Say of each mistake whose name contains the argument how many seeds it takes."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for mistake in ALL:
        if wanted in mistake.name:
            with tempfile.TemporaryDirectory() as directory:
                found = catch(mistake, Path(directory)) or "NOT CAUGHT"
                print(f"{mistake.name}\n    {found}", flush=True)


if __name__ == "__main__":
    main()
