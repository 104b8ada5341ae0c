"""The fold over what rarely happens: shards that go, watches that break, odd reports."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.cluster.interface import NodeState
from lab.observe.fold import MOST_EVENTS, MOST_HISTORY, MOST_LINES, fold
from lab.observe.happenings import (
    ClusterChanged,
    Happening,
    LogsFetched,
    Noted,
    Reported,
    Ticked,
    WatchBroke,
)
from lab.observe.shards import Shards
from lab.observe.view import ClusterView, EventView
from lolraft.rpc.pb import observe_pb2
from tests.unit.lab.test_fold import IDS, NAMES, handles, picture, update


def report(view: ClusterView, name: str, at_s: float, sent: observe_pb2.Update) -> ClusterView:
    return fold(view, Reported(at_s=at_s, node=name, update=sent))


def elected(*shards: int, at_s: float, step_s: float = 0.0) -> tuple[observe_pb2.NodeEvent, ...]:
    return tuple(
        observe_pb2.NodeEvent(
            wall_s=at_s + step_s * position, kind="elected", text="x", shard_id=shard, term=7
        )
        for position, shard in enumerate(shards)
    )


# --- shards --------------------------------------------------------------------------------------


def test_a_shard_whose_leader_dropped_it_is_not_led_any_more() -> None:
    view = picture()
    gone = observe_pb2.Update(node=observe_pb2.NodeFacts(epoch=1), gone_shards=[0])
    view = report(view, "n1", 10.5, gone)
    shard = view.shards[0]
    assert set(shard.replicas) == {"n2", "n3"}
    assert (shard.leader, shard.status) == (None, "no-leader")
    node = view.node("n1")
    assert node is not None
    assert (node.leading, node.following) == (0, 0)
    for name in ("n2", "n3"):
        view = report(view, name, 10.6, gone)
    assert not view.shards


def test_a_full_report_is_all_that_a_node_has() -> None:
    view = picture(shards=3)
    view = report(view, "n1", 10.5, update("n1", role="leader", shards=1))
    assert set(view.shards[0].replicas) == set(NAMES)
    assert set(view.shards[2].replicas) == {"n2", "n3"}
    assert view.shards[2].status == "no-leader"


def test_a_change_leaves_other_shards_and_nodes_alone() -> None:
    view = picture(shards=3)
    sent = update("n2", last=9, full=False)
    after = report(view, "n2", 10.5, sent)
    assert after.shards[0].replicas["n2"].last_index == 9
    assert after.shards[0].replicas["n3"] == view.shards[0].replicas["n3"]
    assert after.shards[1] is view.shards[1]


def test_a_restarted_node_reports_its_new_life() -> None:
    view = picture()
    view = fold(view, ClusterChanged(at_s=11.0, nodes=handles(n1=NodeState.KILLED), faults=()))
    view = fold(view, ClusterChanged(at_s=12.0, nodes=handles(), faults=()))
    assert view.shards[0].leader is None, "its last word was said by the process before"
    sent = update("n1", last=2)
    sent.node.epoch, sent.node.commits = 2, 0
    view = report(view, "n1", 12.1, sent)
    node = view.node("n1")
    assert node is not None
    assert (node.epoch, node.commits_per_s, view.verdict) == (2, 0.0, "SAFE")
    assert view.shards[0].leader is None


def test_commits_a_second_are_those_of_the_reports() -> None:
    view = report(picture(), "n1", 12.0, update("n1", role="leader", last=25))
    node = view.node("n1")
    assert node is not None
    assert node.commits_per_s == (25 - 5) / 2.0
    again = report(view, "n1", 13.0, update("n1", role="leader", last=25))
    sent = update("n1", role="leader", last=25)
    sent.node.epoch, sent.node.commits = 2, 3  # Counted anew since it started again.
    for number in (again, report(again, "n1", 14.0, sent)):
        node = number.node("n1")
        assert node is not None
        assert node.commits_per_s == 0.0


# --- events --------------------------------------------------------------------------------------


def test_a_watch_dialled_anew_repeats_no_gathered_events() -> None:
    """Elections of 0.3 s are one line; dialled anew, the node tells all of them again."""
    events = elected(*range(31), at_s=9.0, step_s=0.01)
    view = picture()
    for _ in range(3):
        view = report(view, "n1", 10.5, update("n1", role="leader", events=events))
    assert [(event.count, event.shard_id) for event in view.events] == [(31, None)]
    later = elected(5, at_s=12.0)
    view = report(view, "n1", 12.1, update("n1", role="leader", events=events + later))
    assert [event.count for event in view.events] == [31, 1]


def test_events_of_before_the_watch_go_where_they_belong() -> None:
    view = report(picture(), "n1", 10.5, update("n1", full=False, events=elected(1, at_s=10.4)))
    view = report(view, "n2", 10.6, update("n2", events=elected(2, at_s=3.0)))
    assert [event.at_s for event in view.events] == [3.0, 10.4]


def test_events_of_different_kinds_nodes_and_moments_stay_apart() -> None:
    view = report(picture(), "n1", 10.5, update("n1", full=False, events=elected(1, at_s=10.0)))
    view = report(view, "n2", 10.5, update("n2", full=False, events=elected(2, at_s=10.0)))
    view = report(view, "n1", 12.5, update("n1", full=False, events=elected(3, at_s=12.0)))
    down = observe_pb2.NodeEvent(wall_s=12.0, kind="stepped_down", text="y", shard_id=4)
    view = report(view, "n1", 12.6, update("n1", full=False, events=(down,)))
    assert [event.count for event in view.events] == [1, 1, 1, 1]


def test_what_you_did_is_never_gathered() -> None:
    view = picture()
    for _ in range(2):
        note = EventView(at_s=11.0, node="n1", kind="you", text="cut", shard_id=0, by_you=True)
        view = fold(view, Noted(at_s=11.0, event=note))
    assert len(view.events) == 2


def test_nothing_grows_without_end() -> None:
    view = picture()
    for number in range(3):
        sent = update("n1", role="leader", full=False)
        for line in range(MOST_LINES // 2):
            sent.log_lines.add(wall_s=float(line), level="INFO", text=f"{number} {line}")
        for event in range(MOST_EVENTS // 2 + 1):
            sent.events.add(wall_s=number * 1e6 + event * 10.0, kind="node", text="x")
        view = report(view, "n1", 11.0 + number, sent)
    assert len(view.log_lines) == MOST_LINES
    assert view.log_lines[-1].text == f"2 {MOST_LINES // 2 - 1}"
    assert len(view.events) == MOST_EVENTS
    for number in range(MOST_HISTORY + 9):
        view = report(view, "n2", 20.0 + number, update("n2", full=False))
    node = view.node("n2")
    assert node is not None
    assert len(node.cpu_history) == MOST_HISTORY


# --- oddities ------------------------------------------------------------------------------------


def test_a_node_that_nobody_knows_changes_nothing_but_the_time() -> None:
    view = picture()
    after = report(view, "n9", 10.1, update("n1"))
    assert (after.nodes, after.shards, after.links) == (view.nodes, view.shards, view.links)


def test_time_does_not_go_back() -> None:
    view = fold(picture(at_s=10.0), Ticked(at_s=9.0))
    assert view.now_s == 10.0
    view = fold(view, WatchBroke(at_s=8.0, node="n1", reason="x"))
    assert view.now_s == 10.0


def test_links_to_strangers_and_of_nodes_that_left_are_not_kept() -> None:
    sent = update("n1", role="leader")
    sent.peers.add(peer="http://stranger:1", phi=1.0)
    view = report(picture(), "n1", 10.5, sent)
    assert set(view.links) == {(a, b) for a in NAMES for b in NAMES if a != b}
    view = fold(view, ClusterChanged(at_s=10.6, nodes=handles()[:2], faults=()))
    assert set(view.links) == {("n1", "n2"), ("n2", "n1")}


NUMBERS = st.integers(0, 2**64 - 1) | st.integers(0, 9)
FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -1.0, 10.0])
WORDS = st.text(max_size=12) | st.sampled_from([*IDS.values(), "leader", "candidate", "elected"])
FACTS = st.builds(
    observe_pb2.ShardFacts,
    shard_id=st.integers(0, 3),
    role=WORDS,
    term=NUMBERS,
    leader_id=WORDS,
    voted_for=WORDS,
    commit_index=NUMBERS,
    last_index=NUMBERS,
    voters=st.lists(WORDS, max_size=3),
    outgoing=st.lists(WORDS, max_size=3),
    match_index=st.dictionaries(WORDS, NUMBERS, max_size=3),
)
UPDATES = st.builds(
    observe_pb2.Update,
    full=st.booleans(),
    wall_s=FLOATS,
    node=st.builds(
        observe_pb2.NodeFacts,
        node_id=WORDS,
        epoch=NUMBERS,
        cpu=FLOATS,
        uptime_s=FLOATS,
        commits=NUMBERS,
    ),
    peers=st.lists(st.builds(observe_pb2.PeerFacts, peer=WORDS, phi=FLOATS), max_size=3),
    shards=st.lists(FACTS, max_size=3),
    gone_shards=st.lists(st.integers(0, 3), max_size=2),
    events=st.lists(
        st.builds(
            observe_pb2.NodeEvent,
            wall_s=FLOATS,
            kind=WORDS,
            text=WORDS,
            shard_id=st.none() | st.integers(0, 3),
            term=NUMBERS,
        ),
        max_size=3,
    ),
    log_lines=st.lists(st.builds(observe_pb2.LogLine, wall_s=FLOATS, text=WORDS), max_size=2),
)
HAPPENINGS = st.one_of(
    st.builds(Reported, at_s=FLOATS, node=st.sampled_from(NAMES), update=UPDATES),
    st.builds(Ticked, at_s=FLOATS),
    st.builds(LogsFetched, at_s=FLOATS, shard_id=st.integers(0, 3), logs=st.just(())),
    st.builds(
        ClusterChanged,
        at_s=FLOATS,
        nodes=st.sampled_from([handles(), handles(n2=NodeState.KILLED), handles()[1:]]),
        faults=st.just(()),
    ),
)


@settings(max_examples=150, deadline=None)
@given(happenings=st.lists(HAPPENINGS, max_size=8))
def test_no_report_however_odd_breaks_the_picture(happenings: list[Happening]) -> None:
    view = picture()
    for happening in happenings:
        view = fold(view, happening)
        assert view.verdict in ("SAFE", "UNSAFE", "UNKNOWN")
        assert not math.isnan(view.now_s)
        assert isinstance(view.shards, Shards)
        whole = Shards(dict(view.shards))
        assert list(view.shards) == sorted(view.shards)
        assert (view.shards.sick, view.shards.leads) == (whole.sick, whole.leads)
        for node in (one for one in view.nodes if one.reported_at_s is not None):
            own = [one.replicas[node.name] for one in whole.values() if node.name in one.replicas]
            leading = sum(replica.role == "leader" for replica in own)
            assert (node.leading, node.following) == (leading, len(own) - leading)
