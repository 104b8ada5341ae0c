"""Write reports into folders: one of a run, or one of each run with an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lab.report import html, markdown
from lab.report.gather import Report, of_recording

SCREEN = "screen.svg"


def write(report: Report, folder: Path, picture: str = "") -> Path:
    """
    Write page and summary into *folder*, and *picture*, an SVG of the screen; return the page.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / html.PAGE
    page.write_text(html.page(report, picture), encoding="utf-8")
    if picture:
        (folder / SCREEN).write_text(picture, encoding="utf-8")
    text = markdown.summary(report, picture=SCREEN if picture else "")
    (folder / markdown.SUMMARY).write_text(text, encoding="utf-8")
    return page


def try_to_write(report: Report, folder: Path) -> str:
    """Write, and return in words what came of it: a full disk must not keep a lab from ending."""
    try:
        return f"report: {write(report, folder)}"
    except OSError as broken:
        return f"no report was written: {broken}; --report names a folder that can be made"


def from_recording(recording: Path, folder: Path | None) -> Path:
    """
    Write the report on a recording, beside it unless *folder* says where; return the page.

    Raises:
        RecordingError: it is none.
        OSError: it cannot be read, or the report not written.
    """
    return write(of_recording(recording), folder or recording.with_name(f"{recording.stem}-report"))


def write_index(folder: Path, told: Sequence[tuple[str, Report]]) -> Path:
    """Write an index of reports that lie in folders of these names within *folder*."""
    (folder / "index.md").write_text(markdown.index(told), encoding="utf-8")
    page = folder / "index.html"
    page.write_text(html.index(told), encoding="utf-8")
    return page


def story_name(title: str, when: str) -> str:
    """Return the name of a folder for the story of a run: `story-local-lab3-20261127-203641`."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", title).strip("-.")
    return f"story-{plain[:60]}-{when}"
