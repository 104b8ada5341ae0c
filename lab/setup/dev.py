"""
`./dev`: the development container, or a virtual environment where there is no Docker.

    ./dev                 a shell
    ./dev COMMAND ...     a command, such as: ./dev pytest -n auto
    ./dev verify          what must pass before a change lands; writes nothing
    ./dev fix             format, and mend what can be mended
    ./dev watch           the fast tests, at every save
    ./dev sim [SEED]      new seeds of the simulator for a minute, or one again
    ./dev bench           ours and its peers, measured side by side (--quick, --full, --help)
    ./dev fuzz            the fuzz tests with new examples, for a while (--minutes N)
    ./dev endure          200 rounds of kill -9 under load, judged (--backend docker: cuts too)
    ./dev pictures        take the pictures of the pages again (NAME ...: some of them)
    ./dev proto           generate the code of proto/ again
    ./dev images          build the images and their base
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.setup import images
from lab.setup.shell import ROOT, SetupError, say, why_no_docker
from lab.setup.venv import VENV, ensure_venv

SOCKET = Path("/var/run/docker.sock")
CACHE = "lolraft-dev-cache"
LOOPS: dict[str, list[str]] = {
    "": ["bash"],
    "verify": [
        "sh", "-ec",
        "ruff check . && ruff format --check . && mypy && lint-imports && pytest -n auto",
    ],
    "fix": ["sh", "-ec", "ruff check --fix . ; ruff format ."],
    "watch": ["python", "-m", "lab.setup.watch"],
    "sim": ["python", "-m", "lolraft.sim"],
    "bench": ["python", "-m", "tests.bench"],
    "fuzz": ["python", "-m", "tests.fuzz"],
    "endure": ["python", "-m", "tests.endurance"],
    "pictures": ["python", "-m", "lab.pictures"],
    "proto": ["python", "proto/generate.py"],
}  # fmt: skip
PASSED_ON = (
    "CI", "TERM", "COLORTERM", "NO_COLOR", "PYTEST_ADDOPTS", "LOLRAFT_BASE_IMAGE",
    "LOLRAFT_ARTIFACTS",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return its exit status."""
    if arguments[:1] in (["--help"], ["-h"], ["help"]):
        print((__doc__ or "").strip())
        return 0
    if arguments[:1] == ["images"]:
        return images.main(arguments[1:])
    first, *rest = arguments or [""]
    command = [*LOOPS[first], *rest] if first in LOOPS else [first, *rest]
    if os.environ.get("LOLRAFT_IN_DEV"):
        return _become(command, dict(os.environ))
    try:
        why_not = why_no_docker()
        if not why_not:
            images.ensure_dev_image(say)
            return _become(in_container(command), dict(os.environ))
        say(f"{why_not}: running in {VENV.name} instead of the development container")
        return _become(command, environment_of(ensure_venv("dev", say)))
    except SetupError as broken:
        say(f"./dev: {broken}")
        return 1


def in_container(command: list[str]) -> list[str]:
    """Return how Docker runs *command* among the mounted sources, at the path they have here."""
    run = ["docker", "run", "--rm", "--init", "--interactive"]
    if sys.stdin.isatty() and sys.stdout.isatty():
        run.append("--tty")
    # The host's network: what listens on loopback in there, and the ports of the lab's nodes, are
    # reached as they are out here.
    run += ["--network", "host", "--volume", f"{ROOT}:{ROOT}", "--workdir", str(ROOT)]
    run += ["--env", f"PYTHONPATH={ROOT}", "--env", f"XDG_STATE_HOME={ROOT / '.lab'}"]
    run += ["--env", f"XDG_CONFIG_HOME={ROOT / '.lab' / 'config'}"]  # Its home ends with it.
    for name in PASSED_ON:
        if name in os.environ:
            run += ["--env", name]
    if SOCKET.exists():
        run += ["--volume", f"{SOCKET}:{SOCKET}"]
    if command[: len(LOOPS["bench"])] == LOOPS["bench"]:
        run += _shared_by_bench(command)
    if os.getuid() == 0:
        run += ["--volume", f"{CACHE}:/root/.cache"]
    else:  # What is written into the tree belongs to who asked for it.
        run += ["--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]
        if SOCKET.exists():
            run += ["--group-add", str(SOCKET.stat()[stat.ST_GID])]
    return [*run, images.DEV_IMAGE, *command]


def _shared_by_bench(command: list[str]) -> list[str]:
    """Let what it saves outlive the container, and its data lie on this machine's own disk."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--out", type=Path)
    temporary, out = Path(tempfile.gettempdir()), parser.parse_known_args(command)[0].out
    shared = ["--env", f"TMPDIR={temporary}", "--volume", f"{temporary}:{temporary}"]
    if out is not None:
        folder = (ROOT / out).resolve()
        folder.mkdir(parents=True, exist_ok=True)  # If the daemon made it, it would be root's.
        shared += ["--volume", f"{folder}:{folder}"]
    return shared


def environment_of(python: Path) -> dict[str, str]:
    """Return the environment in which the programs beside *python* are found first."""
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "LOLRAFT_IN_DEV": "1"}


def _become(command: Sequence[str], environment: dict[str, str]) -> int:
    """Let *command* take this process's place, so that signals and its exit status are its own."""
    sys.stderr.flush()
    os.chdir(ROOT)
    try:
        os.execvpe(command[0], list(command), environment)
    except OSError as broken:
        say(f"./dev: cannot run {command[0]}: {broken.strerror}")
        return 127


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
