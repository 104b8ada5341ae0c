"""`S`: the story so far as a folder, with report, summary and a picture of the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App

from lab.report.gather import Report
from lab.report.write import story_name, write
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
        except OSError as broken:
            why = f"{broken}: begin ./log in a folder where you may write"
            app.call_from_thread(app.notify, why, title="not saved", severity="error")
            return
        app.call_from_thread(app.notify, str(page.resolve()), title="saved")

    app.run_worker(write_it, thread=True, group="story", exit_on_error=False)
