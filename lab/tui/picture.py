"""
Take a picture of the screen: an SVG that needs no web font, and a PNG where rsvg-convert is.

    python -m lab.tui.picture STEM [--nodes 5] [--shards 0-511] [--size 140x45] [--press KEYS]

The cluster is real: local processes, started for the picture and ended after it. KEYS are pressed
one after the other, `wait:S` among them waits for S seconds: `--press "K wait:2 W enter"`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.tui.app import LabApp

_FONTS = "'DejaVu Sans Mono', 'Fira Code', Menlo, Consolas, monospace"
_FONT_PX = 20.26  # DejaVu's advance at this size is the 12.2 px that the export lays out by.


async def take(
    app: LabApp, stem: Path, *, size: tuple[int, int], keys: Sequence[str] = ()
) -> list[Path]:
    """Run *app* without a terminal, press *keys* (or wait: `wait:2.5`), and write the files."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        for key in keys:
            if key.startswith("wait:"):
                await asyncio.sleep(float(key.removeprefix("wait:")))
            else:
                await pilot.press(key)
        await pilot.pause(0.5)
        return write(portable(app.export_screenshot(title=app.title)), stem)


async def of_real_cluster(
    stem: Path, *, nodes: int, shards: str, size: tuple[int, int], keys: Sequence[str]
) -> list[Path]:
    """Start local processes, take their picture, and end them."""
    from lab.attach import client_of
    from lab.cluster.local import LocalCluster  # Here: these import the app, which imports us.
    from lab.observe.watch import Watcher
    from lab.session import say, wait_for_leaders
    from lab.tui.app import LabApp

    cluster = LocalCluster.begin(nodes=nodes, app="kv", shards=shards)
    watcher = Watcher(cluster)
    try:
        await cluster.start(say)
        watcher.start()
        await wait_for_leaders(watcher, say)
        client = client_of(cluster)
        try:
            return await take(LabApp(watcher, cluster, client), stem, size=size, keys=keys)
        finally:
            await client.close()
    finally:
        await watcher.stop()
        await cluster.close()


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
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--shards", default="0-511")
    parser.add_argument("--size", default="140x45")
    parser.add_argument("--press", default="wait:3", help="keys, separated by spaces")
    chosen = parser.parse_args(arguments)
    width, height = (int(number) for number in chosen.size.split("x"))

    async def run() -> list[Path]:
        return await of_real_cluster(
            chosen.stem,
            nodes=chosen.nodes,
            shards=chosen.shards,
            size=(width, height),
            keys=chosen.press.split(),
        )

    for path in asyncio.run(run()):
        print(path)


if __name__ == "__main__":
    main()
