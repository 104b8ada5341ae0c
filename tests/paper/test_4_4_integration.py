"""Chapter 4, section 4.4 (system integration) and figure 4.1 (AddServer and RemoveServer)."""

from __future__ import annotations

from lolraft.raft.effects import Code
from lolraft.raft.events import AppendResponse, Bootstrap, ChangeMembers, VoteRequest, VoteResponse
from lolraft.raft.types import EntryKind, Role
from tests.paper.replica import (
    GROUP,
    ME,
    P2,
    P3,
    P4,
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

FIRST = Bootstrap(ticket=1, voters=(ME,), group_id=GROUP)


def test_one_server_is_initialized_with_a_configuration() -> None:
    """§4.4: the first server is initialized with a configuration as the first entry of its log."""
    one = empty()
    save = saved(one.tell(FIRST))
    assert save is not None
    assert save.entries is not None
    assert (save.entries.first, save.entries.kinds[0]) == (1, EntryKind.CONFIGURATION)
    assert one.state.log.term_at(1) == 0


def test_it_lists_only_that_server_and_counts_as_committed() -> None:
    """§4.4: it alone forms a majority, so it can consider this configuration committed."""
    one = empty()
    one.tell(FIRST)
    assert (one.state.configuration, one.state.commit_index) == (members(ME), 1)


def test_it_elects_itself_alone() -> None:
    """§4.4: it alone forms a majority of its configuration; who asked hears when it leads."""
    one = empty()
    one.tell(FIRST)
    one.save()
    assert one.state.role is Role.LEADER
    assert [item.code for item in answers(one.save())] == [Code.OK]


def test_several_may_begin_together() -> None:
    """§4.4: the dissertation begins with one server; ours also with several that agree on entry 1.

    Each writes the same entry itself; none leads before a majority elected it.
    """
    one = empty()
    one.tell(Bootstrap(ticket=None, voters=(P3, ME, P2), group_id=GROUP))
    assert (one.state.configuration, one.state.commit_index) == (members(*THREE), 1)
    assert (one.state.role, one.state.current_term) == (Role.FOLLOWER, 0)
    one.candidate()
    assert one.state.role is Role.CANDIDATE


def test_who_has_a_log_is_not_initialized_again() -> None:
    """§4.4: *the first time* a cluster is created: a second time would be another cluster."""
    one = Paper(1, voters=(P2, P3))
    (answer,) = answers(one.tell(FIRST))
    assert answer.code is Code.FAILED_PRECONDITION
    assert one.terms() == [0, 1]


def test_other_servers_begin_with_empty_logs_and_wait() -> None:
    """§4.4: other servers from then on are initialized with empty logs: they elect nobody."""
    one = empty()
    assert one.state.deadline_s is None
    assert not only(one.tell(vote(P2, 1, (0, 1))), VoteResponse).granted
    assert one.state.current_term == 0


def test_they_learn_of_the_configuration_from_a_leader() -> None:
    """§4.4: they learn of the current configuration through the membership change mechanism."""
    one = empty()
    one.tell(configure(P2, 1, (0, 0), members(P2)))
    one.tell(configure(P2, 1, (1, 1), members(P2, learners=(ME,))))
    one.tell(append(P2, 1, (1, 2), 1))
    assert one.state.configuration == members(P2, learners=(ME,))
    assert one.terms() == [1, 1, 1]


def test_a_failed_server_is_replaced_without_a_gap() -> None:
    """§4.4: it is better to add a server before removing one: the group stays as large as it was.

    Ours does both in one change: the new server learns first, then both move at once.
    """
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4,), removed=(P3,)))
    assert one.state.configuration == members(*THREE, learners=(P4,))
    one.save()
    one.tell(one.holds(P2))
    one.tell(one.holds(P4))
    assert one.state.configuration == members(ME, P2, P4, outgoing=THREE)
    one.save()
    one.tell(one.holds(P2))  # n3 has failed: it never says a word.
    assert one.state.configuration == members(ME, P2, P4)
    one.save()
    (answer,) = answers(one.tell(one.holds(P4)))
    assert answer.code is Code.OK


# Figure 4.1


def test_who_does_not_lead_changes_nothing_and_names_the_leader() -> None:
    """§4.1 (figure 4.1): 1. reply NOT_LEADER if not leader, with the recent leader's address."""
    one = Paper(1).follow(P2)
    for change in (
        ChangeMembers(ticket=1, voters=(P4,)),
        ChangeMembers(ticket=1, removed=(P3,)),
    ):
        (answer,) = answers(one.tell(change))
        assert (answer.code, answer.leader_id) == (Code.UNAVAILABLE, P2)
    assert one.state.configuration == members(*THREE)


def test_a_new_configuration_is_the_old_one_and_the_new_server() -> None:
    """§4.1 (figure 4.1): 4. append new configuration entry (old configuration plus newServer)."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4,)))
    (answer,) = answers(one.agree())
    assert (answer.code, one.state.configuration) == (Code.OK, members(*THREE, P4))


def test_or_the_old_one_without_the_server() -> None:
    """§4.1 (figure 4.1): 3. append new configuration entry (the old one without oldServer)."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, removed=(P3,)))
    (answer,) = answers(one.agree())
    assert (answer.code, one.state.configuration) == (Code.OK, members(ME, P2))


def test_what_is_so_already_is_answered_at_once() -> None:
    """§4.4: whoever repeats a request, as after a lost answer, is told that it is done (C2)."""
    one = Paper(1).settled()
    before = one.terms()
    (answer,) = answers(one.tell(ChangeMembers(ticket=1, voters=(P3,))))
    assert (answer.code, one.terms()) == (Code.OK, before)


def test_who_is_no_member_is_removed_already() -> None:
    """§4.4: the same for a removal that is repeated; beside another wish it is a mistake (C2)."""
    one = Paper(1).settled()
    before = one.terms()
    (answer,) = answers(one.tell(ChangeMembers(ticket=1, removed=(P4,))))
    assert (answer.code, one.terms()) == (Code.OK, before)
    (answer,) = answers(one.tell(ChangeMembers(ticket=1, removed=(P3, P4))))
    assert (answer.code, one.terms()) == (Code.FAILED_PRECONDITION, before)


def test_the_last_server_cannot_be_removed() -> None:
    """§4.2.2: nobody would be left to commit Cnew."""
    one = Paper(1, voters=(ME,))
    one.expire()
    one.save()
    one.save()
    before = one.terms()
    (answer,) = answers(one.tell(ChangeMembers(ticket=1, removed=(ME,))))
    assert (answer.code, one.terms()) == (Code.FAILED_PRECONDITION, before)
    assert one.state.role is Role.LEADER


def test_a_server_may_be_made_a_voter_that_learnt_before() -> None:
    """§4.4: a standby that has the log already can replace a failed server at once."""
    one = Paper(1, learners=(P4,)).settled()
    one.tell(ChangeMembers(ticket=1, voters=(P4,), removed=(P3,)))
    assert one.state.configuration == members(ME, P2, P4, outgoing=THREE)


def test_a_server_that_left_answers_nobody() -> None:
    """§4.4: who was removed can be shut down: until then it neither stands nor votes."""
    one = Paper(1).settled()
    one.tell(ChangeMembers(ticket=1, removed=(ME,)))
    one.agree()
    assert (one.state.stopped, one.state.deadline_s) == (True, None)
    effects = one.tell(vote(P2, 9, (9, 9))) + one.tell(append(P2, 9, (2, 5), 9))
    assert sent(effects, VoteResponse) + sent(effects, VoteRequest) == []
    assert sent(effects, AppendResponse) == []
