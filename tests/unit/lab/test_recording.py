"""A recording replays to the very picture that was live; damage ends it early, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.apps import kv
from lab.faults import ClockTrouble, DiskTrouble, Fault, FaultKind, LinkTrouble
from lab.observe.account import Account, Span
from lab.observe.fold import fold
from lab.observe.foresee import Consequence
from lab.observe.happenings import Began, WatchBroke
from lab.observe.history import PhiHistory, Silence
from lab.observe.plain import from_plain, to_plain
from lab.observe.recording import MAGIC, Recorder, RecordingError, decode, encode, pack, read
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


def test_what_an_earlier_version_did_not_know_has_its_default() -> None:
    tracks = [[["n1", "n2"], [[1000, 0.5]]]]
    history = from_plain(PhiHistory, ["PhiHistory", tracks])
    assert history.tracks == {("n1", "n2"): ((1000, 0.5),)}
    assert (history.silences, history.since) == ({}, {})


def test_more_than_is_known_is_no_value_of_that_kind() -> None:
    plain = to_plain(PhiHistory())
    assert from_plain(PhiHistory, plain) == PhiHistory()
    with pytest.raises(ValueError, match="has no 4 fields"):
        from_plain(PhiHistory, [*plain, []])


def test_silences_and_what_was_foreseen_survive_a_recording() -> None:
    silence = Silence(from_s=1.0, lasted_s=0.4, mean_s=0.1, deviation_s=0.03, down=True)
    history = PhiHistory(silences={("n1", "n2"): (silence,)}, since={("n1", "n2"): 0.5})
    fault = Fault(number=1, kind=FaultKind.KILL, nodes=("n1",), since_s=1.0, mechanism="SIGKILL")
    expected = Consequence(elections=3, name="n1", leads=3, threshold=12.0, left=2, nodes=3)
    account = Account((Span(fault=fault, expected=expected),), None, None)
    begun = Began(at_s=2.0, view=ClusterView(), phi=history, account=account)
    assert decode(encode(begun)) == begun
