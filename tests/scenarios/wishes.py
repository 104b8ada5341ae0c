"""The words of a story that reach a replica: deadlines, detectors, clients, snapshots, peers."""

from __future__ import annotations

from lolraft.raft.events import (
    AppendRequest,
    ChangeMembers,
    LeaderClaim,
    LeaderLost,
    LeadershipConfirmed,
    Liveness,
    Objection,
    PeerRestarted,
    Propose,
    Proven,
    ReadIndex,
    SnapshotFailed,
    SnapshotFetched,
    SnapshotTaken,
    Stop,
    Timeout,
    TimeoutNow,
    TransferLeadership,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import Clock, Entries, EntryKind, NodeId, Role, SnapshotMeta
from tests.scenarios.table import GROUP, Table
from tests.scenarios.words import settle, show, word


def _clock(text: str) -> Clock:
    term, _, index = text.partition("/")
    return Clock(int(term), int(index))


def _names(text: str) -> frozenset[NodeId]:
    return frozenset(NodeId(name) for name in text.split(",") if name)


def _others(table: Table, name: str) -> frozenset[NodeId]:
    return frozenset(table.replicas) - {NodeId(name)}


# --- elections ----------------------------------------------------------------------------------


@word
def timeout(table: Table, name: str) -> None:
    """`timeout n1`: its deadline comes; who has none does nothing."""
    deadline_s = table.state(NodeId(name)).deadline_s
    if deadline_s is None:
        table.say(f"{name} waits for nothing")
    else:
        table.now_s = max(table.now_s, deadline_s)
        table.tell(NodeId(name), Timeout())


@word
def campaign(table: Table, name: str) -> None:
    """`campaign n1`: stand, as if nobody were believed in and the pre-vote had been won."""
    node_id = NodeId(name)
    state = table.state(node_id)
    if state.leader_id is not None and state.role is not Role.LEADER:
        leader_lost(table, name)
    told, bag, waiting = len(table.told), list(table.bag), list(table.waiting[node_id])
    timeout(table, name)
    if state.role is Role.PRE_CANDIDATE:
        del table.told[told:]
        table.bag, table.waiting[node_id] = bag, waiting
    asked = state.current_term + 1
    for voter in sorted({*state.configuration.voters, *state.configuration.outgoing} - {node_id}):
        if state.role is Role.PRE_CANDIDATE:
            grant = VoteResponse(
                sender=voter, group=GROUP, term=asked, granted=True, pre_vote=True, asked_term=asked
            )
            table.tell(node_id, grant)


@word
def lead(table: Table, name: str) -> None:
    """`lead n1`: let it stand, and everything settle; only the outcome is told."""
    told = len(table.told)
    campaign(table, name)
    settle(table)
    del table.told[told:]
    show(table)


@word
def timeout_now(table: Table, name: str) -> None:
    """`timeout-now n2`: an operator tells it to stand."""
    table.tell(NodeId(name), TimeoutNow())


@word
def leader_lost(table: Table, *names: str) -> None:
    """`leader-lost n1`: its detector gives up on the leader in which it believes."""
    for name in names:
        state = table.state(NodeId(name))
        assert state.leader_id is not None, f"{name} believes in nobody"
        table.tell(NodeId(name), LeaderLost(leader_id=state.leader_id, term=state.current_term))


@word
def claim(table: Table, name: str, *to: str, term: str = "", group: str = "") -> None:
    """`claim n1`, `claim n1 n2`: heartbeats bring the claim of a leader."""
    state = table.state(NodeId(name))
    event = LeaderClaim(
        leader_id=NodeId(name), group=int(group or GROUP), term=int(term or state.current_term)
    )
    for other in to or sorted(_others(table, name)):
        table.tell(NodeId(other), event)


@word
def liveness(
    table: Table, name: str, live: str = "", acking: str | None = None, objecting: str = ""
) -> None:
    """`liveness n1 live=n2 acking= objecting=n3`: what the detectors of a node say now."""
    alive = _names(live)
    event = Liveness(
        live=alive,
        acking=alive if acking is None else _names(acking),
        objecting=_names(objecting),
    )
    table.tell(NodeId(name), event)


@word
def priorities(table: Table, name: str, **numbers: str) -> None:
    """`priorities n1 n2=1 n3=-1`: heartbeats said who prefers to lead, and who avoids it."""
    state = table.state(NodeId(name))
    others = _others(table, name)
    event = Liveness(
        live=others if state.live is None else state.live,
        acking=others if state.acking is None else state.acking,
        objecting=state.objecting,
        priorities=tuple((NodeId(node), int(number)) for node, number in sorted(numbers.items())),
    )
    table.tell(NodeId(name), event)


@word
def object_(table: Table, name: str, to: str, term: str = "0") -> None:
    """`object n2 n1 term=3`: n2 cannot vouch for the claim of n1."""
    table.tell(NodeId(to), Objection(sender=NodeId(name), term=int(term)))


@word
def peer_restarted(table: Table, name: str, peer: str) -> None:
    """`peer-restarted n1 n2`: n1 learns that n2 has a new epoch."""
    table.tell(NodeId(name), PeerRestarted(peer=NodeId(peer)))


@word
def unproven(table: Table, name: str) -> None:
    """`unproven n1`: a first boot; nobody has said yet that it knows no other incarnation."""
    table.state(NodeId(name)).proven = False


@word
def proven(table: Table, name: str) -> None:
    """`proven n1`: every member has said that it knows no other incarnation."""
    table.tell(NodeId(name), Proven())


# --- clients and operators ----------------------------------------------------------------------


@word
def propose(table: Table, name: str, *commands: str, times: str = "1") -> None:
    """`propose n1 x y`, `propose n1 x times=300`: clients want these commands in the log."""
    payloads = tuple(command.encode() for command in commands * int(times))
    tickets = tuple(table.new_ticket() for _ in payloads)
    table.tell(NodeId(name), Propose(tickets=tickets, payloads=payloads))


@word
def read(table: Table, name: str) -> None:
    """`read n1`: a client wants to read."""
    table.tell(NodeId(name), ReadIndex(ticket=table.new_ticket()))


@word
def confirm(table: Table, name: str, round_: str = "", term: str = "") -> None:
    """`confirm n1`, `confirm n1 1`: a quorum acked a beat sent after that round was asked for."""
    state = table.state(NodeId(name))
    last = state.leadership.round_ if state.leadership is not None else 0
    table.tell(
        NodeId(name),
        LeadershipConfirmed(round_=int(round_ or last), term=int(term or state.current_term)),
    )


@word
def add(table: Table, name: str, server: str) -> None:
    """`add n1 n4`: an operator asks n1 to add n4."""
    change(table, name, voters=server, others="stay")


@word
def learn(table: Table, name: str, server: str) -> None:
    """`learn n1 n4`: an operator asks n1 to add n4 and keep it a learner."""
    change(table, name, learners=server, others="stay")


@word
def remove(table: Table, name: str, server: str) -> None:
    """`remove n1 n2`: an operator asks n1 to remove n2."""
    change(table, name, removed=server, others="stay")


@word
def replace(table: Table, name: str, old: str, new: str) -> None:
    """`replace n1 n2 n4`: an operator asks n1 to let n4 vote in the place of n2."""
    change(table, name, voters=new, removed=old, others="stay")


@word
def change(
    table: Table,
    name: str,
    *,
    voters: str = "",
    learners: str = "",
    removed: str = "",
    others: str = "leave",
) -> None:
    """`change n1 voters=n1,n4 learners=n5`: an operator asks n1 for this whole set."""
    event = ChangeMembers(
        ticket=table.new_ticket(),
        voters=tuple(sorted(_names(voters))),
        learners=tuple(sorted(_names(learners))),
        removed=tuple(sorted(_names(removed))),
        others_leave=others == "leave",
    )
    table.tell(NodeId(name), event)


@word
def transfer(table: Table, name: str, target: str = "") -> None:
    """`transfer n1 n2`, `transfer n1`: an operator asks n1 to hand leadership over."""
    wanted = NodeId(target) if target else None
    table.tell(NodeId(name), TransferLeadership(ticket=table.new_ticket(), target=wanted))


@word
def stop(table: Table, name: str) -> None:
    """`stop n1`: its node shuts down in order."""
    table.tell(NodeId(name), Stop(reason="the node shuts down"))


# --- snapshots ----------------------------------------------------------------------------------


@word
def snapshot(table: Table, name: str, index: str = "", keep: str = "") -> None:
    """`snapshot n1`, `snapshot n1 3 keep=2`: the app has a snapshot; entries after *keep* stay."""
    state = table.state(NodeId(name))
    at = int(index or state.last_applied)
    term = state.log.term_at(at)
    assert term is not None, f"{name} does not know the term of index {at}"
    where, configuration = state.configuration_at(at)
    meta = SnapshotMeta(
        clock=Clock(term, at), configuration=configuration, configuration_index=where
    )
    table.snapshots[meta.clock] = meta
    table.tell(NodeId(name), SnapshotTaken(meta=meta, keep_after=int(keep or at)))


@word
def fetched(table: Table, name: str, clock: str = "") -> None:
    """`fetched n2`, `fetched n2 1/3`: the bytes that it fetches, or once did, are durable."""
    at = _clock(clock) if clock else table.fetches[NodeId(name)].clock
    table.tell(NodeId(name), SnapshotFetched(meta=table.snapshots[at]))


@word
def fetch_failed(table: Table, name: str) -> None:
    """`fetch-failed n2`: fetching was given up."""
    wanted = table.fetches[NodeId(name)]
    table.tell(NodeId(name), SnapshotFailed(clock=wanted.clock, source=wanted.source))


# --- what a peer could say, also one that is out of date, wrong, or a stranger --------------------


@word
def append(
    table: Table,
    name: str,
    to: str,
    *,
    term: str,
    prev: str,
    terms: str = "",
    commit: str = "0",
    group: str = "",
    belief: str = "yes",
) -> None:
    """`append n9 n2 term=1 prev=0/1 terms=1,1:x commit=3`: an append that nobody here sent."""
    previous = _clock(prev)
    items = [item.partition(":") for item in terms.split(",") if item]
    numbers = tuple(int(number) for number, _, _ in items)
    payloads = tuple(
        (payload or f"{number}.{index}{name}").encode()
        for index, (number, _, payload) in enumerate(items, previous.index + 1)
    )
    kinds = bytes((EntryKind.COMMAND,)) * len(numbers)
    event = AppendRequest(
        sender=NodeId(name),
        group=int(group or GROUP),
        term=int(term),
        prev_clock=previous,
        entries=Entries(previous.index + 1, numbers, kinds, payloads),
        commit_index=int(commit),
        gives_belief=belief == "yes",
    )
    table.tell(NodeId(to), event)


@word
def ask_vote(
    table: Table, name: str, to: str, *, term: str, last: str, group: str = "", pre: str = "no"
) -> None:
    """`ask-vote n9 n2 term=3 last=1/2 pre=yes`: a vote request that nobody here sent."""
    event = VoteRequest(
        sender=NodeId(name),
        group=int(group or GROUP),
        term=int(term),
        last_clock=_clock(last),
        pre_vote=pre == "yes",
    )
    table.tell(NodeId(to), event)


@word
def give_vote(table: Table, name: str, to: str, *, term: str, pre: str = "no") -> None:
    """`give-vote n2 n1 term=3`: a granted vote for that term that nobody here sent."""
    event = VoteResponse(
        sender=NodeId(name),
        group=GROUP,
        term=int(term),
        granted=True,
        pre_vote=pre == "yes",
        asked_term=int(term),
    )
    table.tell(NodeId(to), event)
