"""Phi over the last minutes, folded from the pictures: views hold only phi's newest value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lab.observe.view import ClusterView

BUCKET_S = 1.0
KEPT = 120
HIGHEST = 99.0

Track = tuple[tuple[int, float], ...]  # (bucket, worst phi within it), oldest first.


@dataclass(frozen=True, slots=True)
class PhiHistory:
    """The worst phi of each second for every link (sender, receiver)."""

    tracks: Mapping[tuple[str, str], Track] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, view: ClusterView) -> PhiHistory:
        """Return the history with *view* in it; a paused or dead receiver adds nothing."""
        now = int(view.now_s / BUCKET_S)
        running = {node.name for node in view.nodes if node.state == "running"}
        tracks = dict(self.tracks)
        changed = False
        for pair, link in view.links.items():
            if link.receiver not in running:
                continue
            track = tracks.get(pair, ())
            added = _add(track, now, _drawable(link.phi))
            if added is not track:
                tracks[pair] = added
                changed = True
        return PhiHistory(MappingProxyType(tracks)) if changed else self

    def bars(self, pair: tuple[str, str], now_s: float, width: int) -> list[float | None]:
        """Return *width* seconds up to now, oldest first; None where nothing was seen."""
        last = int(now_s / BUCKET_S)
        known = dict(self.tracks.get(pair, ()))
        return [known.get(bucket) for bucket in range(last - width + 1, last + 1)]


def _drawable(phi: float) -> float:
    """Return phi as a bar's height: a peer long silent has an infinite one."""
    return min(phi, HIGHEST) if phi >= 0 else 0.0


def _add(track: Track, bucket: int, phi: float) -> Track:
    if track and track[-1][0] == bucket:
        if phi <= track[-1][1]:
            return track
        return (*track[:-1], (bucket, phi))
    return (*track, (bucket, phi))[-KEPT:]
