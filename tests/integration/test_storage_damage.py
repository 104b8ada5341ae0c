"""Bytes that rot on the disk: everything is there, or the store refuses and says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lolraft.multiraft.records import Batch, ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.types import Ballot, Entries
from lolraft.storage.columns import before
from lolraft.storage.interface import Corrupted
from lolraft.storage.sqlite import SqliteStorage
from tests.integration.test_storage_kill9 import acknowledged, end, found, known, writer
from tests.unit.storage.writer import ME, Story

SEED = 5
LEAF = 0x0D  # The first byte of a page that holds rows.
States = list[dict[int, ShardRecord]]


def flip_a_bit(raw: bytearray, dice: Random) -> None:
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)


def lose_a_sector(raw: bytearray, dice: Random) -> None:
    at = dice.randrange(len(raw) // 512) * 512
    raw[at : at + 512] = bytes(512)


def garble_a_sector(raw: bytearray, dice: Random) -> None:
    at = dice.randrange(len(raw) // 512) * 512
    raw[at : at + 512] = dice.randbytes(512)


GARBLERS = [flip_a_bit, lose_a_sector, garble_a_sector]
Garbler = Callable[[bytearray, Random], None]


class Crashed:
    """A directory whose writer was killed, and the states that it may be found in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        child = writer(directory, SEED)
        try:
            newest = acknowledged(child, 40)
        finally:
            end(child)
        story = Story(SEED, newest - 3)
        self.older: States = []
        for _ in range(3):
            self.older.append(known(story.records))
            story.next()
        self.whole: States = [known(story.records)]
        story.next()  # Written perhaps, and killed before it could say so.
        self.whole.append(known(story.records))

    def copy(self, to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.directory, to)
        return to


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    return Crashed(tmp_path_factory.mktemp("crashed") / "data")


def garbled(path: Path, garble: Garbler, dice: Random) -> None:
    raw = bytearray(path.read_bytes())
    garble(raw, dice)
    path.write_bytes(raw)


def found_or_refused(directory: Path, allowed: States, case: object) -> bool:
    """
    Return whether the store opened as if nothing had happened: it holds one of *allowed* then.

    Else it says what to do, or that every log may miss its end (S12), which is all that does.
    """
    try:
        there = found(directory)
    except Corrupted:  # Trying again neither heals nor hides it.
        with pytest.raises(Corrupted, match=r"move the directory away.* add it again"):
            found(directory)
        return False
    if any(record.damaged for record in there.values()):
        assert found(directory) == there, f"{case}: trying again neither heals nor hides it"
        assert any(is_start_of(there, whole) for whole in allowed), f"{case}: more is lost"
        return False
    assert there in allowed, f"{case}: acknowledged batches were lost in silence"
    return True


def is_start_of(there: dict[int, ShardRecord], whole: dict[int, ShardRecord]) -> bool:
    """Return whether ballots and snapshots are all there, and of each log the beginning."""
    if there.keys() != whole.keys() or not all(record.damaged for record in there.values()):
        return False
    return all(
        record == replace(whole[shard], entries=before(whole[shard].entries, end), damaged=True)
        for shard, record in there.items()
        for end in [record.entries.last + 1]
    )


@pytest.mark.parametrize("garble", GARBLERS)
def test_a_garbled_journal_is_refused_or_whole(
    crashed: Crashed, tmp_path: Path, garble: Garbler
) -> None:
    opened = 0
    for seed in range(40):
        copy = crashed.copy(tmp_path / "copy")
        garbled(copy / "node.db-wal", garble, Random(seed))
        opened += found_or_refused(copy, crashed.whole, seed)
    assert opened < 40, "nothing was garbled"


@pytest.mark.parametrize("garble", GARBLERS)
def test_a_garbled_journal_after_a_power_cut_loses_the_last_transactions_at_most(
    crashed: Crashed, tmp_path: Path, garble: Garbler
) -> None:
    """Without the shared index, a torn last transaction and a rotten one look the same."""
    for seed in range(40):
        copy = crashed.copy(tmp_path / "copy")
        (copy / "node.db-shm").unlink()
        garbled(copy / "node.db-wal", garble, Random(seed))
        found_or_refused(copy, crashed.whole + crashed.older, seed)


