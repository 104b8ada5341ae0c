"""Run programs for the set-up: quiet when they work, their last words when they do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 15

Progress = Callable[[str], None]


class SetupError(Exception):
    """Something that is needed cannot be had; the text says what to do."""


def say(line: str) -> None:
    """Print a line of progress, apart from what the command itself prints."""
    print(f"  {line}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, what: str, env: dict[str, str] | None = None) -> None:
    """
    Run a program to its end; its output goes to a file that is shown when it fails.

    Raises:
        SetupError: it failed, or is not installed.
    """
    with tempfile.TemporaryFile() as output:
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=ROOT,
                check=False,
            )
        except OSError as broken:
            raise SetupError(f"{what}: cannot run {command[0]}: {broken.strerror}") from broken
        if ended.returncode:
            output.seek(0)
            lines = output.read().decode(errors="replace").rstrip().splitlines()[-LAST_LINES:]
            raise SetupError(f"{what} failed; its last words:\n    " + "\n    ".join(lines))


def ask(command: Sequence[str], *, timeout_s: float = 20.0) -> str | None:
    """Return what a program prints, stripped; None when it fails, hangs or is not there."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            cwd=ROOT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode(errors="replace").strip() if ended.returncode == 0 else None


def why_no_docker() -> str:
    """Return why containers cannot be used here, empty when they can."""
    if shutil.which("docker") is None:
        return "no docker command here"
    if ask(("docker", "version", "--format", "{{.Server.Version}}"), timeout_s=5.0) is None:
        return "the Docker daemon does not answer (is it running, may you use its socket?)"
    return ""
