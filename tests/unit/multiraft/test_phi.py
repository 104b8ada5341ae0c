"""The detector: which silences make samples, and when a peer is suspected (PROTOCOL L3 to L5)."""

from __future__ import annotations

import math

import pytest

from lolraft.multiraft.phi import Detector

INTERVAL_S = 0.1


def steady(beats: int = 20, interval_s: float = INTERVAL_S) -> tuple[Detector, float]:
    """Return a detector that heard regular beats, and the time of the last."""
    detector, now_s = Detector(INTERVAL_S, 12.0), 0.0
    for seq in range(1, beats + 1):
        now_s = seq * interval_s
        detector.heard(now_s, seq)
    return detector, now_s


def test_a_peer_never_heard_is_suspected() -> None:
    detector = Detector(INTERVAL_S, 12.0)
    assert detector.suspects(0.0)
    assert detector.phi(0.0) == math.inf


@pytest.mark.parametrize(("interval_s", "mean_s"), [(0.001, 0.05), (0.9, 0.3)])
def test_samples_are_clamped(interval_s: float, mean_s: float) -> None:
    """Half an interval at the least and three at the most (L3)."""
    detector, now_s = Detector(INTERVAL_S, 12.0), 0.0
    for seq in range(1, 30):
        now_s += interval_s
        detector.heard(now_s, seq)
    assert detector.mean_s == pytest.approx(mean_s)


def test_an_interval_that_ended_in_suspicion_is_no_sample() -> None:
    """Or one long pause would delay the next suspicion for a whole window (L3)."""
    detector, now_s = steady()
    assert detector.suspects(now_s + 30.0)
    detector.heard(now_s + 30.0, 21)
    assert detector.mean_s == pytest.approx(INTERVAL_S)
    assert not detector.suspects(now_s + 30.0)


def test_beats_that_are_read_together_are_one_sample() -> None:
    """They waited in one buffer; their distance says nothing of the peer (L3)."""
    detector, now_s = steady()
    for seq in range(21, 40):
        detector.heard(now_s + INTERVAL_S, seq)
    assert detector.mean_s == pytest.approx(INTERVAL_S)


def test_the_deviation_has_a_floor() -> None:
    """A perfect rhythm must not make a hair's delay look like death (L3)."""
    detector, _ = steady(100)
    assert detector.deviation_s == pytest.approx(0.3 * INTERVAL_S)


@pytest.mark.parametrize("interval_s", [0.05, 0.1, 0.3])
def test_suspicion_comes_after_two_intervals_and_within_a_second(interval_s: float) -> None:
    """Whatever the rhythm was (L3)."""
    detector, now_s = steady(60, interval_s)
    assert not detector.suspects(now_s + 2 * INTERVAL_S - 0.001)
    assert detector.suspects(now_s + 1.0)


def test_a_read_round_makes_no_sample_and_ends_the_silence() -> None:
    """Rounds go out when somebody reads, which is no rhythm (L4)."""
    detector, now_s = steady()
    for number in range(100):
        detector.heard(now_s + 0.001 * number)
    assert detector.mean_s == pytest.approx(INTERVAL_S)
    assert detector.elapsed_s(now_s + 0.1) == pytest.approx(0.001)


def test_only_consecutive_beats_make_samples() -> None:
    """A round took the number between, or a beat was lost (L4)."""
    detector, now_s = steady()
    for seq in range(22, 80, 2):
        now_s += 0.2
        detector.heard(now_s, seq)
    assert detector.mean_s == pytest.approx(INTERVAL_S)


def test_a_node_that_slept_begins_every_silence_anew() -> None:
    """A late loop is not a dead world (L5)."""
    detector, now_s = steady()
    detector.restart(now_s + 5.0)
    assert not detector.suspects(now_s + 5.1)
    assert detector.suspects(now_s + 6.1)
    assert detector.mean_s == pytest.approx(INTERVAL_S)


def test_who_was_never_heard_is_not_heard_by_sleeping() -> None:
    detector = Detector(INTERVAL_S, 12.0)
    detector.restart(5.0)
    assert detector.suspects(5.0)
