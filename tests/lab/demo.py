"""Made-up clusters, frozen: the same pictures in every run, for tests and for looking at."""

from __future__ import annotations

from random import Random
from types import MappingProxyType

from lab.cluster.interface import NodeState
from lab.faults import Fault, FaultKind
from lab.observe.history import PhiHistory
from lab.observe.view import (
    ClusterView,
    EntryView,
    EventView,
    LinkView,
    LogLineView,
    LogView,
    NodeView,
    ReplicaView,
    ShardView,
)
from lab.workload.load import Verdict
from lab.workload.measure import Moment, Outage
from lab.workload.view import LoadView

NOW_S = 1_800_000_000.0
THRESHOLD = 8.0
_TERMS = [(1037, 4), (1042, 5), (1046, 6), (1051, 7)]  # First index of each term.


def node(name: str, state: NodeState = NodeState.RUNNING, **more: object) -> NodeView:
    """Return one node with plausible numbers, drawn from its name."""
    draw = Random(f"node {name}")
    history = tuple(0.1 + 0.4 * draw.random() for _ in range(40))
    known: dict[str, object] = {
        "name": name,
        "node_id": f"http://{name}:50000",
        "state": state.value,
        "reported_at_s": NOW_S - 0.1,
        "epoch": 3,
        "incarnation": draw.getrandbits(32),
        "version": "0.11.0",
        "app": "kv",
        "uptime_s": 192.0,
        "cpu": history[-1],
        "cpu_history": history,
        "fsync_history": tuple(0.0008 + value / 200 for value in reversed(history)),
        "rss_bytes": draw.randrange(60, 110) << 20,
        "fsync_s": 0.0008 + draw.random() / 1000,
        "commits": 120_000,
        "commits_per_s": 700.0,
    }
    return NodeView(**{**known, **more})  # type: ignore[arg-type]  # Plain keyword fixtures.


def links(phis: dict[str, float], receivers: set[str]) -> dict[tuple[str, str], LinkView]:
    """Return the phi matrix of senders with these values, as live *receivers* see them."""
    return {
        (sender, receiver): LinkView(
            sender=sender,
            receiver=receiver,
            phi=phi if phi >= 2 else round(phi + 0.1 * (int(receiver[1:]) % 3), 1),
            threshold=THRESHOLD,
            mean_s=0.1,
            deviation_s=0.03,
            last_heard_s=0.05 + phi / 10,
            round_trip_s=0.0009,
            connected=phi < 16,
        )
        for sender, phi in phis.items()
        for receiver in phis
        if sender != receiver and receiver in receivers
    }


def replica(name: str, role: str, leader: str | None, **more: object) -> ReplicaView:
    """Return one replica of the shard that the log panel shows."""
    known: dict[str, object] = {
        "node": name,
        "role": role,
        "term": 7,
        "leader": leader,
        "voted_for": leader,
        "commit_index": 1053,
        "applied_index": 1053,
        "last_index": 1061,
        "last_term": 7,
        "snapshot_index": 1036,
        "voters": ("n1", "n2", "n3", "n4", "n5"),
        "outgoing": (),
        "learners": (),
    }
    return ReplicaView(**{**known, **more})  # type: ignore[arg-type]  # Plain keyword fixtures.


def shard(shard_id: int, names: list[str], leader: str | None, **more: object) -> ShardView:
    """Return one shard on all *names*."""
    term = int(str(more.pop("term", 7)))
    last = 900 + shard_id % 97
    replicas = {
        name: replica(
            name,
            "leader" if name == leader else "follower",
            leader,
            term=term,
            commit_index=last,
            applied_index=last,
            last_index=last,
            snapshot_index=800,
            voters=tuple(names),
        )
        for name in names
    }
    known: dict[str, object] = {
        "shard_id": shard_id,
        "status": "ok",
        "why": "",
        "leader": leader,
        "term": term,
        "commit_index": last,
        "replicas": MappingProxyType(replicas),
        "voters": tuple(names),
        "since_s": NOW_S - 60,
    }
    return ShardView(**{**known, **more})  # type: ignore[arg-type]  # Plain keyword fixtures.


def _term_at(index: int) -> int:
    return max((term for first, term in _TERMS if first <= index), default=3)


def log(name: str, base: int, commit: int, applied: int, last: int, clash: int = 0) -> LogView:
    """Return a log; from index *clash* on it holds term 6, which nobody else has there."""
    return LogView(
        node=name,
        base_index=base,
        base_term=3,
        commit_index=commit,
        applied_index=applied,
        last_index=last,
        entries=tuple(
            EntryView(
                index=index,
                term=6 if clash and index >= clash else _term_at(index),
                kind="command",
                text=f"put user:{index % 50 + 31} {20 + index % 19} B",
                size_bytes=20 + index % 19,
            )
            for index in range(max(base, 1030) + 1, last + 1)
        ),
        at_s=NOW_S - 0.2,
    )


