"""
Chapter 4, section 4.1: safety of membership changes.

The dissertation recommends one server at a time and keeps joint consensus (4.3) as the general
way. Ours has the general way only: every change of voters goes through a joint configuration, so
that each sentence about Cold and Cnew holds here for any two that follow one another.
"""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from lolraft.raft.effects import Code
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    Bootstrap,
    ChangeMembers,
    LeaderLost,
    Refusal,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.quorum import has_quorum
from lolraft.raft.types import Configuration, EntryKind, NodeId, Role
from tests.paper.replica import (
    FIVE,
    GROUP,
    ME,
    P2,
    P3,
    P4,
    P5,
    THREE,
    Paper,
    answers,
    append,
    configure,
    empty,
    members,
    only,
    saved,
    sent,
    vote,
)
from tests.unit.raft.group import Group

REMOVE_P3 = ChangeMembers(ticket=1, removed=(P3,))
JOINT = members(ME, P2, outgoing=THREE)


def groups_of(names: tuple[NodeId, ...]) -> list[frozenset[NodeId]]:
    """Return every set of *names* but the empty one."""
    sizes = range(1, len(names) + 1)
    return [*map(frozenset, chain.from_iterable(combinations(names, size) for size in sizes))]


def quorums(configuration: Configuration, names: tuple[NodeId, ...]) -> list[frozenset[NodeId]]:
    """Return every set of *names* that can decide alone."""
    return [some for some in groups_of(names) if has_quorum(configuration, some)]


def test_at_no_point_can_two_leaders_be_elected_for_a_term() -> None:
    """§4.1: there must be no point where two leaders can be elected for the same term.

    Whatever the old and the new set of up to four servers, a quorum of each configuration has a
    server in common with every quorum of the one before it: it has one vote.
    """
    names = (*THREE, P4)
    sets = groups_of(names)
    for old in sets:
        for new in sets:
            before, after = members(*sorted(old)), members(*sorted(new))
            joint = after.with_members(outgoing=before.voters)
            decide = [quorums(each, names) for each in (before, joint, after)]
            assert all(a & b for a in decide[0] for b in decide[1]), (old, new)
            assert all(a & b for a in decide[1] for b in decide[2]), (old, new)


def test_two_majorities_that_share_nobody_are_not_enough() -> None:
    """§4.1 (figure 4.2): switching directly from one configuration to another is unsafe.

    From three to five servers: two of the old and three of the new could elect one leader each.
    Ours never lets the new five decide without the old three.
    """
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4, P5)))
    seen = [one.state.configuration]
    for _ in range(20):
        one.save()
        for peer in [*one.state.progress]:
            one.tell(one.holds(peer))
            if one.state.configuration != seen[-1]:
                seen.append(one.state.configuration)
    assert seen == [
        members(*THREE, learners=(P4, P5)),
        members(*FIVE, outgoing=THREE),
        members(*FIVE),
    ]


def test_a_configuration_is_an_entry_of_the_log() -> None:
    """§4.1: configurations are stored and communicated using special entries in the log."""
    one = Paper(1).settled()
    save = saved(one.tell(REMOVE_P3))
    assert save is not None
    assert save.entries is not None
    assert save.entries.kinds == bytes((EntryKind.CONFIGURATION,))
    assert Configuration.decode(save.entries.payloads[0]) == JOINT


def test_the_leader_replicates_it_like_any_entry() -> None:
    """§4.1: the leader appends Cnew to its log and replicates it using the normal mechanism."""
    one = Paper(1).settled()
    effects = one.tell(REMOVE_P3)
    for peer in (P2, P3):
        (request,) = sent(effects, AppendRequest, peer)
        assert (request.prev_clock, len(request.entries.terms)) == ((2, 3), 1)


