"""
Take a picture of the screen: an SVG that needs no web font, and a PNG where rsvg-convert is.

    python -m lab.tui.picture STEM --app MODULE:FUNCTION [--size 140x45] [--press KEYS] [--wait S]

FUNCTION takes nothing and returns an async context manager of a `LabApp`, so that what it opens
(a cluster, say) is closed again.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.tui.app import LabApp

Opened = Callable[[], AbstractAsyncContextManager["LabApp"]]

_FONTS = "'DejaVu Sans Mono', 'Fira Code', Menlo, Consolas, monospace"
_FONT_PX = 20.26  # DejaVu's advance at this size is the 12.2 px that the export lays out by.


async def take(
    app: LabApp, stem: Path, *, size: tuple[int, int], keys: Sequence[str] = (), wait_s: float = 0.0
) -> list[Path]:
    """Run *app* without a terminal for *wait_s* seconds, press *keys*, and write the files."""
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(wait_s)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.5)
        return write(portable(app.export_screenshot(title=app.title)), stem)


def write(picture: str, stem: Path) -> list[Path]:
    """Write the SVG *picture* as STEM.svg, and as STEM.png where rsvg-convert is."""
    svg = stem.with_suffix(".svg")
    svg.write_text(picture)
    written = [svg]
    converter = shutil.which("rsvg-convert")
    if converter is not None:
        png = stem.with_suffix(".png")
        subprocess.run([converter, str(svg), "-o", str(png)], check=True)
        written.append(png)
    return written


def portable(svg: str) -> str:
    """Return the picture without web fonts, and with spaces that every renderer keeps."""
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {_FONTS}", svg)
    svg = svg.replace("font-size: 20px", f"font-size: {_FONT_PX}px")
    return svg.replace("&#160;", " ").replace("<text ", '<text xml:space="preserve" ')


def main(arguments: Sequence[str] | None = None) -> None:
    """Take one picture from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.tui.picture", description=__doc__)
    parser.add_argument("stem", type=Path)
    parser.add_argument("--app", required=True, metavar="MODULE:FUNCTION")
    parser.add_argument("--size", default="140x45")
    parser.add_argument("--press", default="", help="keys, separated by spaces")
    parser.add_argument("--wait", type=float, default=0.0, help="seconds before the keys")
    chosen = parser.parse_args(arguments)
    module, _, function = chosen.app.partition(":")
    opened: Opened = getattr(importlib.import_module(module), function)
    width, height = (int(number) for number in chosen.size.split("x"))

    async def run() -> list[Path]:
        async with opened() as app:
            keys = chosen.press.split()
            return await take(app, chosen.stem, size=(width, height), keys=keys, wait_s=chosen.wait)

    for path in asyncio.run(run()):
        print(path)


if __name__ == "__main__":
    main()
