"""Files that remember what a lab started, so that nothing stays behind when the lab dies."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class NodeRun:
    """One process of a local cluster; `start` tells it from a later one with the same pid."""

    name: str
    node_id: str
    port: int
    pid: int = 0
    start: int = 0


@dataclass
class Run:
    """One cluster that a lab started."""

    name: str
    backend: str
    directory: str
    lab_pid: int
    lab_start: int
    kept: bool = False  # Left running on purpose.
    app: str = "kv"
    shards: str = "0"
    more: list[str] = field(default_factory=list)  # Arguments of `lolraft serve`.
    nodes: list[NodeRun] = field(default_factory=list)

    @property
    def is_orphan(self) -> bool:
        """Return whether its lab is gone though nobody wanted it to stay."""
        return not self.kept and process_start(self.lab_pid) != self.lab_start


def state_directory() -> Path:
    """Return where run files lie."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "lolraft" / "lab"


def new_run(backend: str, app: str, shards: str, more: Sequence[str] = ()) -> Run:
    """Return a run with a name of its own and a directory for its data."""
    name = f"lab{secrets.token_hex(3)}"
    directory = state_directory() / "data" / name
    pid = os.getpid()
    run = Run(
        name=name,
        backend=backend,
        directory=str(directory),
        lab_pid=pid,
        lab_start=process_start(pid) or 0,
        app=app,
        shards=shards,
        more=list(more),
    )
    save(run)
    return run


def save(run: Run) -> None:
    """Write the run's file whole or not at all."""
    path = _path(run.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(run), indent=1))
    temporary.rename(path)


def forget(run: Run) -> None:
    """Delete the run's file."""
    with suppress(FileNotFoundError):
        _path(run.name).unlink()


def known_runs() -> list[Run]:
    """Return every run that has a file; one that cannot be read is passed over."""
    runs = []
    for path in sorted((state_directory() / "runs").glob("*.json")):
        try:
            raw = json.loads(path.read_text())
            raw["nodes"] = [NodeRun(**node) for node in raw["nodes"]]
            runs.append(Run(**raw))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return runs


def was_left_running(title: str) -> bool:
    """Return whether a lab left the cluster of this title running: who only listens does too."""
    return any(run.kept and title == f"{run.backend}:{run.name}" for run in known_runs())


def _path(name: str) -> Path:
    return state_directory() / "runs" / f"{name}.json"


def process_start(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot; None when it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _start_without_proc(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def _start_without_proc(pid: int) -> int | None:
    if Path("/proc/self/stat").exists() or pid <= 0:
        return None
    try:
        os.kill(pid, 0)  # Not Linux: all that can be known is that some process has the number.
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 1
