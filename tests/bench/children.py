"""Processes of the benchmark: servers, and workers that are told what to do line by line."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PREFIX = "lolraft-bench-"
LOCK = "lock"
STOP_S = 5.0
LINE_BYTES = 16 * 1024 * 1024
LAST_LINES = 2


class BenchError(Exception):
    """A system cannot be measured; the text says why."""


class Child:
    """A process that is gone when the benchmark is, however that ends."""

    def __init__(self, command: Sequence[str], log: Path, *, talks: bool = False) -> None:
        """Run *command*; *talks* connects its standard input and output."""
        self._command = list(command)
        self._log = log
        self._talks = talks
        self._process: asyncio.subprocess.Process | None = None
        self._asked = 0

    @property
    def pid(self) -> int:
        """Return the number of the process; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Start the process."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        tie = (sys.executable, "-m", "tests.bench.tied", str(os.getpid()))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tie,
                *self._command,
                stdin=pipe if self._talks else nothing,
                stdout=pipe if self._talks else log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,  # ctrl-c in the terminal is the benchmark's.
                cwd=ROOT,
                limit=LINE_BYTES,
            )

    async def ask(self, what: str, **arguments: Any) -> Any:  # noqa: ANN401  # Whatever JSON holds.
        """
        Tell a process that talks to do something, and return its answer.

        Raises:
            BenchError: it could not, or is gone.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked += 1
        asked = {"do": what, "number": self._asked, **arguments}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = {}
        while answer.get("number") != self._asked:  # Those before it were given up.
            line = await self._process.stdout.readline()
            if not line:
                raise BenchError(f"a process ended: {self.last_words()}")
            answer = json.loads(line)
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer["answer"]

    def last_words(self) -> str:
        """Return the end of what the process has logged."""
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after a while."""
        try:
            async with asyncio.timeout(STOP_S):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        await self._process.wait()
        self._process = None


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder for data and logs; those of benchmarks that were killed are removed too."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _sweep(old)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name,
        (Path(name) / LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def _sweep(folder: Path) -> None:
    """Remove *folder* if it is a workplace that nobody holds."""
    with suppress(OSError), (folder / LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
