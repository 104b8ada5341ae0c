"""
Small mistakes, planted into a copy of the package: each turns one rule round.

Each is a file below `lolraft`, the text as it is, and the text as it must never be; the rule of
PROTOCOL.md or the section is in the name. `test_planted.py` lets seeds look for each from `seed`
on, with `aim` changed in their plans where blind chance takes too long, or runs the `story` that
tells of just this mistake. `python -m tests.simulation.planting` says what each of them takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mistake:
    """One rule turned round."""

    name: str
    file: str
    before: str
    after: str
    seed: int = 0
    aim: dict[str, object] = field(default_factory=dict)
    story: str = ""  # A test below `tests/` (or in this folder), where seeds need too long.


PLANTED = (
    # --- one replica -----------------------------------------------------------------------------
    Mistake(
        "an entry of an earlier term is committed by counting (figure 3.7)",
        "raft/replication.py",
        "index > state.commit_index and state.log.term_at(index) == state.current_term",
        "index > state.commit_index",
    ),
    Mistake(
        "a vote is given twice in a term (3.4)",
        "raft/election.py",
        "vote_is_free = state.ballot.voted_for in (None, request.sender)",
        "vote_is_free = True",
    ),
    Mistake(
        "the voter does not compare logs (3.6.1)",
        "raft/election.py",
        "up_to_date = request.last_clock >= state.log.last_clock",
        "up_to_date = True",
    ),
    Mistake(
        "the own vote counts before it is on disk (S3)",
        "raft/election.py",
        "    state.votes = {}\n",
        "    state.votes = {state.node_id: True}\n",
    ),
    Mistake(
        "the leader counts itself before its disk does (10.2.1)",
        "raft/replication.py",
        "match[state.node_id] = state.durable_index",
        "match[state.node_id] = state.log.last_index",
    ),
    Mistake(
        "a follower commits what its tail never matched (3.5)",
        "raft/replication.py",
        "min(request.commit_index, match))",
        "min(request.commit_index, log.last_index))",
        story="scenarios/test_stories.py::test_story[stale_tail_heartbeat_commit]",
    ),
    Mistake(
        "a deposed leader is obeyed (3.3)",
        "raft/replication.py",
        "    if request.term < state.current_term:\n",
        "    if False:\n",
        story="scenarios/test_stories.py::test_story[stale_leader_appends]",
    ),
    Mistake(
        "an old append that comes late cuts a longer log (3.5)",
        "raft/replication.py",
        "and log.term_at(entries.first + skip) == entries.terms[skip]:",
        "and False:",
    ),
    Mistake("a majority is half", "raft/quorum.py", "* 2 > len(half)", "* 2 >= len(half)"),
    Mistake(
        "a commit needs one less",
        "raft/quorum.py",
        "[len(half) // 2]",
        "[max(0, len(half) // 2 - 1)]",
    ),
    Mistake(
        "a joint configuration asks the new half only (4.3)",
        "raft/quorum.py",
        "    if configuration.outgoing:\n",
        "    if False:\n",
        story="scenarios/test_stories.py::test_story[joint_figure_4_3]",
    ),
    Mistake(
        "a joint configuration is left by its own leader only (L10)",
        "raft/membership.py",
        "    if configuration.is_joint:  # Also",
        "    if configuration.is_joint and leadership.change:  # Also",
    ),
    Mistake(
        "the configuration of an overwritten entry stays (4.1)",
        "raft/state.py",
        "while self.configurations and self.configurations[-1][0] >= index:",
        "while False:",
        story="scenarios/test_stories.py::test_story[config_rolled_back]",
    ),
    Mistake(
        "a read asks no quorum (6.4)",
        "raft/reads.py",
        "    return [ConfirmLeadership(round_=leadership.round_)]",
        "    taken = list(leadership.reads)\n    leadership.reads.clear()\n"
        "    return [ServeRead(ticket=ticket, index=index) for _, ticket, index in taken]",
    ),
    Mistake(
        "a new leader reads before its barrier commits (6.4)",
        "raft/reads.py",
        "    if state.commit_index < leadership.barrier_index:\n",
        "    if False:\n",
    ),
    Mistake(
        "a late snapshot moves the state back (fault 16 of 0.10.2)",
        "raft/snapshots.py",
        "    if meta.clock.index > state.commit_index and state.role is not Role.LEADER:\n",
        "    if True:\n",
    ),
    Mistake(
        "compaction drops what is not durable yet (5)",
        "raft/snapshots.py",
        "min(event.keep_after, clock.index, state.durable_index)",
        "min(event.keep_after, clock.index)",
        story="scenarios/test_stories.py::test_story[snapshot_keeps_unsaved]",
    ),
    Mistake(
        "a lost append's commit is never sent again",
        "raft/replication.py",
        "    if progress.in_flight == 0:  # What carried",
        "    if False:  # What carried",
        story="scenarios/test_stories.py::test_story[duplicate_append]",
    ),
    Mistake(
        "nobody asks again what was not answered",
        "raft/replication.py",
        "        if late and _waits(progress) and is_reachable(state, member):\n",
        "        if False:\n",
        story="scenarios/test_stories.py::test_story[retry_paced]",
    ),
    Mistake(
        "a leader nobody acknowledges goes on (check quorum)",
        "raft/core.py",
        "        if not has_quorum(state.configuration, event.acking | {state.node_id}):\n",
        "        if False:\n",
        story="scenarios/test_stories.py::test_story[check_quorum]",
    ),
    Mistake(
        "the ballot is not saved (3.8)",
        "raft/core.py",
        "        ballot=state.ballot if new_ballot else None,\n",
        "        ballot=None,\n",
    ),
    Mistake(
        "a follower waits for the snapshot of a dead leader",
        "raft/snapshots.py",
        "state.fetching is not None and state.fetching.source == offer.sender",
        "state.fetching is not None",
        story="test_stories.py::test_a_follower_does_not_wait_for_the_snapshot_of_a_dead_leader",
    ),
    Mistake(
        "a stranger of another group is heard (S2)",
        "raft/core.py",
        "or event.group in (0, state.group) or state.group == 0:",
        "or True:",
        story="scenarios/test_stories.py::test_story[stranger_group]",
    ),
    Mistake(
        "an empty disk votes under an old name (S4)",
        "raft/election.py",
        "if state.is_silent or state.damage or not state.proven or not up_to_date:",
        "if state.is_silent or state.damage or not up_to_date:",
        story="scenarios/test_stories.py::test_story[unproven]",
    ),
    Mistake(
        "a vote that is refused settles the term (S8)",
        "raft/core.py",
        "            disregarded = state.is_silent or election.is_disregarded(state, request)\n",
        "            disregarded = state.is_silent\n",
        story="scenarios/test_stories.py::test_story[removed_cannot_disturb]",
    ),
    Mistake(
        "a granted pre-vote settles the term (S8)",
        "raft/core.py",
        " as response if not (response.pre_vote and response.granted):",
        " as response:",
        story="scenarios/test_stories.py::test_story[prevote_rejoining]",
    ),
    Mistake(
        "who believes in a leader votes for another (4.2.3)",
        "raft/election.py",
        "    if state.leader_id not in (None, request.sender) and not request.force_vote:\n",
        "    if False:\n",
        story="scenarios/test_stories.py::test_story[stickiness]",
    ),
    Mistake(
        "learners count (S13)",
        "raft/quorum.py",
        "    return (configuration.voters,)\n",
        "    return (configuration.members,)\n",
    ),
    Mistake(
        "a leader counts itself in a configuration without it (S13)",
        "raft/replication.py",
        "    index = committed_index(state.configuration, match)\n",
        "    from dataclasses import replace\n"
        "    voters = tuple({*state.configuration.voters, state.node_id})\n"
        "    index = committed_index(replace(state.configuration, voters=voters), match)\n",
        story="scenarios/test_stories.py::test_story[removed_leader]",
    ),
    Mistake(
        "the log is not truncated on disk (3.5)",
        "raft/core.py",
        "        truncate_from=change.truncate_from,\n",
        "        truncate_from=None,\n",
    ),
    Mistake(
        "a removed server is not told (L10)",
        "raft/election.py",
        "        return ev.Refusal.REMOVED  # Also where",
        "        return ev.Refusal.OTHER  # Also where",
        story="scenarios/test_stories.py::test_story[removed_cannot_disturb]",
    ),
    Mistake(
        "an append that was lost is taken for answered",
        "raft/replication.py",
        " or progress.match_index < progress.next_index - 1\n",
        "\n",
        story="scenarios/test_stories.py::test_story[answer_twice_append_lost]",
    ),
)