def test_it_takes_effect_at_the_leader_when_it_is_in_the_log() -> None:
    """§4.1: the new configuration takes effect as soon as it is added to the server's log."""
    one = Paper(1).settled()
    one.tell(REMOVE_P3)
    assert one.state.configuration == JOINT
    assert one.state.commit_index < one.state.configuration_index


def test_it_takes_effect_at_a_follower_when_it_is_in_the_log() -> None:
    """§4.1: ... on each server; servers do not wait for configuration entries to be committed."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), members(*FIVE)))
    one.lose(P2)
    one.candidate()
    one.tell(one.grant(P2))
    assert (one.state.role, one.state.commit_index) == (Role.CANDIDATE, 0), "two of five"
    one.tell(one.grant(P5))
    assert one.state.role is Role.LEADER


def test_the_new_configuration_determines_its_own_commitment() -> None:
    """§4.1: a majority of the new configuration is used to determine the entry's commitment."""
    one = Paper(1).settled()
    one.tell(REMOVE_P3)
    one.save()
    one.tell(one.holds(P3))
    assert one.state.commit_index == 3, "two of the old three, but one of the new two"
    one.tell(one.holds(P2))
    assert one.state.commit_index == 4


def test_each_server_uses_the_latest_configuration_in_its_log() -> None:
    """§4.1: each server always uses the latest configuration found in its log."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.tell(configure(P2, 1, (1, 3), members(ME, P2)))
    assert (one.state.configuration, one.state.configuration_index) == (members(ME, P2), 4)
    one.tell(append(P2, 1, (1, 4), 1))
    assert one.state.configuration == members(ME, P2)


def test_the_change_is_acknowledged_once_cnew_is_committed() -> None:
    """§4.1: it is complete once Cnew is committed: the leader can acknowledge it, not before."""
    one = Paper(1).settled()
    one.tell(REMOVE_P3)
    one.save()
    assert answers(one.tell(one.holds(P2))) == [], "joint is committed, Cnew only begun"
    assert one.state.configuration == members(ME, P2)
    assert answers(one.save()) == []
    (answer,) = answers(one.tell(one.holds(P2)))
    assert (answer.ticket, answer.code) == (1, Code.OK)


def test_a_removed_server_can_be_shut_down_once_cnew_is_committed() -> None:
    """§4.1: if the configuration change removed a server, that server can be shut down.

    Ours tells it (L10): nobody sends it the entry any more.
    """
    one = Paper(1).settled()
    one.tell(REMOVE_P3)
    one.save()
    early = one.tell(one.holds(P2)) + one.save()
    assert sent(early, VoteResponse, P3) == []
    (told,) = sent(one.tell(one.holds(P2)), VoteResponse, P3)
    assert (told.refusal, told.removed_at) == (Refusal.REMOVED, 5)


def test_a_further_change_can_be_started_then_and_not_before() -> None:
    """§4.1: further changes can be started; before, overlapping ones could be unsafe."""
    one = Paper(1).settled()
    one.tell(REMOVE_P3)
    (refused,) = answers(one.tell(ChangeMembers(ticket=2, voters=(P4,))))
    assert refused.code is Code.FAILED_PRECONDITION
    one.agree()
    assert answers(one.tell(ChangeMembers(ticket=3, voters=(P4,)))) == []
    assert one.state.configuration == members(ME, P2, learners=(P4,))


def test_a_new_leader_ends_the_change_it_found_before_another() -> None:
    """§4.1: not beginning a new change until the previous change's entry has committed."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    one.lose(P2)
    one.leader()
    change = ChangeMembers(ticket=2, voters=(P4,))
    assert answers(one.tell(change)) == [], "it waits for the barrier first"
    (refused,) = answers(one.tell(one.holds(P2)))
    assert (refused.ticket, refused.code) == (2, Code.FAILED_PRECONDITION)
    assert P4 not in one.state.configuration.members