def _statuses(shard_id: int, names: list[str], draw: Random, sick: dict[int, str]) -> ShardView:
    leaders = [name for name in names if name not in ("n3", "n5")] or names
    status = sick.get(shard_id, "ok")
    if status == "no-quorum":
        return shard(
            shard_id, names, None, term=8, status=status, why="no leader 2.1 s · 2/5 voters live"
        )
    if status == "electing":
        return shard(shard_id, names, None, term=8, status=status, why="electing 0.6 s · votes 1–1")
    if status == "lagging":
        return shard(
            shard_id, names, draw.choice(leaders), status=status, why="n4 is 212 entries behind"
        )
    return shard(shard_id, names, draw.choice(leaders))


def _main_shard(names: list[str]) -> ShardView:
    commits = {"n1": 1053, "n2": 1053, "n3": 1052, "n4": 1050, "n5": 1047}
    lasts = {"n1": 1061, "n2": 1059, "n3": 1053, "n4": 1053, "n5": 1048}
    replicas = {
        name: replica(
            name,
            "leader" if name == "n1" else "follower",
            "n1",
            term=6 if name in ("n4", "n5") else 7,
            commit_index=commits.get(name, 1053),
            applied_index=commits.get(name, 1053) - (2 if name == "n2" else 0),
            last_index=lasts.get(name, 1061),
            voters=tuple(names),
        )
        for name in names
    }
    return ShardView(
        shard_id=17 if len(names) > 3 else 0,
        status="ok",
        why="",
        leader="n1",
        term=7,
        commit_index=1053,
        replicas=MappingProxyType(replicas),
        voters=tuple(names),
        since_s=NOW_S - 60,
    )


def _logs(names: list[str]) -> dict[str, LogView]:
    special = {
        "n2": log("n2", 1036, 1053, 1051, 1059),
        "n3": log("n3", 1036, 1052, 1052, 1053),
        "n4": log("n4", 1040, 1050, 1049, 1053, clash=1051),
        "n5": log("n5", 1036, 1047, 1047, 1048),
    }
    logs = {name: special.get(name) or log(name, 1036, 1053, 1053, 1061) for name in names}
    if len(names) == 3:
        logs["n2"] = log("n2", 1036, 1053, 1053, 1060)
        logs["n3"] = log("n3", 1036, 1050, 1050, 1052)
    return logs


def events(names: list[str]) -> tuple[EventView, ...]:
    """Return a minute of events."""
    last = names[-1]
    told: list[tuple[float, str | None, str, str, bool]] = [
        (-41.2, "n4", "elected", "n4 elected", False),
        (-33.0, "n4", "you", "you: transfer s0017 n4 → n1", True),
        (-32.6, "n1", "elected", "n1 elected", False),
        (-12.7, names[-2], "you", f"you: cut {names[-2]} → n2", True),
        (-4.3, last, "you", f"you: kill {last} (SIGKILL)", True),
        (-3.1, last, "suspect", f"{last} suspected by 3/3 live peers", False),
        (-2.9, "n1", "elected", "n1 elected", False),
        (-2.0, "n3", "you", "you: pause n3 (freezer)", True),
        (-0.9, "n3", "suspect", "n3 suspected φ 8.1 ≥ 8.0 by n1", False),
        (-0.6, "n2", "election", "s0204 electing (term 8, split 1–1)", False),
    ]
    if len(names) < 5:
        told = [
            (-48.0, "n2", "elected", "n2 elected", False),
            (-31.5, "n2", "you", "you: kill n2 (SIGKILL)", True),
            (-30.4, "n2", "suspect", "n2 suspected by 2/2 live peers", False),
            (-30.1, "n1", "elected", "n1 elected", False),
            (-19.2, "n2", "you", "you: restart n2", True),
            (-18.8, "n2", "trusted", "n2 trusted again by n1 and n3", False),
            (-8.0, None, "you", "you: write user:42=blue to s0000: ok (2.1 ms)", True),
            (-2.0, "n3", "you", "you: pause n3 (freezer)", True),
            (-0.9, "n3", "suspect", "n3 suspected φ 8.1 ≥ 8.0 by n1", False),
        ]
    return tuple(
        EventView(
            at_s=NOW_S + at,
            node=who,
            kind=kind,
            text=text,
            by_you=you,
            term=7,
            count=31 if kind == "elected" and len(names) >= 5 and at > -5 else 1,
            shard_id=17 if kind == "elected" and at < -5 else None,
        )
        for at, who, kind, text, you in told
    )


def log_lines(names: list[str]) -> tuple[LogLineView, ...]:
    """Return what the nodes logged."""
    texts = (
        ("INFO", "shard 17: leader of term 7, votes 3/5"),
        ("DEBUG", "peer n3: 4 frames in flight, window 1.2 MiB"),
        ("WARNING", "peer n3: phi 8.1 is over the threshold 8.0"),
        ("INFO", "group commit: 31 shards, 1 fsync, 1.1 ms"),
        ("ERROR", "peer n5: connection refused, next try in 0.4 s"),
    )
    return tuple(
        LogLineView(
            at_s=NOW_S - 30 + 0.4 * turn,
            node=names[turn % len(names)],
            level=texts[turn % len(texts)][0],
            text=texts[turn % len(texts)][1],
        )
        for turn in range(70)
    )


