"""A virtual environment of the project's own, for machines without Docker and for `./log`."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from lab.setup.shell import ROOT, Progress, SetupError, ask, run

VENV = ROOT / ".venv"
OLDEST = (3, 11)
EXTRAS = ("lab", "serve", "dev")  # Each contains those before it.


def python_for_venv() -> str | None:
    """Return a Python of this machine that is new enough, or None."""
    if sys.version_info[:2] >= OLDEST:
        return sys.executable
    for minor in range(16, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    return None


def ensure_venv(extra: str, progress: Progress) -> Path:
    """
    Return the environment's Python, with what *extra* (one of `EXTRAS`) of pyproject.toml needs.

    Raises:
        SetupError: there is no Python to make it with, or a package cannot be installed.
    """
    python = VENV / "bin" / "python"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    for richer in EXTRAS[EXTRAS.index(extra) :]:
        stamp = _stamp(richer)
        if stamp.exists() and stamp.read_text() == wanted and _works(python):
            return python
    interpreter = python_for_venv()
    if interpreter is None:
        raise SetupError("Python 3.11 or later is needed, or Docker; neither is here")
    if not _works(python):
        progress(f"making a virtual environment in {VENV.name}")
        run((interpreter, "-m", "venv", "--clear", str(VENV)), what="making a virtual environment")
    extra = EXTRAS[max(EXTRAS.index(name) for name in [extra, *_installed()])]
    progress(f"installing lolraft[{extra}] into {VENV.name} (a minute the first time)")
    install = (str(python), "-m", "pip", "install", "--quiet", "--editable", f".[{extra}]")
    run(install, what="installing the packages")
    _stamp(extra).write_text(wanted)
    return python


def _stamp(extra: str) -> Path:
    return VENV / f".installed-{extra}"


def _installed() -> list[str]:
    return [extra for extra in EXTRAS if _stamp(extra).exists()]


def _works(python: Path) -> bool:
    return python.exists() and ask((str(python), "-c", "")) is not None
