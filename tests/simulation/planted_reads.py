"""Small mistakes in leases and in the reads of replicas; see `planted.py`. A story catches each."""

from __future__ import annotations

from tests.simulation.planted import Mistake

READS: dict[str, object] = {"reads": ("read-lease", "read-local", "read-stale"), "lease_s": 0.5}
LEASES, LOCAL = "test_leases.py", "test_reads.py"

PLANTED_READS = (
    # --- leases ----------------------------------------------------------------------------------
    Mistake(
        "a lease is counted from when the ack came (S6)",
        "multiraft/beats.py",
        "leases.on_promise(node, peer, sent_s, ack.promised_s)",
        "leases.on_promise(node, peer, node.now_s, ack.promised_s)",
        aim=READS,
        story=f"{LEASES}::test_a_lease_counts_from_when_its_heartbeat_was_sent",
    ),
    Mistake(
        "a lease is as long as its promise (S6)",
        "multiraft/leases.py",
        " * (1 - node.config.clock_drift)",
        "",
        aim=READS,
        story=f"{LEASES}::test_a_lease_is_shorter_than_its_promise_by_the_drift",
    ),
    Mistake(
        "a leader counts on what nobody promised (S6)",
        "multiraft/leases.py",
        "min(node.config.lease_s, promised_s)",
        "node.config.lease_s",
        story=f"{LEASES}::test_a_leader_whose_peers_promise_nothing_holds_no_lease",
    ),
    Mistake(
        "nothing is promised at the start (S6)",
        "multiraft/leases.py",
        "node.now_s + largest_s if largest_s else 0.0",
        "0.0",
        aim=READS,
        story=f"{LEASES}::test_who_starts_votes_for_nobody_for_the_largest_lease",
    ),
    Mistake(
        "what a former life promised is forgotten (S6)",
        "multiraft/leases.py",
        "max(node.record.lease_s, node.config.lease_s)",
        "node.config.lease_s",
        story=f"{LEASES}::test_who_starts_votes_for_nobody_for_the_largest_lease",
    ),
    Mistake(
        "a promise leaves before its length is durable (S6)",
        "multiraft/leases.py",
        "        node.ballot_batch = node.next_batch\n",
        "        pass\n",
        story=f"{LEASES}::test_the_largest_lease_is_on_disk_before_the_first_promise",
    ),
    Mistake(
        "force_vote breaks the promise (S6)",
        "raft/election.py",
        "    if state.now_s < state.promised_until_s and not request.released:\n",
        "    if state.now_s < state.promised_until_s and not request.force_vote:\n",
        aim=READS,
        story=f"{LEASES}::test_a_forced_vote_waits_for_the_promise",
    ),
    Mistake(
        "who is told to stand does so though it has promised not to (S6)",
        "multiraft/requests.py",
        "    if promised_s > node.now_s:\n",
        "    if False:\n",
        story=f"{LEASES}::test_who_is_told_to_stand_waits_for_its_own_promise",
    ),
    Mistake(
        "a lease is kept while the leadership moves (S6)",
        "raft/reads.py",
        "if event.leased and not leadership.gave_lease_up:",
        "if event.leased:",
        aim=READS,
        story=f"{LEASES}::test_a_lease_is_given_up_before_the_target_is_told",
    ),
    Mistake(
        "a transfer waits for the promises to the old leader (S6)",
        "raft/election.py",
        "start_election(state, force=True, released=from_leader)",
        "start_election(state, force=True)",
        story=f"{LEASES}::test_a_transfer_need_not_wait_for_the_promises",
    ),
    Mistake(
        "promises outlive the claim that they were made to (S6)",
        "multiraft/leases.py",
        "            if claim is not None and claim.group in (0, shard.state.group):\n",
        "            if True:\n",
        story=f"{LEASES}::test_a_leader_that_stops_sets_its_voters_free",
    ),
    Mistake(
        "a lease read does not wait for the barrier (6.4)",
        "raft/reads.py",
        "    if state.commit_index < leadership.barrier_index:\n",
        "    if state.commit_index < leadership.barrier_index and not event.leased:\n",
        aim=READS,
        story=f"{LEASES}::test_a_lease_read_waits_for_the_barrier",
    ),
    Mistake(
        "one voter's promise is enough (S13)",
        "multiraft/leases.py",
        "return has_quorum(state.configuration, have | {node.node_id})",
        "return bool(have) or len(state.configuration.members) == 1",
        aim=READS,
        story=f"{LEASES}::test_the_promise_of_a_minority_is_no_lease",
    ),
    # --- reads of replicas -----------------------------------------------------------------------
    Mistake(
        "a replica reads before it has applied the index (6.4)",
        "multiraft/local_reads.py",
        "while local.unapplied and local.unapplied[0][0] <= shard.handed:",
        "while local.unapplied:",
        aim=READS,
        story=f"{LOCAL}::test_a_follower_waits_until_it_has_applied_the_index",
    ),
    Mistake(
        "a read takes an index that was asked before it came",
        "multiraft/local_reads.py",
        "    else:\n        local.unasked.append(ticket)\n",
        "    else:\n        (local.question.reads if local.question else local.unasked)"
        ".append(ticket)\n",
        aim=READS,
        story=f"{LOCAL}::test_a_read_takes_no_index_that_was_asked_before_it_came",
    ),
    Mistake(
        "an index is told without a round",
        "multiraft/requests.py",
        "            node.todo.append((shard, ReadIndex(ticket=ticket)))\n",
        "            node.todo.append((shard, ReadIndex(ticket=ticket, leased=True)))\n",
        aim=READS,
        story=f"{LOCAL}::test_a_leader_that_is_none_any_more_confirms_no_index",
    ),
    Mistake(
        "a question to a lost leader is waited for",
        "multiraft/local_reads.py",
        "if asked_of is None or asked_of == shard.state.leader_id:",
        "if True:",
        story=f"{LOCAL}::test_a_question_to_a_lost_leader_is_asked_again",
    ),
    Mistake(
        "reads wait at a replica that has stopped (DESIGN 4)",
        "multiraft/local_reads.py",
        "if until_s > node.now_s + 1e-9 and not shard.state.stopped:",
        "if until_s > node.now_s + 1e-9:",
        story=f"{LOCAL}::test_reads_that_wait_at_a_replica_that_stops_are_answered",
    ),
    Mistake(
        "the age of a state is counted from the answer",
        "multiraft/local_reads.py",
        "Proof(asked_at_s=question.asked_at_s, index=answer.index)",
        "Proof(asked_at_s=node.now_s, index=answer.index)",
        aim=READS,
        story=f"{LOCAL}::test_a_proof_is_as_old_as_its_question",
    ),
    Mistake(
        "a stale read needs no proof",
        "multiraft/local_reads.py",
        "node.now_s - proof.asked_at_s <= request.max_staleness_s",
        "True",
        aim=READS,
        story=f"{LOCAL}::test_a_stale_read_needs_no_leader_while_its_proof_is_young",
    ),
    Mistake(
        "a leader takes its own state for the newest",
        "multiraft/requests.py",
        "        case RequestKind.READ_STALE:\n            local_reads.take(",
        "        case RequestKind.READ_STALE:\n            request.max_staleness_s = float('inf')\n"
        "            local_reads.take(",
        aim=READS,
        story=f"{LOCAL}::test_a_leader_proves_its_age_too",
    ),
    Mistake(
        "a read is confirmed by an ack from before it came",
        "multiraft/beliefs.py",
        "if peer.acked_seq >= seq\n",
        "if peer.acked_seq > 0\n",
        story="test_rule_stories.py::test_an_ack_from_before_a_read_came_confirms_it_not",
    ),
    Mistake(
        "a read is confirmed by who has not heard of the claim (S13)",
        "multiraft/peers.py",
        "self.stands(shard_id, term) and self.changed[shard_id] <= self.acked",
        "self.stands(shard_id, term)",
        story="test_rule_stories.py::test_an_ack_without_the_claim_confirms_no_read",
    ),
    Mistake(
        "a read is confirmed by who objects (L6)",
        "multiraft/beliefs.py",
        "        and shard_id not in peer.objections\n",
        "",
        story="test_rule_stories.py::test_who_objects_confirms_no_read",
    ),
    Mistake(
        "a round is begun that nobody leads any more",
        "multiraft/beliefs.py",
        "    if state.role is not Role.LEADER:\n",
        "    if False:\n",
        story="test_reads.py::test_a_round_that_is_wanted_in_the_step_that_ends_a_leadership_is_none",
    ),
)
