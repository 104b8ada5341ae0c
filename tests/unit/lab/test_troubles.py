"""Faults as words of a scenario: what is written is read, and nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.faults import ClockTrouble, DiskTrouble, FaultKind, LinkTrouble, Rhythm, Trouble
from lab.scenarios.troubles import (
    is_disturbance,
    kind_of,
    kind_word,
    read_trouble,
    read_where,
    trouble_words,
    where_words,
)

MS = st.integers(1, 60_000).map(lambda ms: ms / 1e3)
SHARE = st.integers(1, 100).map(lambda percent: percent / 100)
TROUBLES: dict[FaultKind, st.SearchStrategy[Trouble]] = {
    FaultKind.DELAY: st.builds(LinkTrouble, delay_s=MS, jitter_s=st.one_of(st.just(0.0), MS)),
    FaultKind.LOSS: st.builds(LinkTrouble, drop=SHARE),
    FaultKind.DUPLICATE: st.builds(LinkTrouble, duplicate=SHARE),
    FaultKind.REORDER: st.builds(LinkTrouble, reorder=SHARE),
    FaultKind.BANDWIDTH: st.builds(LinkTrouble, bandwidth_bytes_s=st.integers(1, 10**9).map(float)),
    FaultKind.FLAP: st.builds(Rhythm, period_s=MS),
    FaultKind.CRASH_LOOP: st.builds(Rhythm, period_s=MS),
    FaultKind.SLOW_DISK: st.builds(DiskTrouble, sync_delay_s=MS),
    FaultKind.FAILING_SYNC: st.just(DiskTrouble(fail_sync=True)),
    FaultKind.FULL_DISK: st.just(DiskTrouble(full=True)),
    FaultKind.CLOCK: st.builds(
        ClockTrouble, rate=st.sampled_from([0.5, 1.0, 2.0]), jump_s=st.integers(0, 99).map(float)
    ),
}


def test_every_disturbance_has_words() -> None:
    assert set(TROUBLES) == {kind for kind in FaultKind if is_disturbance(kind)}


@given(st.data(), st.sampled_from(sorted(TROUBLES, key=lambda kind: kind.value)))
def test_what_is_written_is_read(data: st.DataObject, kind: FaultKind) -> None:
    trouble = data.draw(TROUBLES[kind])
    read = read_trouble(kind, trouble_words(trouble).split())
    assert read == pytest.approx(trouble) or repr(read) == repr(trouble) or _near(read, trouble)


def _near(one: Trouble, other: Trouble) -> bool:
    """Say whether two troubles differ by nothing that matters: tenths of a nanosecond."""
    values = [[getattr(each, name) for name in each.__slots__] for each in (one, other)]
    return type(one) is type(other) and values[0] == pytest.approx(values[1], rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [
        (FaultKind.CUT, ("n1", "n2")),
        (FaultKind.CUT_BOTH, ("n1", "n2")),
        (FaultKind.FLAP, ("n3", "n1")),
        (FaultKind.DELAY, ("n3", "n1")),
        (FaultKind.ISOLATE, ("n2",)),
        (FaultKind.SLOW_DISK, ("n2",)),
        (FaultKind.PARTITION, ("n1 n2", "n3 n4", "n5")),
    ],
)
def test_where_is_read_as_it_was_written(kind: FaultKind, nodes: tuple[str, ...]) -> None:
    assert kind_of(kind_word(kind)) is kind
    words = where_words(kind, nodes).split()
    assert read_where(kind, words, lambda word: word) == (nodes, ())
    more = [] if kind is FaultKind.PARTITION else ["x"]
    assert read_where(kind, [*words, *more], lambda word: word)[1] == tuple(more)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.DELAY, "100s"),
        (FaultKind.DELAY, "soon"),
        (FaultKind.DELAY, ""),
        (FaultKind.LOSS, "100ms"),
        (FaultKind.FLAP, "0s"),
        (FaultKind.CLOCK, "x0 +1s"),
        (FaultKind.FULL_DISK, "3s"),
        (FaultKind.KILL, ""),
    ],
)
def test_nonsense_is_refused(kind: FaultKind, words: str) -> None:
    with pytest.raises(ValueError, match=r"is written|not asked for"):
        read_trouble(kind, words.split())


def test_a_link_needs_its_arrow() -> None:
    with pytest.raises(ValueError, match="cut is between two nodes"):
        read_where(FaultKind.CUT, ["n1", "-", "n2"], lambda word: word)
    with pytest.raises(ValueError, match="delay is between two nodes"):
        read_where(FaultKind.DELAY, ["n1", "100ms"], lambda word: word)
