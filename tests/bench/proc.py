"""What /proc says of processes: CPU time and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
FIRST_AFTER_NAME = 3  # The number of the field that follows the name, see proc(5).
UTIME, STIME = 14, 15


def parse_cpu_ticks(stat: str) -> int:
    """
    Return user and system time of all threads, from the text of `/proc/PID/stat`.

    The name is in parentheses and may hold spaces and parentheses itself, hence the last one.
    """
    fields = stat.rpartition(")")[2].split()
    return int(fields[UTIME - FIRST_AFTER_NAME]) + int(fields[STIME - FIRST_AFTER_NAME])


def parse_rss_bytes(status: str) -> int:
    """Return the resident set from the text of `/proc/PID/status`; 0 of a process that ended."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that these processes have used; one that is gone counts nothing."""
    return sum(parse_cpu_ticks(_read(pid, "stat") or ") " + "0 " * 20) for pid in pids) * TICKS_S


def rss_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of these processes."""
    return sum(parse_rss_bytes(_read(pid, "status")) for pid in pids)


def _read(pid: int, what: str) -> str:
    try:
        return (PROC / str(pid) / what).read_text()
    except OSError:
        return ""


def filesystem(place: Path, mounts: str | None = None) -> str:
    """Return the kind of filesystem that *place* is on, `ext4` say."""
    text = (PROC / "mounts").read_text() if mounts is None else mounts
    best, kind = "", "unknown"
    for line in text.splitlines():
        where, what = line.split()[1:3]
        inside = where == "/" or place == Path(where) or Path(where) in place.parents
        if inside and len(where) >= len(best):
            best, kind = where, what
    return kind


def fdatasync_s(directory: Path, tries: int = 40) -> float:
    """Return how long appending 64 bytes and fdatasync take in *directory*, at the median."""
    path = directory / "fdatasync-probe"
    took_s = []
    with path.open("ab", buffering=0) as file:
        for _ in range(tries):
            began_s = time.perf_counter()
            file.write(bytes(64))
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    path.unlink()
    return sorted(took_s)[tries // 2]
