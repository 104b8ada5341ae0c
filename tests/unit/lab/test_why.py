"""Why? Each case by hand, and a simulated cluster that is broken and asked."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lab.faults import Fault, FaultKind
from lab.observe.account import Account
from lab.observe.view import ClusterView, EventView, Promises, ReplicaView, ShardView
from lab.observe.why import Answer, Question, why
from tests.lab import demo

NOW_S = demo.NOW_S
NAMES = ("n1", "n2", "n3")


def replica(name: str, role: str = "follower", **more: object) -> ReplicaView:
    known = {"commit_index": 50, "last_index": 50, "voters": NAMES, "voted_for": "n1"}
    return replace(demo.replica(name, role, "n1"), **{**known, **more})  # type: ignore[arg-type]


def picture(
    *replicas: ReplicaView,
    faults: tuple[Fault, ...] = (),
    events: tuple[EventView, ...] = (),
    states: dict[str, str] | None = None,
    leaders: dict[int, str] | None = None,
    **shard: object,
) -> ClusterView:
    """Return three nodes and one shard, of which n1 leads term 7."""
    known = list(replicas) or [replica("n1", "leader"), replica("n2"), replica("n3")]
    leading = [one.node for one in known if one.role == "leader"]
    status = {"status": "ok", "leader": leading[0] if leading else None, "since_s": NOW_S - 20}
    one = ShardView(
        shard_id=0, why="", term=7, commit_index=50, voters=NAMES,
        replicas=MappingProxyType({each.node: each for each in known}),
        **{**status, **shard},  # type: ignore[arg-type]  # Plain keyword fixtures.
    )  # fmt: skip
    nodes = [demo.node(name, reported_at_s=NOW_S - 0.1) for name in NAMES]
    nodes = [replace(node, state=(states or {}).get(node.name, "running")) for node in nodes]
    return ClusterView(
        now_s=NOW_S,
        nodes=tuple(nodes),
        links=MappingProxyType(demo.links(dict.fromkeys(NAMES, 0.4), set(NAMES))),
        shards=MappingProxyType({0: one}),
        faults=faults,
        events=events,
        promises=MappingProxyType({0: Promises(leaders=MappingProxyType(leaders or {7: "n1"}))}),
    )


def fault(kind: FaultKind, *nodes: str, ago_s: float = 12.0, **more: object) -> Fault:
    links = ((nodes[0], nodes[-1]),) if kind is FaultKind.CUT else ()
    known = {"number": 1, "mechanism": "by hand", "links": links, "since_s": NOW_S - ago_s}
    return Fault(kind=kind, nodes=nodes, **{**known, **more})  # type: ignore[arg-type]


def event(ago_s: float, node: str | None, kind: str, text: str, **more: object) -> EventView:
    return EventView(at_s=NOW_S - ago_s, node=node, kind=kind, text=text, **more)  # type: ignore[arg-type]


def asked(view: ClusterView, about: str, **more: object) -> list[str]:
    question = Question(about=about, shard_id=0, **more)  # type: ignore[arg-type]
    return said(why(view, Account().after(view), question))


def said(answer: Answer) -> list[str]:
    return [f"{reason.tone}: {reason.text}" for reason in answer.reasons]


ELECTED = event(20, "n1", "elected", "n1 elected", shard_id=0, term=7)
SUSPECTED = event(20.4, "n1", "suspect", "n3 suspected (φ 8.1) by n1")


# --- a leader ------------------------------------------------------------------------------------


def test_a_leader_leads_because_the_one_before_was_killed() -> None:
    view = picture(
        replica("n1", "leader"), replica("n2"), replica("n3", "leader", term=6),
        faults=(fault(FaultKind.KILL, "n3", ago_s=21.0),),
        events=(SUSPECTED, ELECTED), states={"n3": "killed"}, leaders={6: "n3", 7: "n1"},
        leader="n1",
    )  # fmt: skip
    assert asked(view, "shard") == [
        "text: n1 leads s0000 in term 7: elected 20 s ago",
        "text: by the votes of n1 and n2, of 3 voters; how n3 voted is not known",
        "harm: because n3, which led in term 6, was suspected by n1 at φ 8.1, 0.4 s before that",
        "you: you killed n3 21 s ago (by hand)",
    ]


def test_a_suspicion_that_was_taken_back_is_no_reason() -> None:
    trusted = event(20.2, "n1", "trusted", "n3 is heard (φ 0.1) by n1")
    view = picture(events=(SUSPECTED, trusted, ELECTED), leaders={6: "n3", 7: "n1"})
    assert asked(view, "shard")[-1] == (
        "unknown: why n3, which led in term 6, no longer led was not told"
    )


def test_a_fault_that_began_later_is_no_cause() -> None:
    later = fault(FaultKind.KILL, "n3", ago_s=3.0)
    view = picture(faults=(later,), events=(SUSPECTED, ELECTED), leaders={6: "n3", 7: "n1"})
    assert asked(view, "shard")[-1].startswith("unknown: what made n3 fall silent is not known")


def test_a_fault_that_was_over_before_is_no_cause() -> None:
    paused = picture(faults=(fault(FaultKind.PAUSE, "n3", ago_s=60.0),))
    healed = replace(paused, now_s=NOW_S - 40, faults=())
    view = picture(events=(SUSPECTED, ELECTED), leaders={6: "n3", 7: "n1"})
    account = Account().after(replace(paused, now_s=NOW_S - 59)).after(healed).after(view)
    answer = said(why(view, account, Question(about="shard", shard_id=0)))
    assert answer[-1].startswith("unknown: what made n3 fall silent is not known")


def test_an_election_that_is_no_longer_remembered_is_not_made_up() -> None:
    answer = asked(picture(leaders={6: "n3", 7: "n1"}), "shard")
    assert answer[1] == ("unknown: when it was elected is not known; it has led for 20 s at least")
    assert answer[-1] == "unknown: n3 led in term 6; what ended that is not known any more"


def test_a_fault_that_silences_nobody_is_named_but_not_blamed() -> None:
    slow = fault(FaultKind.SLOW_DISK, "n3", ago_s=30.0)
    view = picture(faults=(slow,), events=(SUSPECTED, ELECTED), leaders={6: "n3", 7: "n1"})
    assert asked(view, "shard")[-1] == (
        "you: in force: you began “slow disk n3” 30 s ago (by hand)"
    )


def test_elections_of_one_second_are_not_told_apart() -> None:
    many = event(20, "n1", "elected", "n1 elected", count=31, term=9)
    view = picture(events=(SUSPECTED, many), leaders={6: "n3", 7: "n1"})
    answer = asked(view, "shard")
    assert answer[0] == (
        "text: n1 leads s0000 in term 7: it won 31 elections 20 s ago, which are not told apart"
    )
    assert "was suspected by n1" in answer[2]
    other = replace(many, at_s=NOW_S - 300)  # Long before this one was seen to lead.
    assert "is not known" in asked(replace(view, events=(other,)), "shard")[1]


def test_a_transfer_is_told_with_who_asked_for_it() -> None:
    stands = event(20.1, "n1", "election", "n1 stands in term 7 (told to)", shard_id=0, term=7)
    wish = event(19.9, "n1", "you", "you: transfer s0000 to n1", by_you=True)
    view = picture(events=(stands, ELECTED, wish), leaders={6: "n3", 7: "n1"})
    assert asked(view, "shard")[-2:] == [
        "text: because n3 told it to stand: leadership was handed over",
        "you: you asked for it 20 s ago",
    ]
    assert asked(replace(view, events=(stands, ELECTED)), "shard")[-1].startswith("unknown")


def test_votes_are_those_of_the_term_that_are_still_seen() -> None:
    view = picture(
        replica("n1", "leader"), replica("n2", voted_for="n3"), replica("n3", voted_for=None)
    )
    assert asked(view, "shard")[2] == (
        "unknown: by the votes of n1, of 3 voters; n2 voted for n3; n3 has not voted in it"
    )


# --- nobody leads --------------------------------------------------------------------------------


def test_without_a_quorum_it_is_said_who_is_missing_and_who_did_that() -> None:
    kill = fault(FaultKind.KILL, "n2")
    pause = fault(FaultKind.PAUSE, "n3", ago_s=5.0, number=2)
    view = picture(
        replica("n1"), replica("n2"), replica("n3"), faults=(kill, pause),
        states={"n2": "killed", "n3": "paused"}, status="no-quorum", since_s=NOW_S - 2.1,
    )  # fmt: skip
    answer = asked(view, "shard")
    assert answer[:2] == [
        "harm: s0000 has had no leader for 2.1 s: 1 of 3 voters are heard",
        "harm: a majority needs 1 more: nobody can be elected before one comes back",
    ]
    assert "you: you killed n2 12 s ago (by hand)" in answer
    assert "you: you paused n3 5.0 s ago (by hand)" in answer


def test_who_stands_and_who_refuses_is_said_by_the_rules_of_the_vote() -> None:
    view = picture(
        replica("n1", "candidate", term=8, leader=None),
        replica("n2", last_index=60, leader=None), replica("n3", leader="n2"),
        status="electing",
    )  # fmt: skip
    answer = asked(view, "shard")
    assert "text: n1 stands in term 8" in answer
    assert "text: n2 refuses n1: its log ends at 60 of term 7, that of n1 at 50 of term 7" in answer
    assert "text: n3 refuses n1: it believes in n2" in answer


def test_a_vote_that_cannot_arrive_is_the_fault_of_the_cut() -> None:
    view = picture(
        replica("n1", "candidate", term=8), replica("n2", leader=None), replica("n3", leader=None),
        faults=(fault(FaultKind.CUT, "n2", "n1"),), status="electing",
    )  # fmt: skip
    answer = asked(view, "shard")
    assert "you: n1 hears nothing of n2: you cut n2 → n1 12 s ago (by hand)" in answer
    assert "unknown: what n3 answers n1 is not known" in answer


# --- entries -------------------------------------------------------------------------------------


def open_view(**match: int) -> ClusterView:
    leading = replica("n1", "leader", last_index=53, match_index=MappingProxyType(match))
    kinds = {"faults": (fault(FaultKind.CUT, "n1", "n2"),)}
    return picture(leading, replica("n2"), replica("n3", last_index=51), **kinds)  # type: ignore[arg-type]


def test_an_index_that_is_not_committed_says_who_lacks_it_and_how_many_it_needs() -> None:
    assert asked(open_view(n2=50, n3=51), "index", index=52) == [
        "harm: 52 is not committed: n1 has it, it needs 1 more",
        "you: n2 lacks it: you cut n1 → n2 12 s ago (by hand)",
        "text: n3 is at 51",
    ]


def test_a_log_that_reaches_it_is_no_ack() -> None:
    view = open_view(n2=50, n3=50)
    assert asked(view, "index", index=51)[-1] == (
        "text: the log of n3 ends at 51, of which n1 has no word"
    )


def test_a_cut_on_the_way_back_hides_what_the_other_has() -> None:
    view = replace(open_view(n2=50, n3=51), faults=(fault(FaultKind.CUT, "n3", "n1"),))
    assert "you: n3 cannot say that it has it: you cut n3 → n1 12 s ago (by hand)" in asked(
        view, "index", index=52
    )


def test_a_slow_disk_may_be_why_an_ack_is_missing_and_may_not() -> None:
    slow = replace(open_view(n2=50, n3=50), faults=(fault(FaultKind.SLOW_DISK, "n3"),))
    assert asked(slow, "index", index=51)[-1] == (
        "you: n3 is not known to have it; in force: you began “slow disk n3” 12 s ago (by hand)"
    )


def test_a_majority_that_has_it_without_a_commit_is_not_explained_by_guessing() -> None:
    answer = asked(open_view(n2=50, n3=53), "index", index=53)
    assert answer == [
        "text: 53 is not committed: n1 and n3 have it",
        "unknown: a majority has it; why n1 has not said so yet is not known",
    ]


def test_an_entry_of_an_earlier_term_commits_only_with_one_of_the_own() -> None:
    view = open_view(n2=50, n3=53)
    made_up = demo.log("n1", 1036, 1050, 1050, 1051)
    log = replace(made_up, entries=(replace(made_up.entries[0], index=53, term=6),))
    answer = asked(replace(view, logs={"n1": log}, logs_shard=0), "index", index=53)
    assert answer[-1] == (
        "text: it is of term 6, and a leader of term 7 commits by counting only "
        "what it has appended itself (§3.6.2)"
    )
    other = replace(view, logs={"n1": log}, logs_shard=9)  # Of a shard that nobody asks about.
    assert asked(other, "index", index=53)[-1].startswith("unknown")


def test_while_joint_both_majorities_are_needed() -> None:
    leading = replica(
        "n1", "leader", last_index=53, outgoing=("n3",), match_index=MappingProxyType({"n2": 53})
    )
    answer = asked(picture(leading, replica("n2"), replica("n3")), "index", index=53)
    assert answer[0] == "harm: 53 is not committed: n1 and n2 have it, it needs 1 more"


def test_a_committed_index_says_who_knows() -> None:
    view = picture(replica("n1", "leader"), replica("n2"), replica("n3", commit_index=44))
    assert asked(view, "index", index=50) == [
        "text: 50 is committed: n1 and n2 say so",
        "text: n3 knows of commits up to 44",
    ]


def test_the_index_that_nobody_chose_is_the_first_open_one() -> None:
    question = Question(about="index", shard_id=0)
    view = open_view(n2=50, n3=51)
    assert why(view, Account(), question).title == "why is 51 of s0000 not committed?"


def test_a_replica_that_lags_says_what_is_on_the_way_to_it() -> None:
    leading = replica("n1", "leader", last_index=950, snapshot_index=900)
    slow = fault(FaultKind.SLOW_DISK, "n3")
    view = picture(leading, replica("n2"), replica("n3"), faults=(slow,))
    assert asked(view, "replica", node="n3") == [
        "text: n3 is at 50, n1, which leads, at 950: 900 behind",
        "text: n1 has a snapshot at 900: n3 may be given that instead of entries",
        "you: in force: you began “slow disk n3” 12 s ago (by hand)",
    ]
    assert asked(replace(view, faults=()), "replica", node="n3")[-1].startswith("unknown")
    assert "leads" in asked(picture(), "replica", node="n3")[0]  # It is not behind.


# --- nodes, links, refusals ----------------------------------------------------------------------


def test_a_suspected_node_says_by_whom_for_how_long_and_what_was_done() -> None:
    view = picture(
        faults=(fault(FaultKind.CUT, "n3", "n1", ago_s=2.0),),
        events=(event(0.9, "n1", "suspect", "n3 suspected (φ 8.1) by n1"),),
    )
    links = {
        pair: replace(link, phi=9.4) if pair == ("n3", "n1") else link
        for pair, link in view.links.items()
    }
    answer = asked(replace(view, links=links), "node", node="n3")
    assert answer == [
        "text: n3 runs: it reported 0.1 s ago and leads 0 shards",
        "harm: n1 has suspected it for 0.9 s: φ 9.4 ≥ 8",
        "you: you cut n3 → n1 2.0 s ago (by hand)",
    ]


def test_a_node_that_is_silent_for_no_known_reason_says_that() -> None:
    view = picture()
    nodes = tuple(
        replace(node, reported_at_s=NOW_S - 4.2) if node.name == "n2" else node
        for node in view.nodes
    )
    answer = asked(replace(view, nodes=nodes), "node", node="n2")
    assert answer[0] == "unknown: n2 has not answered the lab for 4.2 s; why is not known"


def test_what_a_dead_observer_believes_is_not_known() -> None:
    view = picture(faults=(fault(FaultKind.KILL, "n2"),), states={"n2": "killed"})
    assert asked(view, "link", link=("n1", "n2")) == ["you: you killed n2 12 s ago (by hand)"]
    assert asked(view, "node", node="n1")[-1] == "unknown: what n2 believes of it is not known"


def test_a_refused_write_says_what_was_told_and_who_led() -> None:
    failed = event(3, None, "failed", "failed: write a=1 to s0000: no leader now", shard_id=0)
    view = picture(
        replica("n1"), replica("n2"), replica("n3"), events=(failed,), status="no-leader"
    )
    answer = asked(view, "refusal")
    assert answer[0] == "harm: 3.0 s ago: write a=1 to s0000: no leader now"
    assert "has had no leader" in answer[1]
    since = picture(events=(failed, replace(ELECTED, at_s=NOW_S - 1)))
    assert asked(since, "refusal")[1] == "text: that was before n1 was elected, 1.0 s ago"
    good = event(1, None, "you", "you: write a=1 to s0000: ok", shard_id=0, by_you=True)
    assert asked(picture(events=(failed, good)), "refusal") == [
        "unknown: no request of this screen to this shard was refused last"
    ]


@pytest.mark.parametrize("about", ["shard", "index", "replica", "node", "link", "refusal"])
def test_there_is_an_answer_to_everything_even_of_an_empty_picture(about: str) -> None:
    empty = why(ClusterView(), Account(), Question(about=about, node="n1", link=("n1", "n2")))
    assert empty.reasons
    view = picture()
    for node in view.nodes:
        bare = replace(node, reported_at_s=None)
        less = replace(view, nodes=(bare,), links=MappingProxyType({}))
        question = Question(about=about, shard_id=0, node=node.name, link=("n1", "n2"), index=99)
        assert why(less, Account(), question).reasons
