"""The picture is a pure fold of what nodes say: statuses, verdict, ages, grouping."""

from __future__ import annotations

from lab.cluster.interface import NodeHandle, NodeState
from lab.observe.fold import fold
from lab.observe.happenings import ClusterChanged, LogsFetched, Noted, Reported, Ticked
from lab.observe.view import ClusterView, EventView, LogView
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2

NAMES = ("n1", "n2", "n3")
IDS = {name: f"http://{name}:1" for name in NAMES}


def handles(**states: NodeState) -> tuple[NodeHandle, ...]:
    return tuple(
        NodeHandle(
            name=name,
            node_id=NodeId(IDS[name]),
            watch_address=f"{name}:1",
            state=states.get(name, NodeState.RUNNING),
        )
        for name in NAMES
    )


def update(
    name: str,
    *,
    role: str = "follower",
    term: int = 1,
    last: int = 5,
    full: bool = True,
    shards: int = 1,
    events: tuple[observe_pb2.NodeEvent, ...] = (),
) -> observe_pb2.Update:
    return observe_pb2.Update(
        full=full,
        node=observe_pb2.NodeFacts(node_id=IDS[name], epoch=1, commits=last),
        peers=[
            observe_pb2.PeerFacts(peer=IDS[other], phi=0.5, threshold=12)
            for other in NAMES
            if other != name
        ],
        shards=[
            observe_pb2.ShardFacts(
                shard_id=shard_id,
                role=role,
                term=term,
                leader_id=IDS["n1"],
                commit_index=last,
                last_index=last,
                voters=list(IDS.values()),
            )
            for shard_id in range(shards)
        ],
        events=events,
    )


def picture(at_s: float = 10.0, shards: int = 1) -> ClusterView:
    view = fold(ClusterView(), ClusterChanged(at_s=at_s, nodes=handles(), faults=()))
    for name in NAMES:
        role = "leader" if name == "n1" else "follower"
        report = update(name, role=role, shards=shards)
        view = fold(view, Reported(at_s=at_s, node=name, update=report))
    return view


def test_a_healthy_cluster_is_safe_and_led() -> None:
    view = picture()
    shard = view.shards[0]
    assert (shard.status, shard.leader, shard.term) == ("ok", "n1", 1)
    assert view.verdict == "SAFE"
    assert set(view.links) == {(a, b) for a in NAMES for b in NAMES if a != b}
    node = view.node("n1")
    assert node is not None
    assert (node.leading, node.following) == (1, 0)


def test_nothing_is_known_before_a_report() -> None:
    view = fold(ClusterView(), ClusterChanged(at_s=1.0, nodes=handles(), faults=()))
    assert view.verdict == "UNKNOWN"


def test_a_killed_leader_does_not_lead_and_stays_on_the_picture() -> None:
    changed = ClusterChanged(at_s=11.0, nodes=handles(n1=NodeState.KILLED), faults=())
    view = fold(picture(), changed)
    shard = view.shards[0]
    assert (shard.leader, shard.status) == (None, "no-leader")
    assert shard.why_at(view.now_s) == "no leader 0.0 s · 2/3 voters live"
    assert "n1" in shard.replicas
    later = fold(view, Ticked(at_s=11.5))
    assert later.shards[0].why_at(later.now_s) == "no leader 0.5 s · 2/3 voters live"
    assert later.shards is view.shards, "an age costs nothing"


def test_a_silent_majority_is_no_quorum_and_says_what_brings_it_back() -> None:
    view = picture()
    report = update("n1", role="leader", full=False)
    view = fold(view, Reported(at_s=13.0, node="n1", update=report))
    shard = view.shards[0]
    assert shard.status == "no-quorum"
    assert shard.why.endswith("1/3 voters live · r on n2 or n3 brings it back")


