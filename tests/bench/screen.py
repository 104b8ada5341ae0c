"""
Measure the screen: the lab's share of a core, and how soon it answers a key.

    python -m tests.bench.screen [--shards 1 10000] [--changing 0 20 200] [--size 140x45 80x24]
                                 [--backend reporters|local] [--keys 50]

The lab is the real one, in a terminal of its own, over nodes that only report (tests/bench/
reporters.py) or over real local processes. Asserts nothing. CPU is the lab process's alone, from
/proc, as a share of a core; a key is answered when bytes come to the terminal: by the clock, and by
the CPU that the lab has used until then, which a busy machine does not change. It is pressed when
the picture of the last tick is out, so that bytes of the next one are not taken for an answer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.terminal import Terminal

QUIET_S, AGAIN_S = 0.04, 0.2  # After a tick's bytes; until the next tick's at the earliest.
WARM_S, REST_S = 4.0, 12.0
PAGES = {"cluster": "1", "shards": "2", "timeline": "3", "links": "4", "phi": "5", "load": "6",
         "faults": "7", "shard": "1\r"}  # fmt: skip
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """Return the CPU seconds of a process since its start, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def exactly_used_s(pid: int) -> float:
    """Return the CPU seconds of the threads that live, exactly."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


class Lab(Terminal):
    """The lab, with a clock on its bytes."""

    def calm(self) -> None:
        """Return when the bytes of a tick have come, and no more for a moment."""
        end_s = time.monotonic() + 2.0
        before = len(self.raw)
        while len(self.raw) == before and time.monotonic() < end_s:
            self._read(0.05)
        while time.monotonic() < end_s:
            before = len(self.raw)
            self._read(QUIET_S)
            if len(self.raw) == before:
                return

    def watch(self, for_s: float) -> None:
        """Read what comes for a while, so that the lab is never held up."""
        end_s = time.monotonic() + for_s
        while (left_s := end_s - time.monotonic()) > 0:
            self._read(left_s)

    def answer(self, keys: str) -> tuple[float, float] | None:
        """Press, and return seconds and CPU seconds until bytes came; None: they did not."""
        self.calm()
        used, began_s, before = exactly_used_s(self.process.pid), time.perf_counter(), len(self.raw)
        self.press(keys)
        while len(self.raw) == before:
            if time.perf_counter() - began_s > AGAIN_S:
                return None
            self._read(0.01)
        return time.perf_counter() - began_s, exactly_used_s(self.process.pid) - used


@contextmanager
def reporting(shards: int, changing: int) -> Iterator[list[str]]:
    """Give the addresses of three nodes that only report."""
    wishes = ("--shards", str(shards), "--changing", str(changing))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.reporters", *wishes],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield [process.stdout.readline().strip() for _ in range(3)]
    finally:
        process.kill()
        process.communicate()


@contextmanager
def shown(arguments: list[str], size: tuple[int, int]) -> Iterator[Lab]:
    """Give the lab on the screen."""
    with tempfile.TemporaryDirectory(prefix="lolraft-bench-") as state:
        lab = Lab("-m", "lab", *arguments, state=Path(state), columns=size[0], lines=size[1])
        try:
            yield lab
        finally:
            lab.press("q", "e")
            lab.watch(1.0)
            lab.close()


def measure(lab: Lab, shards: int, keys: int) -> None:
    """Wait until all are led, then measure rest and keys."""
    lab.until(lambda text: f"leaders {shards:,}/{shards:,}" in text)
    print(f"  all led after {exactly_used_s(lab.process.pid):6.2f} s of its CPU", flush=True)
    lab.watch(WARM_S)
    began_s, used = time.monotonic(), used_s(lab.process.pid)
    lab.watch(REST_S)
    share = (used_s(lab.process.pid) - used) / (time.monotonic() - began_s)
    print(f"  share of a core          {share:6.1%}", flush=True)
    for page, key in PAGES.items():
        away = "2" if page == "cluster" else "1"
        tell(f"{page}: opened", [lab.answer(key) for _ in range(8) if lab.answer(away) or True])
        lab.press("1", key)
        tell(f"{page}: moved", [lab.answer("kj"[n % 2]) for n in range(keys)])
        lab.press("\x1b")
        lab.calm()


def tell(what: str, answers: list[tuple[float, float] | None]) -> None:
    """Print one line of milliseconds."""
    known = [answer for answer in answers if answer is not None]
    if not known:
        print(f"  {what:20} no answer to be seen", flush=True)
        return
    columns = []
    for word, values in zip(("p50", "cpu p50"), zip(*known, strict=True), strict=True):
        columns.append(f"{word} {statistics.median(values) * 1e3:7.1f} ms  max "
                       f"{max(values) * 1e3:7.1f} ms")  # fmt: skip
    print(f"  {what:20} {'   '.join(columns)}   n {len(known)}/{len(answers)}", flush=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 10_000])
    parser.add_argument("--changing", type=int, nargs="+", default=[0, 20, 200])
    parser.add_argument("--size", nargs="+", default=["140x45", "80x24"])
    parser.add_argument("--backend", choices=("reporters", "local"), default="reporters")
    parser.add_argument("--keys", type=int, default=50)
    chosen = parser.parse_args()
    for shards in chosen.shards:
        for size in chosen.size:
            width, height = (int(number) for number in size.split("x"))
            if chosen.backend == "local":
                print(f"{shards:,} shards of local processes, {size}", flush=True)
                with shown(["--backend", "local", "--shards", f"0-{shards - 1}"],
                           (width, height)) as lab:  # fmt: skip
                    measure(lab, shards, chosen.keys)
                continue
            for changing in chosen.changing:
                print(f"{shards:,} shards, {changing} changing a second, {size}", flush=True)
                with (
                    reporting(shards, changing) as addresses,
                    shown(["--connect", *addresses], (width, height)) as lab,
                ):
                    measure(lab, shards, chosen.keys)


if __name__ == "__main__":
    main()
