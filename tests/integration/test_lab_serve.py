"""`./log --serve` as a program, with tabs as a browser opens them, and every way it can end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pyte
import pytest

from lab.cluster import runs
from tests.integration.local_lab import left_over, node_processes
from tests.integration.terminal import PATIENCE_S, ROOT

NOTHING: tuple[list[int], list[str], list[str]] = ([], [], [])
COLUMNS, LINES = 100, 30
AT = re.compile(r"the lab is at (http://127\.0\.0\.1:\d+)")


class Tab:
    """A browser's side of a tab: the screen's bytes come, keys go."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._websocket = websocket

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    async def until(self, shown: Callable[[str], object]) -> str:
        """Wait until *shown* holds for the screen, and return the screen."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not shown(self.text()):
                    message = await self._websocket.receive()
                    assert message.type is aiohttp.WSMsgType.BINARY, f"{message}:\n{self.text()}"
                    self._stream.feed(message.data)
        except TimeoutError:
            raise AssertionError(f"never came on the screen:\n{self.text()}") from None
        return self.text()

    async def press(self, keys: str) -> None:
        await self._websocket.send_json(["stdin", keys])

    async def until_closed(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self._websocket.receive()).type is aiohttp.WSMsgType.BINARY:
                pass


class Served:
    """The program, and where it says that it is."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab", "--serve", "127.0.0.1:0", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := AT.search(line):
                self.at = found[1]
                return
        raise AssertionError(f"it serves nothing:\n{self.said}")

    def end(self, how: signal.Signals) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(how)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        self.said += out
        assert "Traceback" not in self.said, self.said
        return self.process.returncode

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        size = f"width={COLUMNS}&height={LINES}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.at}/ws?{size}", origin=self.at) as websocket,
        ):
            yield Tab(websocket)


def tabs_of(served: Served) -> list[int]:
    """Return the processes of tabs: they are in the session that the program leads."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            is_tab = b"--tab" in (place / "cmdline").read_bytes()
        except OSError:
            continue
        if is_tab and int(fields[3]) == served.process.pid and fields[0] != "Z":
            found.append(int(place.name))
    return found


def all_gone(served: Served) -> None:
    """Wait until no tab and no node is left, then nothing else may be."""
    end_s = time.monotonic() + PATIENCE_S
    while (tabs_of(served) or left_over()[0]) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert tabs_of(served) == []
    assert left_over() == NOTHING


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/tmp")  # A socket's path is short.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture
def begin() -> Iterator[Callable[..., Served]]:
    """Serve; whatever a test did, nothing of it stays."""
    begun: list[Served] = []

    def serve(*arguments: str) -> Served:
        begun.append(Served(*arguments))
        return begun[-1]

    yield serve
    for served in begun:
        left = [*tabs_of(served), *node_processes(runs.state_directory())]
        if served.process.poll() is None:
            served.process.kill()
            served.process.communicate()
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_two_tabs_break_one_cluster_and_a_signal_ends_it_all(
    begin: Callable[..., Served], how: signal.Signals
) -> None:
    served = await asyncio.to_thread(begin, "--backend", "local")
    assert "no password" in served.said
    async with aiohttp.ClientSession() as session, session.get(served.at) as page:
        assert page.status == 200
        assert f"ws{served.at.removeprefix('http')}/ws" in await page.text()
    async with served.tab() as one, served.tab() as other:
        led = [tab.until(lambda text: "leaders 1/1" in text) for tab in (one, other)]
        text = (await asyncio.gather(*led))[0]
        [run] = runs.known_runs()
        assert len(node_processes(runs.state_directory())) == 3, "a tab is no second cluster"
        assert f"local:{run.name}" in text
        for tab in (one, other):
            await tab.press("3")  # The page of events holds them all.
        await other.press("p")
        text = await other.until(lambda text: re.search(r"you: pause n\d", text))
        paused = re.search(r"you: pause (n\d)", text)
        assert paused is not None
        await one.until(lambda text: f"a tab: pause {paused[1]}" in text)
        for tab in (one, other):
            await tab.press("1")
        await one.until(lambda text: f"{paused[1]}  ‖ paused" in text)
        await one.press("u")  # Whoever did it: it is one cluster with one list of faults.
        await other.until(lambda text: f"{paused[1]}  ● up" in text)
        await one.press("q")  # Only this tab.
        await one.until_closed()
        await other.until(lambda text: "nodes 3/3" in text)
        assert len(node_processes(runs.state_directory())) == 3
        assert await asyncio.to_thread(served.end, how) == 0
        await other.until_closed()
    assert f"stopped by {how.name}" in served.said
    await asyncio.to_thread(all_gone, served)


async def test_a_killed_server_takes_its_tabs_with_it(begin: Callable[..., Served]) -> None:
    served = await asyncio.to_thread(begin, "--backend", "sim")
    async with served.tab() as tab:
        await tab.until(lambda text: "leaders 1/1" in text)
        assert len(tabs_of(served)) == 1
        assert await asyncio.to_thread(served.end, signal.SIGKILL) == -signal.SIGKILL
    await asyncio.to_thread(all_gone, served)


async def test_in_the_simulator_every_tab_is_a_world(begin: Callable[..., Served]) -> None:
    served = await asyncio.to_thread(begin, "--backend", "sim", "--nodes", "5", "--seed", "3")
    assert "every tab is a lab of its own: --backend sim --nodes 5" in served.said
    async with served.tab() as one, served.tab() as other:
        for tab in (one, other):
            await tab.until(lambda text: "nodes 5/5" in text and "leaders 1/1" in text)
        await one.press("z")
        await one.press("K")
        await one.until(lambda text: "✗ killed" in text or re.search(r"kill n\d\?", text))
        await other.until(lambda text: "nodes 5/5" in text)
        assert "killed" not in other.text()
    assert await asyncio.to_thread(served.end, signal.SIGTERM) == 0
    await asyncio.to_thread(all_gone, served)
