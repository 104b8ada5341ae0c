"""Small mistakes in the layer of many shards; see `planted.py`."""

from __future__ import annotations

from tests.simulation.planted import Mistake

BUSY: dict[str, object] = {"shards": (0,), "clients": 6, "pace_s": 0.02}
EXPIRING: dict[str, object] = {**BUSY, "registers": True, "session_entries": 6}
CUTTING: dict[str, object] = {**BUSY, "registers": True, "snapshot_entries": 5, "tail_entries": 0}
CROWDED: dict[str, object] = {**BUSY, "apply_entries": 1}

PLANTED_NODE = (
    # --- the disk --------------------------------------------------------------------------------
    Mistake(
        "answers leave before the disk has them (S1)",
        "multiraft/stepping.py",
        "if overtakes or shard.durable >= state.saved_number:",
        "if True:",
    ),
    Mistake(
        "an answer waits for the Save of its own step only (S1)",
        "multiraft/stepping.py",
        "if overtakes or shard.durable >= state.saved_number:",
        "if overtakes or all(number != shard.shard_id for number, _ in node.saves):",
    ),
    Mistake(
        "an ack leaves before the ballots of its claims are durable (DESIGN 5)",
        "multiraft/beats.py",
        "    needs = max(node.ballot_batch, peer.pin_batch)\n",
        "    needs = peer.pin_batch\n",
    ),
    Mistake(
        "a pin is not durable when its peer is answered (S4)",
        "multiraft/beats.py",
        "        peer.pin_batch = node.next_batch\n",
        "        pass\n",
    ),
    Mistake(
        "two batches are on their way",
        "multiraft/disk.py",
        "if node.batch_since_s is not None or node.disk_failed:",
        "if node.disk_failed:",
    ),
    Mistake(
        "a node goes on after a failed sync (DESIGN 6)",
        "multiraft/disk.py",
        '        stepping.fail(node, shard, f"the disk failed: {reason}")\n',
        "        pass\n",
    ),
    Mistake(
        "older snapshots go before the newer one is complete (S5)",
        "multiraft/applying.py",
        "while node.forgets and node.forgets[0][0] <= node.persisted:",
        "while node.forgets:",
    ),
    Mistake(
        "a removed replica's app goes before its log",
        "multiraft/applying.py",
        "while node.removals and node.removals[0][0] <= node.persisted:",
        "while node.removals:",
    ),
    # --- the ledger ------------------------------------------------------------------------------
    Mistake(
        "a read is confirmed by an ack from before it came",
        "multiraft/beliefs.py",
        "if peer.acked_seq >= seq\n",
        "if peer.acked_seq > 0\n",
    ),
    Mistake(
        "a read is confirmed by who has not heard of the claim (S13)",
        "multiraft/peers.py",
        "claim.term == term and self.changed[shard_id] <= self.acked",
        "claim.term == term",
    ),
    Mistake(
        "a read is confirmed by who objects (L6)",
        "multiraft/beliefs.py",
        "        and shard_id not in peer.objections\n",
        "",
    ),
    Mistake(
        "a claim learned from an append is not judged (L6)",
        "multiraft/machine.py",
        "            beliefs.judge(self._node, peer, shard_id)  # The beat",
        "            pass  # The beat",
    ),
    Mistake(
        "an append of an earlier life gives belief (L1)",
        "multiraft/peers.py",
        "        if epoch != self.epoch:\n",
        "        if False:\n",
    ),
    Mistake(
        "a withdrawn claim is still believed",
        "multiraft/beliefs.py",
        "            _lose(node, shard, peer.node_id)\n",
        "            pass\n",
    ),
    Mistake(
        "the ledger's changes leave out what was withdrawn",
        "multiraft/peers.py",
        "return self.acked, claims, tuple(shard for shard in news if shard not in self.claims)",
        "return self.acked, claims, ()",
    ),
    Mistake(
        "a restart does not end belief",
        "multiraft/beats.py",
        "            beliefs.lose_all(node, peer.node_id)\n",
        "            pass\n",
    ),
    Mistake(
        "a silent leader is believed for ever",
        "multiraft/beliefs.py",
        "        if lost:\n",
        "        if False:\n",
    ),
    Mistake(
        "who lives again is not believed again (L9)",
        "multiraft/beliefs.py",
        "            believe_again(node, peer)\n",
        "            pass\n",
    ),
    Mistake(
        "a leader that removes itself hears of nobody",
        "multiraft/beliefs.py",
        "        if peer.node_id not in members:\n            peer.shared",
        "        if not {peer.node_id, node.node_id} <= members:\n            peer.shared",
    ),
    Mistake(
        "a replica that joins is not told who lives",
        "multiraft/beliefs.py",
        "        if (view.live, view.acking, view.priorities) != told:\n",
        "        if state.live is None:\n",
    ),
    Mistake(
        "a peer that restarted is not probed (L2)",
        "multiraft/beats.py",
        "        forget_in_flight(node, peer.node_id)\n",
        "        pass\n",
    ),
    Mistake(
        "what was in flight on a broken stream is waited for (L2)",
        "multiraft/machine.py",
        "            beats.forget_in_flight(node, peer_id)\n",
        "            pass\n",
    ),
    Mistake(
        "suspicion may take any time (L3)",
        "multiraft/phi.py",
        "now_s + min(max(wait_s, 2 * self._interval_s), 1.0)",
        "now_s + 10 * max(wait_s, 2 * self._interval_s)",
    ),
    # --- clients ---------------------------------------------------------------------------------
    Mistake(
        "a request that was executed is executed again (6.3)",
        "multiraft/opaque.py",
        "if known is not None and not self._is_forgotten(known, index, self._log_bytes):",
        "if False:",
    ),
    Mistake(
        "a snapshot forgets the opaque ids (S10)",
        "multiraft/opaque.py",
        "        upto = [row for row in self._oldest if row.index <= index]",
        "        upto: list[OpaqueRow] = []",
    ),
    Mistake(
        "a session's write is executed again (6.3)",
        "multiraft/registered.py",
        "        if known is not None:\n",
        "        if False:\n",
    ),
    Mistake(
        "a write of an unknown session is executed (S10)",
        "multiraft/registered.py",
        "        if session is None or index - session.used > self._entries:\n",
        "        if session is None:\n"
        "            session = self._by_id[session_id] = Session(session_id, bytes(16))\n"
        "        if False:\n",
        aim=EXPIRING,
    ),
    Mistake(
        "sessions expire by what this replica has seen, not by the log (S10)",
        "multiraft/registered.py",
        "index - session.used > self._entries:\n            return EXPIRED",
        "len(self._recent) >= self._entries:\n            return EXPIRED",
        aim=EXPIRING,
    ),
    Mistake(
        "a snapshot forgets the sessions (S10)",
        "multiraft/sessions.py",
        "registered, opaque = self.registered.cut(index), self.opaque.cut(index)",
        'registered, opaque = b"", self.opaque.cut(index)',
        aim=CUTTING,
    ),
    Mistake(
        "a snapshot holds the sessions as they are now (S5)",
        "multiraft/registered.py",
        "                used, lowest = after.used_before, after.lowest_before\n",
        "                pass\n",
        aim=CUTTING,
    ),
    Mistake(
        "an installed snapshot's sessions are not loaded (S10)",
        "multiraft/applying.py",
        "    shard.sessions.load(meta.sessions, meta.clock.index)\n",
        "",
    ),
    Mistake(
        "who proposed an overwritten entry gets the answer to another (DESIGN 4)",
        "multiraft/proposals.py",
        "            if proposed_term == term:\n",
        "            if True:\n",
    ),
    Mistake(
        "a lost leadership leaves its clients waiting (DESIGN 4)",
        "multiraft/beliefs.py",
        "        proposals.on_leadership_lost(node, shard)\n",
        "        pass\n",
    ),
    Mistake(
        "requests at a removed replica are forgotten (DESIGN 4)",
        "multiraft/applying.py",
        "if request.shard_id == shard_id and request.forwarded_to is None:",
        "if False:",
    ),
    Mistake(
        "a forwarded request waits for ever",
        "multiraft/requests.py",
        "    while node.forwarded:\n",
        "    while False:\n",
    ),
    Mistake(
        "a refused write counts as in flight",
        "multiraft/answering.py",
        "        if request.admitted:\n",
        '        if request.admitted and b"moving" not in message:\n',
    ),
    Mistake(
        "the app's queue takes all that is committed",
        "multiraft/applying.py",
        "if shard.handed + 1 == entries.first and _has_room(node, shard, entries):",
        "if shard.handed + 1 == entries.first:",
        aim=CROWDED,
    ),
    Mistake(
        "what waits in the log for the app is never handed over",
        "multiraft/applying.py",
        "    if shard.handed < shard.committed:\n        feed(node, shard)\n",
        "",
        aim=CROWDED,
    ),
    Mistake(
        "reads overtake what waits in the log for the app (S9)",
        "multiraft/applying.py",
        "        if shard.handed < shard.committed:\n            shard.reads_behind",
        "        if False:\n            shard.reads_behind",
        aim={**CROWDED, "kinds": ("slow_app",)},
    ),
    Mistake(
        "more writes are admitted than have room",
        "multiraft/proposals.py",
        "    if shard.pending >= limits.proposal_entries or (",
        "    if (",
        aim={**BUSY, "proposal_entries": 2},
    ),
    Mistake(
        "a forwarded AddServer begins a second group",
        "multiraft/requests.py",
        "    if begins and request.origin is None:",
        "    if begins:",
    ),
    Mistake(
        "reads do not wait for the applies before them (S9)",
        "multiraft/applying.py",
        "    if not items and not shard.jobs:\n",
        "    if not shard.jobs:\n",
    ),
    Mistake(
        "an ack to an earlier life counts (S7)",
        "multiraft/beats.py",
        "    if ack.to_epoch != node.record.epoch or is_stranger(",
        "    if is_stranger(",
        story="test_stories.py::test_an_ack_to_an_earlier_life_vouches_for_nothing",
    ),
    Mistake(
        "a restored backup keeps its old epoch (S7)",
        "multiraft/beats.py",
        "        node.raise_epoch(ack.known_epoch + 1)\n",
        "        pass\n",
        story="test_stories.py::test_a_restored_backup_raises_its_epoch_above_the_known_one",
    ),
    Mistake(
        "an app that breaks is passed over (S11)",
        "multiraft/machine.py",
        "            case AppFailed():\n                stepping.fail(",
        "            case AppFailed():\n                repr(",
    ),
    Mistake(
        "clean-up forgets the ballot (S12)",
        "storage/memory.py",
        "ShardRecord(ballot=kept.ballot)",
        "ShardRecord()",
    ),
    Mistake(
        "a torn batch is taken for whole (6)",
        "storage/blob.py",
        "    if CHECKSUM.unpack_from(blob)[0] != crc32(content, _seed(number)):\n",
        "    if False:\n",
    ),
    Mistake(
        "objections are not sent (L6)",
        "multiraft/beats.py",
        "tuple(sorted(peer.my_objections.items())) if unseen else None",
        "None",
    ),
    Mistake(
        "a stalled disk keeps its leaderships (L11)",
        "multiraft/disk.py",
        "            node.todo.append((shard, TransferLeadership(ticket=None, target=target)))\n",
        "            pass\n",
        story="test_stories.py::test_a_leader_whose_disk_stalls_hands_over",
    ),
)
