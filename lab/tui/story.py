"""`S`: the story so far as a folder: report, summary, a picture of the screen, and a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App

from lab.report.gather import Report
from lab.report.write import story_name, write
from lab.scenarios.saved import FILE, scenario, why_not
from lab.tui.picture import portable


def save(app: App[Any], report_of: Callable[[], Report] | None) -> None:
    """Write the story into a new folder of the working directory, and say where."""
    if report_of is None:
        app.notify("Nothing was gathered of this run.", title="no story", severity="warning")
        return
    report = report_of()
    picture = portable(app.export_screenshot(title=app.title))
    folder = Path(story_name(report.title, time.strftime("%Y%m%d-%H%M%S")))

    def write_it() -> None:
        try:
            page = write(report, folder, picture)
            if not why_not(report):
                (folder / FILE).write_text(scenario(report), encoding="utf-8")
        except OSError as broken:
            why = f"{broken}: begin ./log in a folder where you may write"
            app.call_from_thread(app.notify, why, title="not saved", severity="error")
            return
        told = why_not(report) or f"./log --scenario {folder / FILE} plays it again"
        app.call_from_thread(app.notify, f"{page.resolve()}\n{told}", title="saved")

    app.run_worker(write_it, thread=True, group="story", exit_on_error=False)
