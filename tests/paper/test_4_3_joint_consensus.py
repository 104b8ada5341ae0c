"""Chapter 4, section 4.3: arbitrary configuration changes using joint consensus."""

from __future__ import annotations

from lolraft.raft.effects import Code, Proposed
from lolraft.raft.events import (
    AppendRequest,
    ChangeMembers,
    Propose,
    Refusal,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.types import NodeId, Role
from tests.paper.replica import (
    FIVE,
    ME,
    P2,
    P3,
    P4,
    P5,
    THREE,
    Paper,
    answers,
    append,
    applied,
    configure,
    members,
    only,
    saved,
    sent,
    vote,
)

NEW = (ME, P4, P5)  # What comes after THREE in most of these tests.
JOINT = members(*NEW, outgoing=THREE)
REPLACE = ChangeMembers(ticket=1, voters=(P4, P5), removed=(P2, P3))
NINE = tuple(NodeId(f"m{number}") for number in range(1, 10))
COMMAND = Propose(tickets=(9,), payloads=(b"x",))


def joint() -> Paper:
    """Return a leader that has begun to use Cold,new; nobody else has the entry."""
    one = Paper(1).settled()
    one.tell(REPLACE)
    one.save()
    for peer in (P2, P4, P5):
        one.tell(one.holds(peer))
    assert one.state.configuration == JOINT
    one.save()
    return one


def test_the_cluster_first_switches_to_a_transitional_configuration() -> None:
    """§4.3: the cluster first switches to joint consensus, which combines both configurations."""
    one = joint()
    assert (one.state.configuration.outgoing, one.state.configuration.voters) == (THREE, NEW)


def test_entries_go_to_all_servers_in_both() -> None:
    """§4.3: log entries are replicated to all servers in both configurations."""
    one = Paper(1, voters=NEW, outgoing=THREE).candidate()
    effects = [effect for peer in one.peers() for effect in one.tell(one.grant(peer))]
    assert [peer for peer in FIVE if sent(effects, AppendRequest, peer)] == [P2, P3, P4, P5]


def test_a_server_of_the_old_configuration_may_lead() -> None:
    """§4.3: any server from either configuration may serve as leader."""
    one = Paper(1, voters=(P3, P4, P5), outgoing=THREE).leader()
    assert one.state.role is Role.LEADER


def test_a_server_of_the_new_configuration_may_lead() -> None:
    """§4.3: ... from either."""
    one = Paper(1, voters=NEW, outgoing=(P2, P3)).leader()
    assert one.state.role is Role.LEADER


def test_an_election_needs_two_of_the_old_three_and_five_of_the_new_nine() -> None:
    """§4.3: agreement (for elections ...) requires majorities from both."""
    for early, late in ((NINE[:5], (P2,)), ((P2,), NINE[:5])):
        one = Paper(1, voters=NINE, outgoing=THREE).candidate()
        for peer in (*early, *late[:-1]):
            one.tell(one.grant(peer))
            assert one.state.role is Role.CANDIDATE
        one.tell(one.grant(late[-1]))
        assert one.state.role is Role.LEADER


def test_a_commit_needs_two_of_the_old_three_and_five_of_the_new_nine() -> None:
    """§4.3: ... (and entry commitment)."""
    for early, late in ((NINE[:5], (P2,)), ((P2,), NINE[:5])):
        one = Paper(1, voters=NINE, outgoing=THREE).leader()
        for peer in (*early, *late[:-1]):
            one.tell(one.holds(peer, index=3))
            assert one.state.commit_index == 0
        one.tell(one.holds(late[-1], index=3))
        assert one.state.commit_index == 3


def test_the_leader_saves_the_joint_configuration_as_an_entry() -> None:
    """§4.3: it saves the configuration for joint consensus as a log entry and replicates it."""
    one = Paper(1).settled()
    effects = one.tell(ChangeMembers(ticket=1, removed=(P3,)))
    save = saved(effects)
    assert save is not None
    assert save.entries is not None
    assert save.entries.payloads == (members(ME, P2, outgoing=THREE).encode(),)
    assert sent(effects, AppendRequest, P2)[0].entries == save.entries


def test_each_server_uses_it_as_soon_as_its_log_has_it() -> None:
    """§4.3: each server starts using a new configuration as soon as it stores it in its log."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.lose(P2)
    one.candidate()
    one.tell(one.grant(P2))
    assert one.state.role is Role.CANDIDATE, "the old majority is not enough"
    one.tell(one.grant(P4))
    assert one.state.role is Role.LEADER


def test_the_rules_of_joint_determine_when_joint_is_committed() -> None:
    """§4.3: the leader uses the rules of Cold,new to determine when that entry is committed."""
    one = joint()
    index = one.state.configuration_index
    one.tell(one.holds(P2))
    one.tell(one.holds(P3))
    assert one.state.commit_index < index, "all of Cold, and one of Cnew"
    one.tell(one.holds(P4))
    assert one.state.commit_index == index


def test_the_new_configuration_makes_no_decision_alone() -> None:
    """§4.3: Cnew cannot make unilateral decisions during this period."""
    one = joint()
    index = one.state.configuration_index
    for peer in (P4, P5):
        one.tell(one.holds(peer))
    assert one.state.commit_index < index


def test_a_new_leader_may_be_chosen_under_the_old_configuration() -> None:
    """§4.3: if the leader crashes, one may be chosen under either Cold ..."""
    one = Paper(1).candidate()  # It has not received Cold,new.
    one.tell(one.grant(P2))
    assert one.state.role is Role.LEADER


def test_or_under_joint_depending_on_what_it_has_received() -> None:
    """§4.3: ... or Cold,new, depending on whether the winning candidate has received it."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.lose(P2)
    one.candidate()
    for peer in (P4, P5):
        one.tell(one.grant(peer))
    assert one.state.role is Role.CANDIDATE, "Cnew alone elects nobody"
    one.tell(one.grant(P3))
    assert one.state.role is Role.LEADER


def test_who_won_under_the_old_one_takes_the_joint_entry_back() -> None:
    """§4.3: then Cold,new never was: who has it falls back to Cold."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.tell(append(P3, 2, (1, 2), 2))
    assert one.state.configuration == members(*THREE)


def test_once_joint_is_committed_only_who_has_it_can_be_elected() -> None:
    """§4.3: only servers with the Cold,new log entry can be elected as leader."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.lose(P2)
    assert not only(one.tell(vote(P3, 2, (1, 2))), VoteResponse).granted
    assert only(one.tell(vote(P4, 3, (1, 3))), VoteResponse).granted


def test_then_the_leader_creates_cnew_and_replicates_it() -> None:
    """§4.3: it is now safe for the leader to create an entry for Cnew and replicate it."""
    one = joint()
    one.tell(one.holds(P4))
    assert one.state.configuration == JOINT, "not before"
    effects = one.tell(one.holds(P2))
    assert one.state.configuration == members(*NEW)
    (request,) = sent(effects, AppendRequest, P4) or sent(one.tell(one.holds(P4)), AppendRequest)
    assert request.entries.payloads[-1] == members(*NEW).encode()


def test_cnew_takes_effect_as_soon_as_it_is_seen() -> None:
    """§4.3: again, this configuration will take effect on each server as soon as it is seen."""
    one = Paper(1, voters=NEW, outgoing=THREE).follow(P4)
    one.tell(configure(P4, 1, (1, 2), members(*NEW)))
    one.lose(P4)
    one.candidate()
    one.tell(one.grant(P5))
    assert one.state.role is Role.LEADER, "nobody of Cold was asked"


def test_cnew_is_committed_under_the_rules_of_cnew() -> None:
    """§4.3: when Cnew has been committed under the rules of Cnew, the old one is irrelevant."""
    one = joint()
    for peer in (P2, P4):
        one.tell(one.holds(peer))
    one.save()
    effects = one.tell(one.holds(P5))
    assert one.state.commit_index == one.state.configuration_index, "n2 and n3 have no say"
    assert [(item.ticket, item.code) for item in answers(effects)] == [(1, Code.OK)]


def test_servers_outside_cnew_can_be_shut_down_then() -> None:
    """§4.3: ... and servers not in the new configuration can be shut down: ours are told (L10)."""
    one = joint()
    effects = one.tell(one.holds(P2)) + one.tell(one.holds(P4)) + one.save()
    assert sent(effects, VoteResponse) == []
    effects = one.tell(one.holds(P5))
    assert [peer for peer in FIVE if sent(effects, VoteResponse, peer)] == [P2, P3]
    assert {item.refusal for item in sent(effects, VoteResponse)} == {Refusal.REMOVED}


def test_a_new_leader_ends_what_a_crashed_one_began() -> None:
    """§4.3: a leader whose latest configuration is Cold,new goes on to Cnew (L10)."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT, commit=3))  # It may know that it is committed.
    one.save()
    one.lose(P2)
    one.leader()
    one.tell(one.holds(P4))
    assert one.state.configuration == JOINT, "its barrier is not committed"
    one.tell(one.holds(P2))
    assert one.state.configuration == members(*NEW)


def test_requests_are_served_throughout() -> None:
    """§4.3: the cluster continues to service client requests throughout the change."""
    one = joint()
    index = only(one.tell(COMMAND), Proposed).first.index
    assert one.state.configuration == JOINT
    one.save()
    one.tell(one.holds(P2))
    assert index in applied(one.tell(one.holds(P4)))
    assert one.state.configuration == members(*NEW)
    index = only(one.tell(COMMAND), Proposed).first.index
    one.save()
    assert index in applied(one.tell(one.holds(P5)))


def test_no_other_change_begins_while_one_is_under_way() -> None:
    """§4.3: the leader rejects changes while its latest configuration is not committed or joint."""
    one = joint()
    other = ChangeMembers(ticket=2, voters=(P2,))
    assert [item.code for item in answers(one.tell(other))] == [Code.FAILED_PRECONDITION]
    for peer in (P2, P4):
        one.tell(one.holds(peer))
    assert one.state.configuration == members(*NEW), "simple, and not committed"
    assert [item.code for item in answers(one.tell(other))] == [Code.FAILED_PRECONDITION]
    assert len(answers(one.agree())) == 1
    assert answers(one.tell(other)) == []


def test_who_asks_for_the_same_change_waits_for_its_end() -> None:
    """§4.3: it is the same change, not an additional one: ours lets it join (C2)."""
    one = joint()
    again = ChangeMembers(ticket=2, voters=(P4, P5), removed=())
    assert answers(one.tell(again)) == []
    assert [(item.ticket, item.code) for item in answers(one.agree())] == [
        (1, Code.OK),
        (2, Code.OK),
    ]


def test_a_leader_outside_cnew_goes_when_cnew_is_committed() -> None:
    """§4.3, §4.2.2: the old and the new configuration may have no server in common."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4, P5), others_leave=True))
    one.save()
    for peer in (P2, P4, P5):
        one.tell(one.holds(peer))
    assert one.state.configuration == members(P4, P5, outgoing=THREE)
    effects = one.agree()
    assert [item.code for item in answers(effects)] == [Code.OK]
    assert (one.state.role, one.state.stopped) == (Role.FOLLOWER, True)


def test_a_candidate_asks_both_and_a_learner_neither() -> None:
    """§4.3: a vote of either half counts in that half only; who is in both counts in both."""
    one = Paper(1, voters=NEW, outgoing=THREE, learners=(NINE[0],))
    asked = one.expire()
    assert [peer for peer in (*FIVE, *NINE) if sent(asked, VoteRequest, peer)] == [P2, P3, P4, P5]
    for peer in (P2, P3):
        one.tell(one.grant(peer, pre_vote=True))
    assert one.state.role is Role.PRE_CANDIDATE, "all of Cold, and itself of Cnew"
    one.tell(one.grant(P4, pre_vote=True))
    assert one.state.role is Role.CANDIDATE
