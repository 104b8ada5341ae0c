"""`python -m lab.pictures [NAME ...]`, or `./dev pictures`: take the pictures anew."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.pictures.shots import SHOTS
from lab.pictures.take import take

HERE = Path(__file__).parent


def main(names: Sequence[str]) -> int:
    """Take all pictures, or those of these names; bad names are a sentence."""
    unknown = set(names) - {one.name for one in SHOTS}
    if unknown:
        known = ", ".join(one.name for one in SHOTS)
        print(f"no picture is called {', '.join(sorted(unknown))}; there are {known}")
        return 1
    for one in SHOTS:
        if not names or one.name in names:
            path = HERE / f"{one.name}.svg"
            path.write_text(asyncio.run(take(one)))
            print(f"{path}: {path.stat().st_size / 1024:.0f} KiB", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
