"""The file of a run: from the beginning of the tape, as long as is wished; a full disk ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.attach import taped
from lab.cluster.interface import ClusterError
from lab.observe.deck import Deck
from lab.observe.fold import fold
from lab.observe.happenings import Noted, Ticked
from lab.observe.recording import Recorder, read
from lab.observe.view import ClusterView, EventView
from lab.sim.cluster import SimCluster

FIRST = ClusterView(title="docker:lab 3/ü", backend="docker", verdict="UNKNOWN")


def tick(deck: Deck, *times_s: float) -> None:
    for at_s in times_s:
        happening = Ticked(at_s=at_s)
        deck.take(happening, fold(deck.tape.newest.view, happening))


def test_a_file_has_what_was_before_and_until_it_is_stopped(tmp_path: Path) -> None:
    deck = Deck(FIRST, folder=tmp_path)
    tick(deck, 10.0, 20.0)
    path = deck.record()
    tick(deck, 30.0)
    assert deck.recorded is not None
    assert (deck.recorded.path, deck.recorded.length_s) == (path, 20.0)
    tick(deck, 31.0)
    done = deck.stop()
    tick(deck, 40.0)
    assert done is not None
    assert done.size_bytes == path.stat().st_size
    assert [one.at_s for one in read(path).happenings] == [10.0, 20.0, 30.0, 31.0]
    assert deck.recorded is None
    assert deck.stop() is None


def test_the_length_of_a_file_is_that_of_all_of_it_though_the_tape_forgets(tmp_path: Path) -> None:
    deck = Deck(FIRST, folder=tmp_path)
    deck.record(tmp_path / "f")
    tick(deck, *(10.0 + number for number in range(2_000)))
    assert deck.tape.start > 0
    assert deck.recorded is not None
    assert deck.recorded.length_s == 1_999.0
    deck.stop()
    assert len(read(tmp_path / "f").happenings) == 2_000


def test_names_are_new_and_hold_nothing_odd(tmp_path: Path) -> None:
    deck = Deck(FIRST, folder=tmp_path)
    paths = set()
    for _ in range(3):
        paths.add(deck.record())
        deck.stop()
    assert len(paths) == 3
    assert all(path.name.startswith("docker-lab-3-") for path in paths)


def test_a_full_disk_ends_the_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = Deck(FIRST, folder=tmp_path)
    deck.record()

    def full(recorder: Recorder, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Recorder, "_write", full)
    tick(deck, 10.0, 20.0)
    assert "No space left on device" in deck.broken
    assert deck.recorded is None
    event = EventView(at_s=30.0, node=None, kind="violation", text="broken")
    happening = Noted(at_s=30.0, event=event)
    deck.take(happening, fold(deck.tape.newest.view, happening))
    assert deck.saved is None
    assert deck.tape.end == 3


async def test_a_file_that_cannot_be_written_is_said_before_the_cluster_starts(
    tmp_path: Path,
) -> None:
    cluster = SimCluster(seed=1)
    try:
        with pytest.raises(ClusterError, match="no recording can be written"):  # noqa: SIM117
            with taped(cluster, tmp_path / "none" / "f"):
                pass
    finally:
        await cluster.close()
