"""The memory of what clients were answered: a function of the log, cut at any index (§6.3, S10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.multiraft.commands import (
    MOST_UNANSWERED,
    Registration,
    RequestId,
    WriteId,
    decode,
    encode,
    is_whole,
    message_start,
)
from lolraft.multiraft.memory import NEVER, Damaged
from lolraft.multiraft.registered import ANSWERED, EXPIRED
from lolraft.multiraft.sessions import PRUNE_EVERY, SLACK, Sessions
from lolraft.raft.effects import Code

Log = list[RequestId]
"""The ids of the commands from index 2 on."""


def nonce(number: int) -> Registration:
    return Registration(bytes([number]) * 16)


def replay(sessions: Sessions, log: Log, first: int, last: int) -> list[tuple[int, str, bytes]]:
    """Take the commands *first* to *last* and answer each; return what their clients see."""
    seen = []
    for index in range(first, last + 1):
        row = sessions.note(index, 10, log[index - 2])
        if row.index == index:
            row.code, row.answer = Code.OK, b"executed at %d" % index
        assert row.code is not None
        seen.append((index, row.code.name, row.answer))
    return seen


def see(log: Log, entries: int = 100, bytes_: int = 10_000) -> list[tuple[int, str, bytes]]:
    return replay(Sessions(entries, bytes_), log, 2, len(log) + 1)


def answers(log: Log, entries: int = 100) -> list[bytes]:
    return [answer for _, _, answer in see(log, entries)]


# --- one session ---------------------------------------------------------------------------------


def test_a_sequence_is_executed_once_and_answered_the_same() -> None:
    log = [nonce(1), WriteId(2, 1, 1), WriteId(2, 1, 1), WriteId(2, 2, 1), WriteId(2, 1, 1)]
    first, second = b"executed at 3", b"executed at 5"
    assert answers(log) == [b"2", first, first, second, first]


def test_sequences_may_overtake_one_another() -> None:
    log = [nonce(1), WriteId(2, 3, 1), WriteId(2, 1, 1), WriteId(2, 2, 2), WriteId(2, 3, 2)]
    assert answers(log)[1:4] == [b"executed at 3", b"executed at 4", b"executed at 5"]
    assert answers(log)[4] == b"executed at 3"


def test_what_lies_below_the_lowest_unanswered_is_never_executed_again() -> None:
    """Neither what was executed before, nor what was given up and arrives late."""
    log = [nonce(1), WriteId(2, 1, 1), WriteId(2, 3, 3), WriteId(2, 1, 1), WriteId(2, 2, 1)]
    seen = see(log)
    assert [code for _, code, _ in seen] == ["OK", "OK", "OK", "OUT_OF_RANGE", "OUT_OF_RANGE"]
    assert {answer for _, _, answer in seen[3:]} == {ANSWERED.answer}


def test_the_lowest_unanswered_never_goes_back() -> None:
    log = [nonce(1), WriteId(2, 5, 5), WriteId(2, 6, 2), WriteId(2, 4, 2)]
    assert answers(log)[-1] == ANSWERED.answer


def test_a_registration_that_is_repeated_finds_its_session() -> None:
    log = [nonce(1), nonce(2), nonce(1), WriteId(2, 1, 1), nonce(2)]
    assert answers(log) == [b"2", b"3", b"2", b"executed at 5", b"3"]


def test_nobody_has_a_session_that_he_did_not_register() -> None:
    assert answers([WriteId(2, 1, 1), WriteId(7, 1, 1)]) == [EXPIRED.answer] * 2


def test_a_session_expires_so_many_entries_after_its_last_write() -> None:
    """Counted by index: entries that are no command, or of no session, count too."""
    for idle, expected in ((10, b"executed at 13"), (11, EXPIRED.answer)):
        log: Log = [nonce(1), WriteId(2, 1, 1), *[f"r{n}" for n in range(idle - 1)]]
        log.append(WriteId(2, 2, 2))
        assert answers(log, entries=10)[-1] == expected


def test_a_gap_in_the_commands_counts_by_index() -> None:
    sessions = Sessions(10, 1000)
    sessions.note(2, 10, nonce(1))
    assert sessions.note(12, 10, WriteId(2, 1, 1)).index == 12
    assert sessions.note(23, 10, WriteId(2, 2, 2)) is EXPIRED


def test_an_expired_session_stays_so_and_its_nonce_registers_another() -> None:
    sessions = Sessions(10, 1000)
    sessions.note(2, 10, nonce(1))
    assert sessions.note(13, 10, WriteId(2, 1, 1)) is EXPIRED
    assert sessions.note(14, 10, nonce(1)).answer == b"14"
    assert sessions.note(15, 10, WriteId(2, 1, 1)) is EXPIRED
    assert sessions.note(16, 10, WriteId(14, 1, 1)).index == 16


def test_what_is_refused_does_not_keep_a_session_alive() -> None:
    sessions = Sessions(10, 1000)
    sessions.note(2, 10, nonce(1))
    sessions.note(3, 10, WriteId(2, 5, 5))
    assert sessions.note(12, 10, WriteId(2, 1, 1)) is ANSWERED
    assert sessions.note(14, 10, WriteId(2, 6, 6)) is EXPIRED


# --- opaque ids ----------------------------------------------------------------------------------


def test_an_opaque_id_is_one_request_until_it_is_forgotten() -> None:
    """By entries of the shard: after ten it is still known, after eleven it is a new request."""
    for others, expected in ((9, b"executed at 2"), (10, b"executed at 13")):
        log: Log = ["same", *[f"r{n}" for n in range(others)], "same"]
        assert answers(log, entries=10)[-1] == expected


def test_an_opaque_id_is_forgotten_after_so_many_bytes_of_commands_too() -> None:
    for others, expected in ((5, b"executed at 2"), (6, b"executed at 9")):
        log: Log = ["same", *[f"r{n}" for n in range(others)], "same"]
        assert see(log, 100, bytes_=50)[-1][2] == expected


# --- its size ------------------------------------------------------------------------------------


def test_answers_that_were_taken_are_forgotten() -> None:
    sessions = Sessions(100_000, 10**9)
    sessions.note(2, 10, nonce(1))
    for number in range(1, 3 * SLACK):
        row = sessions.note(number + 2, 10, WriteId(2, number, max(1, number - 3)))
        row.code = Code.OK
    (session,) = sessions.registered._by_id.values()
    assert len(session.rows) <= SLACK + PRUNE_EVERY + 5
    assert len(sessions.registered._recent) <= SLACK + PRUNE_EVERY


def test_a_jump_of_the_lowest_costs_no_walk_over_what_was_skipped() -> None:
    sessions = Sessions(5, 1000)
    sessions.note(2, 10, nonce(1))
    far = 2**61
    for index, sequence in enumerate((1, 2, far, far + 1), 3):
        sessions.note(index, 10, WriteId(2, sequence, sequence)).code = Code.OK
    for index in range(7, 17, 4):
        sessions.note(index, 10, WriteId(2, far + index, far + index)).code = Code.OK
    (session,) = sessions.registered._by_id.values()
    assert all(sequence >= far for sequence in session.rows)


def test_sessions_that_expired_are_forgotten() -> None:
    sessions = Sessions(20, 1000)
    for index in range(2, 400):
        sessions.note(index, 10, Registration(b"%16d" % index))
    assert len(sessions.registered) <= 2 * 20 + 20 + 1


# --- snapshots -----------------------------------------------------------------------------------

ids = st.one_of(
    st.builds(nonce, st.integers(1, 3)),
    st.builds(
        lambda session, sequence, back: WriteId(session, sequence, max(1, sequence - back)),
        st.integers(2, 12),
        st.integers(1, 6),
        st.integers(0, 3),
    ),
    st.sampled_from(["a", "b", "c", "d"]),
)


@given(log=st.lists(ids, min_size=1, max_size=60), data=st.data(), entries=st.integers(1, 12))
def test_replicas_that_start_from_different_snapshots_agree_on_every_answer(
    log: Log, data: st.DataObject, entries: int
) -> None:
    last = len(log) + 1
    whole = see(log, entries, 100)
    first = data.draw(st.integers(1, last), label="first snapshot")
    noted = data.draw(st.integers(first, last), label="was ahead at the first")
    second = data.draw(st.integers(first, last), label="second snapshot")
    ahead = Sessions(entries, 100)
    replay(ahead, log, 2, noted)
    if first < ahead.floor:
        return  # Too old to be cut: no snapshot is taken of it.
    one = Sessions(entries, 100)
    one.load(ahead.cut(first), first)
    exact = Sessions(entries, 100)
    replay(exact, log, 2, first)
    assert ahead.cut(first) == exact.cut(first), "as if it had stopped there"
    assert replay(one, log, first + 1, second) == whole[first - 1 : second - 1]
    two = Sessions(entries, 100)
    two.load(one.cut(second), second)
    assert replay(two, log, second + 1, last) == whole[second - 1 :]


def remember(sessions: Sessions, index: int) -> None:
    row = sessions.note(index, 10, f"r{index}" if index % 2 else WriteId(2, index, index - 1))
    row.code = Code.OK


def test_what_a_snapshot_needs_stays_while_it_is_made() -> None:
    kept, pruned = Sessions(5000, 10**9), Sessions(5000, 10**9)
    for sessions in (kept, pruned):
        sessions.note(2, 10, nonce(1))
        for index in range(3, 202):
            remember(sessions, index)
    as_of_then = kept.cut(201)
    kept.hold = 201
    for index in range(202, 202 + 2 * SLACK):
        remember(kept, index)
        remember(pruned, index)
    assert kept.floor <= 201
    assert kept.cut(201) == as_of_then
    assert pruned.floor > 201, "without the hold it is forgotten"
    kept.hold = NEVER
    for index in range(202 + 2 * SLACK, 203 + 2 * SLACK + PRUNE_EVERY):
        remember(kept, index)
    assert kept.floor > 201


def some() -> Sessions:
    sessions = Sessions(100, 1000)
    for index, name in enumerate((nonce(1), WriteId(2, 1, 1), "x", "y", WriteId(2, 2, 1)), 2):
        row = sessions.note(index, 10, name)
        row.code, row.answer = Code.OK, b"%d" % index
    return sessions


def test_every_damage_is_noticed() -> None:
    blob = some().cut(6)
    for position in range(len(blob)):
        for damaged in (blob[:position], blob[:position] + b"?" + blob[position + 1 :]):
            if damaged in (blob, b""):
                continue
            sessions = some()
            with pytest.raises(Damaged):
                sessions.load(damaged, 6)
            assert sessions.cut(6) == blob, "nothing has changed"
    with pytest.raises(Damaged):
        some().load(blob + b"x", 6)


def test_no_bytes_are_no_memory() -> None:
    sessions = some()
    sessions.load(b"", 1)
    assert sessions.note(7, 10, "x").index == 7
    assert sessions.floor == 1


# --- what carries an id --------------------------------------------------------------------------


def test_ids_of_all_kinds_travel_in_an_entry() -> None:
    for name in ("", "opaque", "é" * 500, WriteId(9, 4, 3)):
        payload = encode(name, b"message")
        assert is_whole(payload)
        assert decode(payload) == (name, b"message")
        assert payload[message_start(payload) :] == b"message"
    payload = encode(nonce(7), b"")
    assert is_whole(payload)
    assert decode(payload) == (nonce(7), b"")
    assert message_start(payload) == len(payload)


BAD: list[WriteId] = [
    WriteId(0, 1, 1),
    WriteId(2, 0, 0),
    WriteId(2, 3, 0),
    WriteId(2, 3, 4),
    WriteId(2, 2**63, 2**63),
    WriteId(2, MOST_UNANSWERED + 1, 1),
]


@pytest.mark.parametrize("name", BAD, ids=repr)
def test_an_id_that_no_client_sends_is_no_whole_command(name: WriteId) -> None:
    assert not is_whole(encode(name, b"x"))
    assert not is_whole(encode(nonce(1), b"")[:-1])
