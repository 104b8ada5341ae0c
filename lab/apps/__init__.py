"""Apps to play with: the counter of lolraft 0.10.2's tests, and a key-value store."""

from __future__ import annotations

from collections.abc import Callable

from lab.apps import counter, kv


def describer(app: str) -> Callable[[bytes], str]:
    """Return how to say in one short line what a command of *app* does."""
    known = {"counter": counter.describe, "kv": kv.describe}
    return known.get(app, lambda message: f"{len(message)} B")
