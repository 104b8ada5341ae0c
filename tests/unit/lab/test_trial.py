"""Phi as an instrument: silences as they are folded, and what a threshold makes of them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lab.cluster.interface import NodeState
from lab.faults import Fault, FaultKind, LinkTrouble
from lab.observe.account import Account, Span
from lab.observe.happenings import Happening
from lab.observe.history import SILENCES, SILENCES_S, PhiHistory, Silence
from lab.observe.tape import Picture
from lab.observe.trial import HIGHEST, LOWEST, Trial, stepped, trial
from lab.observe.view import ClusterView, LinkView
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lolraft.multiraft.phi import phi
from tests.lab import demo

T0 = 1_000.0
PAIR = ("n1", "n2")


def view(at_s: float, heard_s: float, *, state: NodeState = NodeState.RUNNING) -> ClusterView:
    """Return what n2 reports at *at_s*: that n1 was last heard *heard_s* ago."""
    link = LinkView(
        sender="n1", receiver="n2", phi=phi(heard_s, 0.1, 0.03), threshold=12.0, mean_s=0.1,
        deviation_s=0.03, last_heard_s=heard_s, round_trip_s=0.001, connected=True,
    )  # fmt: skip
    nodes = (
        demo.node("n1", state, reported_at_s=at_s),
        demo.node("n2", reported_at_s=at_s),
    )
    return ClusterView(now_s=at_s, nodes=nodes, links=MappingProxyType({PAIR: link}))


def seen(*reports: tuple[float, float]) -> PhiHistory:
    history = PhiHistory()
    for after_s, heard_s in reports:
        history = history.after(view(T0 + after_s, heard_s))
    return history


def tried(history: PhiHistory, threshold: float, account: Account | None = None) -> Trial:
    return trial(history, account or Account(), T0 + 60, threshold, PAIR)


# --- silences ------------------------------------------------------------------------------------


def test_a_silence_grows_while_nothing_comes_and_another_one_begins_later() -> None:
    history = seen((0.0, 0.05), (0.25, 0.2), (0.5, 0.45), (0.75, 0.05), (1.0, 0.25))
    first, second = history.silences[PAIR]
    assert (first.from_s, first.lasted_s) == pytest.approx((T0 + 0.05, 0.45))
    assert (second.from_s, second.lasted_s) == pytest.approx((T0 + 0.75, 0.25))


def test_a_report_that_comes_late_begins_no_silence_of_its_own() -> None:
    history = seen((0.25, 0.2), (0.62, 0.45))  # It was sent at 0.5.
    (silence,) = history.silences[PAIR]
    assert silence.lasted_s == pytest.approx(0.45)


def test_a_usual_interval_is_no_silence() -> None:
    history = seen(*((0.25 * turn, 0.02 * (turn % 6)) for turn in range(40)))
    assert history.silences == {}


def test_an_endless_silence_is_remembered_once_and_ends_to_grow() -> None:
    history = seen(*((0.25 * turn, 0.25 * turn) for turn in range(1, 400)))
    (silence,) = history.silences[PAIR]
    assert 2.0 < silence.lasted_s < 2.5
    assert history.after(view(T0 + 101, 101.0)).silences is history.silences


def test_silences_are_forgotten_when_they_are_old_or_many() -> None:
    history = seen((0.25, 0.2), (SILENCES_S + 1, 0.2))
    assert len(history.silences[PAIR]) == 1
    many = seen(*((0.5 * turn, 0.2) for turn in range(SILENCES + 20)))
    assert len(many.silences[PAIR]) == SILENCES


def test_a_sender_that_was_never_heard_is_not_silent() -> None:
    assert PhiHistory().after(view(T0, float("inf"))).silences == {}


# --- trials --------------------------------------------------------------------------------------


def test_a_higher_threshold_is_slower_and_has_fewer_false_alarms() -> None:
    history = seen((0.25, 0.24), (1.0, 0.28), (2.0, 0.33), (3.0, 0.05))
    assert [tried(history, k).false_alarms for k in (4.0, 8.0, 12.0, 20.0)] == [3, 2, 1, 0]


def down(kind: FaultKind, *nodes: str, from_s: float, until_s: float | None) -> Account:
    links = ((nodes[0], nodes[-1]),) if kind is FaultKind.CUT else ()
    fault = Fault(number=1, kind=kind, nodes=nodes, since_s=from_s, mechanism="x", links=links)
    return Account((Span(fault=fault, until_s=until_s),))


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [(FaultKind.PAUSE, ("n1",)), (FaultKind.PAUSE, ("n2",)), (FaultKind.CUT, ("n1", "n2"))],
)
def test_a_silence_that_was_made_is_detected_and_no_false_alarm(
    kind: FaultKind, nodes: tuple[str, ...]
) -> None:
    history = seen((0.5, 0.4), (1.0, 0.05))
    found = tried(history, 8.0, down(kind, *nodes, from_s=T0 + 0.15, until_s=T0 + 0.6))
    assert found.false_alarms == 0
    assert found.detected_s == pytest.approx((0.268,), abs=0.001)
    missed = tried(history, 25.0, down(kind, *nodes, from_s=T0 + 0.15, until_s=T0 + 0.6))
    assert (missed.detected_s, missed.unnoticed) == ((), 1)


@pytest.mark.parametrize(
    "account",
    [
        down(FaultKind.CUT, "n2", "n1", from_s=T0, until_s=None),  # The other way.
        down(FaultKind.PAUSE, "n3", from_s=T0, until_s=None),
        down(FaultKind.PAUSE, "n1", from_s=T0 + 5, until_s=None),
        down(FaultKind.PAUSE, "n1", from_s=T0 - 9, until_s=T0 - 1),
        down(FaultKind.SLOW_DISK, "n1", from_s=T0, until_s=None),
    ],
)
def test_a_fault_of_another_time_or_place_excuses_nothing(account: Account) -> None:
    assert tried(seen((0.5, 0.4)), 8.0, account).false_alarms == 1


def test_a_process_that_did_not_run_was_no_false_alarm_though_nobody_did_it() -> None:
    history = PhiHistory().after(view(T0, 0.4, state=NodeState.EXITED))
    assert tried(history, 8.0).detected_s
    booting = view(T0, 0.4)
    nodes = tuple(
        replace(node, reported_at_s=None) if node.name == "n1" else node for node in booting.nodes
    )
    assert tried(PhiHistory().after(replace(booting, nodes=nodes)), 8.0).detected_s


def test_the_time_that_was_watched_is_said_and_older_silences_do_not_count() -> None:
    history = seen((0.5, 0.4), (100.0, 0.4))
    late = trial(history, Account(), T0 + SILENCES_S + 50, 8.0, PAIR)
    assert (late.false_alarms, late.over_s) == (1, SILENCES_S)
    early = trial(history, Account(), T0 + 100.5, 8.0, PAIR)
    assert (early.false_alarms, early.over_s) == (2, 100.0)


def test_a_trial_is_a_sentence() -> None:
    many = Trial(threshold=8, detected_s=(0.2, 1.0), unnoticed=1, false_alarms=3, over_s=600)
    assert str(many) == (
        "detected in 1.00 s at most (2 falls), 1 fall not noticed, 3 false alarms "
        "in the last 10 min"
    )
    assert str(Trial(threshold=8, over_s=30)) == (
        "nothing fell silent, no false alarm in the last 30 s"
    )


def test_steps_are_whole_and_stay_within_what_makes_sense() -> None:
    assert (stepped(12.0, 1), stepped(8.5, -1)) == (13, 7)
    assert (stepped(HIGHEST, 1), stepped(LOWEST, -1)) == (HIGHEST, LOWEST)


def silence(*, lasted_s: float) -> Silence:
    return Silence(from_s=T0, lasted_s=lasted_s, mean_s=0.1, deviation_s=0.03)


def test_all_pairs_are_tried_together() -> None:
    silences = {PAIR: (silence(lasted_s=0.4),), ("n3", "n2"): (silence(lasted_s=0.5),)}
    since = dict.fromkeys([*silences, ("n2", "n1")], T0)
    history = PhiHistory(silences=silences, since=since)
    assert trial(history, Account(), T0 + 9, 8.0).false_alarms == 2
    assert tried(history, 8.0).false_alarms == 1


# --- a simulated cluster -------------------------------------------------------------------------


async def test_what_was_detected_in_a_simulated_cluster_is_what_its_nodes_told() -> None:
    pictures = [Picture(ClusterView())]

    def take(happening: Happening) -> None:
        pictures[0] = pictures[0].after(happening)

    cluster = SimCluster(seed=7, speed=None)
    watcher = SimWatcher(cluster, on_happening=take)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        await cluster.sleep(10.0)
        calm = pictures[0]
        found = trial(calm.phi, calm.account, calm.view.now_s, 12.0)
        assert (found.detected_s, found.false_alarms) == ((), 0)

        began_s = cluster.now_s()
        await cluster.kill("n1")
        await cluster.sleep(3.0)
        dead = pictures[0]
        for receiver in ("n2", "n3"):
            (told_s,) = [
                event.at_s
                for event in dead.view.events
                if (event.node, event.kind) == (receiver, "suspect") and event.at_s > began_s
            ]
            pair = ("n1", receiver)
            found = trial(dead.phi, dead.account, dead.view.now_s, 12.0, pair)
            (silence,) = dead.phi.silences[pair][-1:]
            assert len(found.detected_s) == 1
            assert silence.from_s + found.detected_s[0] == pytest.approx(told_s, abs=0.02)
            lower = trial(dead.phi, dead.account, dead.view.now_s, 5.0, pair)
            assert lower.detected_s < found.detected_s

        await cluster.restart("n1")
        await cluster.disturb(FaultKind.LOSS, ("n3", "n2"), LinkTrouble(drop=0.6))
        await cluster.sleep(30.0)
        lossy = pictures[0]
        alarms = [
            trial(lossy.phi, lossy.account, lossy.view.now_s, k, ("n3", "n2")).false_alarms
            for k in (2.0, 6.0, 12.0, 30.0)
        ]
        assert alarms == sorted(alarms, reverse=True)
        assert alarms[0] > alarms[-1]
        found = trial(lossy.phi, lossy.account, lossy.view.now_s, 12.0, ("n1", "n2"))
        assert (len(found.detected_s), found.false_alarms) == (1, 0)  # A restart is no alarm.
    finally:
        await watcher.stop()
        await cluster.close()