@pytest.mark.parametrize("garble", GARBLERS)
def test_a_garbled_database_is_refused_or_whole(
    crashed: Crashed, tmp_path: Path, garble: Garbler
) -> None:
    settled = crashed.copy(tmp_path / "settled")
    there = found(settled)  # Closing moves the journal into the database.
    assert not (settled / "node.db-wal").exists()
    refused = 0
    for seed in range(60):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(settled, copy)
        garbled(copy / "node.db", garble, Random(seed))
        refused += not found_or_refused(copy, [there], seed)
    assert refused, "nothing was garbled"


def test_every_byte_of_the_journals_head_is_checked(crashed: Crashed, tmp_path: Path) -> None:
    for index in (True, False):
        for at in range(32):
            copy = crashed.copy(tmp_path / "copy")
            if not index:
                (copy / "node.db-shm").unlink()
            garbled(copy / "node.db-wal", lambda raw, _: flip(raw, at), Random(0))  # noqa: B023
            assert not found_or_refused(copy, [], at)


def flip(raw: bytearray, at: int) -> None:
    raw[at] ^= 1


def test_rows_that_fell_out_of_their_page_are_missed(tmp_path: Path) -> None:
    """The number of a leaf's rows goes down by one: every row that is left is whole."""
    store = SqliteStorage(tmp_path / "settled")
    store.open(ME)
    store.load()
    for index in range(1, 9):
        entry = Entries(index, (1,), b"\1", (b"small",))
        save = Save(number=index, ballot=Ballot(index, ME), entries=entry)
        store.commit(
            Batch(number=index, saves=((0, save), (index, Save(number=1, ballot=Ballot(1, ME)))))
        )
    there = known(store.load())
    store.close()
    raw = (tmp_path / "settled" / "node.db").read_bytes()
    leaves = [at for at in range(4096, len(raw), 4096) if raw[at] == LEAF and raw[at + 4] > 1]
    assert len(leaves) == 2, "batches and ballots"
    for leaf in leaves:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / "settled", copy)
        garbled(copy / "node.db", lambda raw, _: one_less(raw, leaf + 4), Random(0))  # noqa: B023
        assert not found_or_refused(copy, [there], leaf)


def one_less(raw: bytearray, at: int) -> None:
    raw[at] -= 1


def test_a_missing_journal_is_refused(crashed: Crashed, tmp_path: Path) -> None:
    copy = crashed.copy(tmp_path / "copy")
    (copy / "node.db-wal").unlink()
    assert not found_or_refused(copy, [], "the journal was deleted")


def test_a_missing_database_beside_its_journal_is_refused(crashed: Crashed, tmp_path: Path) -> None:
    copy = crashed.copy(tmp_path / "copy")
    (copy / "node.db").unlink()
    assert not found_or_refused(copy, [], "the database was deleted")


def test_a_journal_cut_short_by_a_power_cut_is_no_damage(tmp_path: Path, crashed: Crashed) -> None:
    """Whatever length the journal has, what it holds whole is a state that there was."""
    store = SqliteStorage(tmp_path / "fresh")
    store.open(ME)
    least = (tmp_path / "fresh" / "node.db-wal").stat().st_size  # Durable before all else.
    store.close()
    states = [known(Story(SEED, number).records) for number in range(200)]
    dice = Random(SEED)
    for _ in range(30):
        copy = crashed.copy(tmp_path / "copy")
        (copy / "node.db-shm").unlink()
        raw = (copy / "node.db-wal").read_bytes()
        length = dice.randrange(len(raw))
        (copy / "node.db-wal").write_bytes(raw[:length])
        assert found_or_refused(copy, [*states, {}], "cut short") == (length >= least)


def test_a_rotten_directory_that_was_refused_is_left_as_it_was(
    crashed: Crashed, tmp_path: Path
) -> None:
    copy = crashed.copy(tmp_path / "copy")
    journal = copy / "node.db-wal"
    raw = bytearray(journal.read_bytes())
    raw[len(raw) // 2] ^= 1
    journal.write_bytes(raw)
    for _ in range(2):
        with pytest.raises(Corrupted):
            SqliteStorage(copy).open(ME)
        assert journal.read_bytes() == raw