def test_no_change_begins_before_an_entry_of_the_leaders_own_term_is_committed() -> None:
    """§4.1: a leader may not know yet that the entry of an earlier change is not the last.

    The dissertation lacks this rule; its author added it for single-server changes (raft-dev, July
    2015). Ours keeps it for all, so that one change is never begun beside another's rest.
    """
    one = Paper(1).leader()
    before = one.state.configuration
    assert answers(one.tell(REMOVE_P3)) == []
    assert one.state.configuration == before
    one.tell(one.holds(P2))
    assert one.state.configuration == JOINT


def test_a_server_falls_back_to_the_previous_configuration() -> None:
    """§4.1: the entry can be removed; a server must fall back to the previous configuration."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), JOINT))
    assert one.state.configuration == JOINT
    one.tell(append(P3, 2, (1, 2), 2))
    assert (one.state.configuration, one.state.configuration_index) == (members(*THREE), 1)


def test_it_accepts_entries_of_a_leader_outside_its_configuration() -> None:
    """§4.1: a server accepts AppendEntries from a leader that is not part of its configuration."""
    one = Paper(1)
    assert only(one.tell(append(P5, 2, (1, 2), 2)), AppendResponse).success
    assert (one.state.leader_id, one.terms()) == (P5, [0, 1, 2])


def test_a_server_without_any_configuration_accepts_entries() -> None:
    """§4.1: otherwise, a new server could never be added to the cluster."""
    one = empty()
    assert only(one.tell(configure(P2, 1, (0, 0), members(P2))), AppendResponse).success
    assert (one.state.configuration, one.state.group) == (members(P2), GROUP)


def test_it_votes_for_a_candidate_outside_its_configuration() -> None:
    """§4.1: a server grants its vote to a candidate that is not part of its configuration."""
    one = Paper(1)
    assert only(one.tell(vote(P5, 2, (1, 2))), VoteResponse).granted


@pytest.mark.parametrize("last", [(1, 1), (0, 9)], ids=str)
def test_it_does_so_only_for_a_log_that_is_up_to_date(last: tuple[int, int]) -> None:
    """§4.1: ... (if the candidate has a sufficiently up-to-date log and a current term)."""
    one = Paper(1)
    assert not only(one.tell(vote(P5, 2, last)), VoteResponse).granted


@pytest.mark.parametrize("learners", [(), (ME,)], ids=["stranger", "learner"])
def test_it_votes_though_its_own_configuration_gives_it_no_vote(
    learners: tuple[NodeId, ...],
) -> None:
    """§4.1: servers process incoming requests without consulting their current configurations."""
    one = Paper(1, voters=(P2, P3, P4), learners=learners)
    assert only(one.tell(vote(P2, 2, (1, 2))), VoteResponse).granted


def test_the_vote_of_a_new_server_may_be_needed() -> None:
    """§4.1: adding a fourth server to three, one of which fails: its vote makes the majority."""
    group = Group("n1", "n2", "n3", "n4", bootstrap=False)
    for name in ("n1", "n2", "n3"):
        group.tell(name, Bootstrap(ticket=None, voters=THREE, group_id=GROUP))
        group.save(name)
    group.elect("n1")
    group.tell("n1", ChangeMembers(ticket=1, voters=(P4,)))
    group.settle()
    assert group.state("n4").configuration == members(*THREE, P4)
    group.crash("n1")
    for name in ("n2", "n3", "n4"):
        group.tell(name, LeaderLost(leader_id=ME, term=1))
    group.elect("n2")
    assert group.state("n2").role is Role.LEADER
    assert group.state("n4").ballot.voted_for == P2


def test_a_candidate_asks_everybody_of_its_own_configuration() -> None:
    """§4.1: it is the caller's configuration that is used in reaching consensus."""
    one = Paper(1).follow(P2)
    one.tell(configure(P2, 1, (1, 2), members(ME, P4, P5, outgoing=THREE)))
    one.lose(P2)
    asked = one.expire()
    assert [peer for peer in FIVE if sent(asked, VoteRequest, peer)] == [P2, P3, P4, P5]
