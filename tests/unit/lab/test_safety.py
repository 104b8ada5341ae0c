"""What all nodes report is compared: two leaders, other entries, commits that go back."""

from __future__ import annotations

import pytest

from lab.apps import kv
from lab.cluster.interface import NodeHandle, NodeState
from lab.observe import safety
from lab.observe.fold import fold
from lab.observe.happenings import ClusterChanged, Noted, Reported, Ticked
from lab.observe.view import ClusterView, EventView
from lab.sim import world
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lolraft.raft.log import Log
from lolraft.raft.types import NodeId
from lolraft.rpc.pb import observe_pb2

NAMES = ("n1", "n2", "n3")


def nodes(name: str = "", state: NodeState = NodeState.RUNNING) -> ClusterChanged:
    made = tuple(
        NodeHandle(
            name=one,
            node_id=NodeId(f"http://{one}:1"),
            watch_address="",
            state=state if one == name else NodeState.RUNNING,
        )
        for one in NAMES
    )
    return ClusterChanged(at_s=10.0, nodes=made, faults=())


def said(name: str, *, epoch: int = 1, incarnation: int = 1, **facts: object) -> Reported:
    known: dict[str, object] = {"role": "follower", "term": 1, "commit_index": 5, "group": 7}
    shard = observe_pb2.ShardFacts(shard_id=0, **{**known, **facts})  # type: ignore[arg-type]
    node = observe_pb2.NodeFacts(epoch=epoch, incarnation=incarnation)
    return Reported(at_s=10.0, node=name, update=observe_pb2.Update(node=node, shards=[shard]))


def after(*happenings: Reported | ClusterChanged | Ticked | Noted) -> ClusterView:
    view = ClusterView(verdict="UNKNOWN")
    for happening in (nodes(), *happenings):
        view = fold(view, happening)
    return view


def broken(view: ClusterView) -> tuple[str, tuple[str, ...], str]:
    assert view.violation is not None, "nothing is broken"
    assert (view.verdict, view.verdict_why) == ("UNSAFE", view.violation.text)
    assert (view.violation.shard_id, view.violation.at_s) == (0, 10.0)
    return view.violation.rule, view.violation.nodes, view.violation.text


def test_nothing_heard_is_unknown_and_silence_is_again() -> None:
    assert after().verdict == "UNKNOWN"
    assert after(said("n1")).verdict == "SAFE"
    silent = after(said("n1"), Ticked(at_s=20.0))
    assert (silent.verdict, silent.verdict_why) == ("UNKNOWN", "no node reports")


def test_one_leader_a_term_is_safe() -> None:
    terms = [said(name, role="leader", term=term) for term, name in enumerate(NAMES)]
    assert after(*terms, said("n1", role="leader", term=0)).verdict == "SAFE"


def test_two_leaders_in_one_term_though_never_at_one_time() -> None:
    view = after(
        said("n1", role="leader"), said("n1"), nodes("n1", NodeState.KILLED),
        said("n2", role="leader"),
    )  # fmt: skip
    rule, names, text = broken(view)
    assert (rule, names) == (safety.ONE_LEADER, ("n1", "n2"))
    assert text == "shard 0: n1 and n2 lead in one term (1)"
    assert fold(view, said("n2", role="leader", term=2)).violation is view.violation


def test_other_entries_up_to_one_index() -> None:
    one = said("n1", mark_index=[64, 70], mark_digest=[1, 2])
    assert after(one, said("n2", mark_index=[64, 71], mark_digest=[1, 3])).verdict == "SAFE"
    later = said("n1", mark_index=[128], mark_digest=[9])
    rule, names, text = broken(after(one, later, said("n3", mark_index=[70], mark_digest=[4])))
    assert (rule, names) == (safety.SAME_PREFIX, ("n1", "n3"))
    assert text.endswith("n1 and n3 have committed other entries up to 70")


def test_round_indexes_are_remembered_longest() -> None:
    many = [said("n1", mark_index=[at], mark_digest=[at]) for at in range(4_000, 5_000)]
    view = after(*many)
    assert len(view.promises[0].marks) <= safety.MOST_MARKS
    assert broken(fold(view, said("n2", mark_index=[4_096], mark_digest=[1])))


def test_another_group_is_another_story() -> None:
    one = said("n1", role="leader", mark_index=[3], mark_digest=[1])
    other = said("n2", role="leader", mark_index=[3], mark_digest=[2], group=8)
    assert after(one, other).verdict == "SAFE"