def test_a_newer_leader_takes_over_and_the_old_one_is_ignored() -> None:
    view = picture()
    report = update("n2", role="leader", term=2, full=False)
    view = fold(view, Reported(at_s=10.5, node="n2", update=report))
    assert (view.shards[0].leader, view.shards[0].term) == ("n2", 2)
    assert view.shards[0].since_s == 10.5, "led by n2 since then"
    assert view.verdict == "SAFE"


def test_two_leaders_in_one_term_are_unsafe_for_good() -> None:
    view = picture()
    two = update("n2", role="leader", full=False)
    view = fold(view, Reported(at_s=10.5, node="n2", update=two))
    assert view.verdict == "UNSAFE"
    assert "n1 and n2 lead in one term (1)" in view.verdict_why
    view = fold(view, Reported(at_s=10.6, node="n2", update=update("n2", full=False)))
    assert view.verdict == "UNSAFE"


def test_a_commit_that_goes_back_within_a_life_is_unsafe() -> None:
    view = picture()
    view = fold(view, Reported(at_s=10.5, node="n2", update=update("n2", last=4, full=False)))
    assert view.verdict == "UNSAFE"
    assert "commit went back" in view.verdict_why


def test_a_replica_that_was_removed_begins_anew() -> None:
    view = picture()
    cleaned = update("n2", role="silent", last=0, full=False)
    assert fold(view, Reported(at_s=10.5, node="n2", update=cleaned)).verdict == "SAFE"


def test_a_restart_may_begin_with_a_smaller_commit() -> None:
    report = update("n2", last=2)
    report.node.epoch = 2
    view = fold(picture(), Reported(at_s=10.5, node="n2", update=report))
    assert view.verdict == "SAFE"


def test_like_events_of_one_moment_are_one_line() -> None:
    events = tuple(
        observe_pb2.NodeEvent(wall_s=10.0, kind="elected", text="x", shard_id=shard, term=7)
        for shard in range(31)
    )
    report = update("n1", role="leader", full=False, events=events)
    view = fold(picture(), Reported(at_s=10.5, node="n1", update=report))
    assert [(event.count, event.term, event.shard_id) for event in view.events] == [(31, 7, None)]


def test_refusals_of_one_moment_stay_apart_for_each_has_its_own_words() -> None:
    view = picture()
    for shard_id in (0, 1):
        text = f"failed: write a=1 to s000{shard_id}: no leader now"
        event = EventView(at_s=3.0, node=None, kind="failed", text=text, shard_id=shard_id)
        view = fold(view, Noted(at_s=3.0, event=event))
    assert [event.shard_id for event in view.events[-2:]] == [0, 1]


def test_a_watch_dialled_anew_repeats_nothing() -> None:
    event = observe_pb2.NodeEvent(wall_s=9.0, kind="suspect", text=f"{IDS['n2']} suspected")
    report = update("n1", role="leader", events=(event,))
    view = picture()
    for _ in range(2):
        view = fold(view, Reported(at_s=10.5, node="n1", update=report))
    assert [event.text for event in view.events] == ["n2 suspected by n1"]


def test_notes_and_logs_are_kept() -> None:
    note = EventView(at_s=11.0, node="n1", kind="you", text="kill n1", by_you=True)
    view = fold(picture(), Noted(at_s=11.0, event=note))
    assert view.events[-1] == note
    log = LogView(
        node="n1",
        base_index=0,
        base_term=0,
        commit_index=1,
        applied_index=1,
        last_index=1,
        entries=(),
        at_s=11.0,
    )
    view = fold(view, LogsFetched(at_s=11.0, shard_id=0, logs=(log,)))
    assert (view.logs_shard, dict(view.logs)) == (0, {"n1": log})


def test_a_thousand_shards_lose_their_leader_in_one_fold() -> None:
    view = picture(shards=1000)
    changed = ClusterChanged(at_s=10.2, nodes=handles(n1=NodeState.KILLED), faults=())
    view = fold(view, changed)
    assert {shard.status for shard in view.shards.values()} == {"no-leader"}