def cluster(size: int = 5, shards: int = 512) -> ClusterView:
    """Return a cluster in trouble: one node paused, one killed, a link cut, some shards sick."""
    names = [f"n{number}" for number in range(1, size + 1)]
    dead = f"n{size}" if size > 3 else ""
    draw = Random(7)
    spots = [int(shards * part) for part in (0.58, 0.83, 0.16, 0.54, 0.12, 0.24, 0.25, 0.3, 0.34)]
    kinds = ["no-quorum"] * 2 + ["electing"] * 2 + ["lagging"] * 5
    sick = dict(zip(spots, kinds, strict=True)) if shards > 20 else {}
    table = {number: _statuses(number, names, draw, sick) for number in range(shards)}
    main = _main_shard(names)
    table[main.shard_id] = main
    leads = dict.fromkeys(names, 0)
    for each in table.values():
        if each.leader:
            leads[each.leader] += 1
    phis = {"n1": 0.3, "n2": 3.1 if size > 3 else 0.4, "n3": 9.4, dead: 17.0}
    live = [name for name in names if name not in ("n3", dead)]
    nodes = []
    for name in names:
        counts = {"leading": leads[name], "following": shards - leads[name]}
        if name == "n3":
            counts["leading"] = 0
            nodes.append(node(name, NodeState.PAUSED, reported_at_s=NOW_S - 2.1, cpu=0.0, **counts))
        elif name == dead:
            nodes.append(node(name, NodeState.KILLED, reported_at_s=NOW_S - 4.3, cpu=0.0, **counts))
        else:
            nodes.append(node(name, **counts))
    faults = [
        Fault(
            number=3,
            kind=FaultKind.PAUSE,
            nodes=("n3",),
            since_s=NOW_S - 2,
            mechanism="freezer",
        ),
    ]
    if dead:
        cutter = names[-2]
        faults[:0] = [
            Fault(
                number=1,
                kind=FaultKind.CUT,
                nodes=(cutter, "n2"),
                since_s=NOW_S - 12.7,
                mechanism="transport rule",
                links=((cutter, "n2"),),
            ),
            Fault(
                number=2,
                kind=FaultKind.KILL,
                nodes=(dead,),
                since_s=NOW_S - 4.3,
                mechanism="SIGKILL",
            ),
        ]
    return ClusterView(
        title=f"docker:lab{size}",
        backend="docker",
        now_s=NOW_S,
        nodes=tuple(nodes),
        links=MappingProxyType(links({name: phis.get(name, 0.6) for name in names}, set(live))),
        shards=MappingProxyType(table),
        faults=tuple(faults),
        events=events(names),
        log_lines=log_lines(names),
        logs=MappingProxyType(_logs(names)),
        logs_shard=main.shard_id,
    )


def history(view: ClusterView) -> PhiHistory:
    """Return two minutes of phi that end where *view* is: calm, then a rise."""
    tracks = {}
    last = int(view.now_s)
    for pair, link in view.links.items():
        draw = Random(f"phi {pair}")
        calm = [0.2 + 0.6 * draw.random() for _ in range(120)]
        rise = 10
        if link.phi > 2:
            calm[-rise:] = [link.phi * ((step + 1) / rise) ** 1.4 for step in range(rise)]
        tracks[pair] = tuple((last - 119 + place, phi) for place, phi in enumerate(calm))
    since = MappingProxyType(dict.fromkeys(tracks, view.now_s - 119))
    return PhiHistory(MappingProxyType(tracks), since=since)


class FakeLoad:
    """A load of two minutes in which a node died, as a value."""

    is_running = True

    def __init__(self) -> None:
        last = int(NOW_S)
        draw = Random("load")
        moments = []
        for second in range(last - 119, last + 1):
            out = second in (last - 4, last - 3)
            slow = 20 if second > last - 5 else 1
            low = 0.002 + 0.001 * draw.random()
            moments.append(
                Moment(
                    at_s=second,
                    answered=0 if out else 90 + draw.randrange(20),
                    failed=12 if out else 0,
                    p50_s=low,
                    p99_s=low * 4 * slow,
                    max_s=low * 8 * slow,
                )
            )
        self.view = LoadView(
            running=True,
            rate=100,
            began_s=NOW_S - 120,
            verdict=Verdict(
                acknowledged=6841, read=4519, unknown=3, judged=11_350, waiting=2,
                judged_until_s=NOW_S - 0.4, slowest_s=1.84, slowest="write load17",
            ),
            moments=tuple(moments),
            outages=(Outage(shard_id=0, from_s=NOW_S - 4.35, until_s=NOW_S - 2.51),),
        )  # fmt: skip

    async def cancel(self) -> None:
        """Nothing runs."""