def test_a_commit_goes_back_only_in_one_life() -> None:
    back = {"commit_index": 3}
    rule, names, _ = broken(after(said("n1"), said("n1", **back)))
    assert (rule, names) == (safety.COMMIT_STAYS, ("n1",))
    assert after(said("n1"), said("n1", epoch=2, **back)).verdict == "SAFE"
    assert after(said("n1"), said("n1", incarnation=2, **back)).verdict == "SAFE"
    assert after(said("n1"), said("n1", role="silent", **back)).verdict == "SAFE"


def test_a_leader_that_cuts_its_log_is_seen_but_not_one_that_led_another_term() -> None:
    long, short = {"role": "leader", "last_index": 9}, {"role": "leader", "last_index": 8}
    rule, names, text = broken(after(said("n1", **long), said("n1", **short)))
    assert (rule, names) == (safety.APPEND_ONLY, ("n1",))
    assert text == "shard 0: n1, which leads term 1, cut its log (9 to 8)"
    assert after(said("n1", **long), said("n1", term=2, **short)).verdict == "SAFE"
    assert after(said("n1", **long), said("n1", epoch=2, **short)).verdict == "SAFE"
    follows = {"last_index": 9}
    assert after(said("n1", **follows), said("n1", **short)).verdict == "SAFE"
    assert after(said("n1", **long), said("n1", last_index=8)).verdict == "SAFE"


def test_the_simulators_checkers_are_believed() -> None:
    event = EventView(at_s=4.0, node=None, kind="violation", text="one vote a term: n1")
    view = after(said("n1"), Noted(at_s=10.0, event=event))
    assert view.verdict == "UNSAFE"
    assert view.violation is not None
    assert (view.violation.rule, view.violation.at_s) == (safety.SIMULATOR, 4.0)


async def test_a_forged_committed_entry_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One replica's log holds another value; the simulator's own checkers are off."""
    monkeypatch.setattr(world, "ALL", ())
    honest, forged = Log.append, set[int]()

    def append(log: Log, terms: tuple[int, ...], kinds: bytes, payloads: tuple[bytes, ...]) -> None:
        if id(log) in forged:
            payloads = tuple(payload.replace(b"true", b"evil") for payload in payloads)
        honest(log, terms, kinds, payloads)

    monkeypatch.setattr(Log, "append", append)
    cluster = SimCluster(seed=3, speed=None)
    watcher = SimWatcher(cluster)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        client = cluster.client()
        await client.write(0, kv.put("a", "true"), timeout_s=20.0)
        await cluster.sleep(2.0)
        assert watcher.view.verdict == "SAFE"
        leader = watcher.view.shards[0].leader
        liar = next(name for name in NAMES if name != leader)
        machine = cluster.node(liar).machine
        assert machine is not None, "it runs"
        forged.add(id(machine.node.shards[0].state.log))
        await client.write(0, kv.put("b", "true"))
        await cluster.sleep(2.0)
        assert watcher.view.violation is not None
        assert watcher.view.violation.rule == safety.SAME_PREFIX
        assert liar in watcher.view.violation.nodes
    finally:
        await watcher.stop()
        await cluster.close()


async def test_marks_are_the_same_after_restarts_and_snapshots() -> None:
    cluster = SimCluster(seed=5, speed=None, snapshot_entries=20, tail_entries=3)
    watcher = SimWatcher(cluster)
    try:
        await cluster.start(lambda line: None)
        watcher.start()
        client = cluster.client()
        for number in range(30):
            await client.write(0, kv.put("a", str(number)), timeout_s=20.0)
        await cluster.kill("n1")
        for number in range(60):
            await client.write(0, kv.put("b", str(number)), timeout_s=20.0)
        await cluster.kill("n2") if watcher.view.shards[0].leader != "n2" else None
        await cluster.restart("n1")
        if cluster.node("n2").machine is None:
            await cluster.restart("n2")
        await cluster.sleep(5.0)
        machines = [cluster.node(name).machine for name in NAMES]
        replicas = [machine.node.shards[0] for machine in machines if machine is not None]
        assert len(replicas) == 3
        assert all(replica.state.snapshot is not None for replica in replicas), "there were some"
        assert len({replica.trail.marks()[-1] for replica in replicas}) == 1
        assert watcher.view.verdict == "SAFE"
    finally:
        await watcher.stop()
        await cluster.close()
