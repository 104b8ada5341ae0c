"""A recording replays to the very picture that was live; damage ends it early, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.apps import kv
from lab.faults import ClockTrouble, DiskTrouble, FaultKind, LinkTrouble
from lab.observe.fold import fold
from lab.observe.happenings import WatchBroke
from lab.observe.recording import MAGIC, Recorder, RecordingError, pack, read
from lab.observe.view import ClusterView, EventView
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher


async def record(path: Path) -> ClusterView:
    """Record a simulated cluster in trouble, and return its last picture."""
    cluster = SimCluster(seed=4, speed=None)
    watcher = SimWatcher(cluster, on_happening=lambda one: recorder.take(one))
    recorder = Recorder(path, watcher.view)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        watcher.select(0, None, 64)
        await cluster.client().write(0, kv.put("a", "1"), timeout_s=20.0)
        await cluster.disturb(FaultKind.DELAY, ("n1", "n2"), LinkTrouble(delay_s=0.01))
        await cluster.disturb(FaultKind.SLOW_DISK, ("n1",), DiskTrouble(sync_delay_s=0.01))
        await cluster.disturb(FaultKind.CLOCK, ("n2",), ClockTrouble(rate=1.01))
        await cluster.kill("n3")
        watcher.note(EventView(at_s=0.0, node="n3", kind="you", text="you: kill n3", by_you=True))
        await cluster.sleep(5.0)
        return watcher.view
    finally:
        await watcher.stop()
        recorder.close()
        await cluster.close()


async def test_a_replay_ends_in_the_picture_that_was_live(tmp_path: Path) -> None:
    live = await record(tmp_path / "f")
    found = read(tmp_path / "f")
    assert not found.ends_early
    assert live.faults, "there was something to record"
    assert live.logs
    assert found.last() == live
    assert repr(found.last()) == repr(live), "also in the order of everything"


async def test_what_is_whole_is_read_wherever_it_is_cut(tmp_path: Path) -> None:
    await record(tmp_path / "f")
    data, whole = (tmp_path / "f").read_bytes(), read(tmp_path / "f")
    head = data.index(b"\n") + 1
    counts = []
    for end in (head, head + 3, head + 40, len(data) // 2, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:end])
        found = read(tmp_path / "cut")
        assert found.ends_early == (end > head)
        assert found.happenings == whole.happenings[: len(found.happenings)]
        counts.append(len(found.happenings))
    assert counts[:3] == [0, 0, 0]
    assert 0 < counts[3] < counts[4] < len(whole.happenings)
    flipped = bytearray(data)
    flipped[-5] ^= 1
    (tmp_path / "cut").write_bytes(flipped)
    assert read(tmp_path / "cut").ends_early


def test_what_was_taken_is_on_disk_before_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "f", ClusterView(title="t", backend="b"))
    broke = [WatchBroke(at_s=at_s, node="n1", reason="gone") for at_s in (1.0, 1.5, 2.0, 2.1)]
    for one in broke:
        recorder.take(one)
    assert read(tmp_path / "f").happenings == tuple(broke[:3]), "the file is still open"
    recorder.close()
    assert (tmp_path / "f").stat().st_size == recorder.size_bytes
    found = read(tmp_path / "f")
    assert (found.first.title, found.first.backend) == ("t", "b")
    assert found.last() == fold(found.first, broke[3])


def test_a_whole_block_that_nobody_can_decode_ends_it_early(tmp_path: Path) -> None:
    for line in (b"{", b"[]", b"{}", b'{"is":"Noted","at_s":1,"event":{}}',
                 b'{"is":"Reported","at_s":1,"node":"n1","update":"////"}'):  # fmt: skip
        recorder = Recorder(tmp_path / "f", ClusterView(title="t", backend="b"))
        recorder.take(WatchBroke(at_s=1.0, node="n1", reason="gone"))
        recorder.flush()
        recorder.take_packed(pack([line]))
        recorder.take(WatchBroke(at_s=9.0, node="n1", reason="gone"))
        recorder.close()
        found = read(tmp_path / "f")
        assert found.ends_early, line
        assert [one.at_s for one in found.happenings] == [1.0], line


def test_what_begins_at_the_start_can_be_read_by_older_labs(tmp_path: Path) -> None:
    Recorder(tmp_path / "f", ClusterView(title="t", backend="b")).close()
    assert b'"version": 1' in (tmp_path / "f").read_bytes()


def test_others_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for data in (b"", b"text\n", MAGIC, MAGIC + b"{}\n", MAGIC + b"[1]\n"):
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=r"no recording|damaged"):
            read(path)
    head = {"version": 4, "title": "", "backend": ""}
    path.write_bytes(MAGIC + json.dumps(head).encode() + b"\n")
    with pytest.raises(RecordingError, match="version 4; this lab reads up to 3"):
        read(path)
