"""`./log`: set up what the lab needs, then let it take this process's place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lab.setup import dev, images
from lab.setup.shell import ROOT, SetupError, say, why_no_docker
from lab.setup.venv import ensure_venv, python_for_venv


def main(arguments: Sequence[str]) -> int:
    """Run the lab here where Python is new enough, else in the development container."""
    lab = ["-m", "lab", *arguments]
    command: list[str]
    environment = dict(os.environ)
    try:
        if os.environ.get("LOLRAFT_IN_DEV"):
            command = ["python", *lab]
        elif python_for_venv() is not None:
            command = [str(ensure_venv(_extra(arguments), say)), *lab]
        elif why_no_docker():
            raise SetupError("Python 3.11 or later is needed, or Docker; neither is here")
        else:
            say("Python here is older than 3.11: the lab runs in the development container")
            images.ensure_dev_image(say)
            command = dev.in_container(["python", *lab])
    except SetupError as broken:
        say(f"./log: {broken}")
        return 1
    environment["PYTHONPATH"] = str(ROOT)
    sys.stderr.flush()
    os.execvpe(command[0], command, environment)


def _extra(arguments: Sequence[str]) -> str:
    """Return what has to be installed for these arguments."""
    wants_server = any(one.partition("=")[0] == "--serve" for one in arguments)
    return "serve" if wants_server else "lab"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
