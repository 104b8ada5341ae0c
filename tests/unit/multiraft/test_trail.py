"""The hash chain over committed entries: marks, snapshots, what is unknown."""

from __future__ import annotations

import random

from lolraft.multiraft.sessions import Sessions, chain_of
from lolraft.multiraft.trail import UNKNOWN, Trail
from lolraft.raft.log import Log
from lolraft.raft.types import Entries


def entries(first: int, last: int, payload: bytes = b"x") -> Entries:
    count = last - first + 1
    payloads = tuple(payload + str(index).encode() for index in range(first, last + 1))
    return Entries(first, (1,) * count, b"\0" * count, payloads)


def trail(last: int, pieces: int = 1_000_000) -> Trail:
    made, at = Trail(), 1
    while at <= last:
        end = min(last, at + random.Random(at).randrange(1, pieces + 1) - 1)
        made.extend(entries(at, end))
        at = end + 1
    return made


def test_pieces_make_no_difference_and_one_byte_does() -> None:
    assert trail(700).marks() == trail(700, pieces=9).marks()
    other = Trail()
    other.extend(entries(1, 9))
    other.extend(entries(10, 10, b"y"))
    other.extend(entries(11, 700))
    ours, theirs = dict(trail(700).marks()), dict(other.marks())
    assert ours.keys() == theirs.keys()
    assert not set(ours.values()) & set(theirs.values()), "everything after it differs"


def test_replicas_far_apart_have_a_mark_in_common() -> None:
    far = dict(trail(20_000).marks())
    assert len(far) <= 11
    for last in (19_990, 19_400, 18_000, 16_000):
        assert far.keys() & dict(trail(last).marks()).keys(), last


def test_a_snapshot_carries_the_chain() -> None:
    whole, log = trail(300), Log()
    made = entries(1, 300)
    log.append(made.terms, made.kinds, made.payloads)
    value = whole.at(250, log)
    blob = Sessions(100, 10_000).cut(250, value)
    again = Trail(250, chain_of(blob))
    again.extend(entries(251, 300))
    assert again.marks()[-1] == whole.marks()[-1]
    loaded = Sessions(100, 10_000)
    loaded.load(blob, 250)
    assert loaded.cut(250) == Sessions(100, 10_000).cut(250)


def test_a_snapshot_without_one_makes_it_unknown() -> None:
    assert chain_of(b"") == chain_of(Sessions(100, 10_000).cut(5)) == UNKNOWN
    unknown = Trail(5, UNKNOWN)
    unknown.extend(entries(6, 200))
    assert unknown.marks() == ()
    assert unknown.at(100, Log()) == UNKNOWN
