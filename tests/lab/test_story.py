"""`S` writes the story so far into a folder of the working directory, and says where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.attach import watched
from lab.chronicle import Chronicle
from lab.report.gather import Report
from lab.scenarios import script
from lab.scenarios.run import run
from lab.sim.cluster import SimCluster
from lab.tui.app import LabApp
from tests.lab.screen import running


async def test_s_saves_report_summary_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LabApp, "NOTIFICATION_TIMEOUT", 600)  # A slow machine reads it, too.
    chronicle, cluster = Chronicle(), SimCluster(seed=5, speed=None)
    with watched(cluster, None, chronicle) as watcher:
        await cluster.start(lambda line: None)
        watcher.start()
        await cluster.sleep(3.0)
        app = LabApp(watcher, cluster, cluster.client())
        app.report = chronicle.gather.report
        chronicle.load = lambda: app.load.view
        try:
            async with app.run_test(size=(120, 40)) as pilot:
                while app.scene() is None:  # It is bounded by the test's own time.
                    await pilot.pause()
                await pilot.press("L")
                assert app.load.is_running
                await cluster.sleep(3.0)
                await cluster.kill("n1")
                await cluster.sleep(3.0)
                await pilot.press("S")
                await app.workers.wait_for_complete(
                    [worker for worker in app.workers if worker.group == "story"]
                )
                await pilot.pause()
                said = [note.message for note in app._notifications if note.title == "saved"]
        finally:
            await watcher.stop()
            await cluster.close()
    (page,) = files("*/report.html")
    assert page.parent.name.startswith("story-sim-5-2")
    (words,) = said
    told = page.parent.name
    assert words == f"{page}\n./log --scenario {told}/story.txt plays it again"
    outcome = await run(script.load(f"{told}/story.txt"), "sim", lambda line: None, seed=2)
    assert outcome.passed, outcome.failed_at
    assert outcome.verdict is not None
    assert outcome.verdict.acknowledged, "the load was played too"
    text = page.read_text()
    assert "kill n1" in text
    assert "linearizable so far" in text
    assert "data:image/svg+xml;base64," in text
    assert "![the screen, as it was](screen.svg)" in (page.parent / "report.md").read_text()
    picture = (page.parent / "screen.svg").read_text()
    assert picture.startswith("<svg")
    assert "s0000" in picture


def files(pattern: str) -> list[Path]:
    return list(Path.cwd().glob(pattern))


async def test_s_says_why_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    async with running() as lab:
        await lab.press("S")
        await lab.until(lambda: "no story" in lab.toasts)
        assert os.listdir(tmp_path) == ["file"]

        def gathered() -> Report:
            return Report(title="t", backend="b", began_s=0.0, ended_s=1.0)

        lab.app.report = gathered
        monkeypatch.setattr("lab.tui.story.story_name", lambda title, when: "file/story")
        await lab.press("S")
        await lab.until(lambda: "not saved" in lab.toasts)
        assert "a folder where you may write" in lab.toasts
