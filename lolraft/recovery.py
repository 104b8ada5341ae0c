"""
Make a group of what is left of one: the arithmetic of `lolraft recover` and `lolraft restore`.

A shard that lost its quorum for ever is made writable again by beginning a new group that has the
old one's log. Every configuration in the log and in the snapshot is replaced by the new one, with
a new group id; clocks, commands and sessions stay. So the new group's replicas match wherever the
old ones did (§3.5), and what is lost can never merge with it: another group is refused (S2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lolraft.errors import LolraftError
from lolraft.multiraft.records import ShardRecord
from lolraft.raft.effects import Save
from lolraft.raft.quorum import has_quorum
from lolraft.raft.state import restore
from lolraft.raft.types import (
    Ballot,
    Clock,
    Configuration,
    Entries,
    EntryKind,
    GroupId,
    Index,
    Limits,
    NodeId,
    ShardId,
    Term,
    Timing,
)

Rewrite = Callable[[Configuration], Configuration]


class CannotRecover(LolraftError):
    """What is asked for would be wrong, or is not needed; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one stopped server holds of a shard, as its disk says."""

    shard_id: ShardId
    term: Term
    voted_for: NodeId | None
    last: Clock  # Of the last entry; of two survivors the one with the larger holds more.
    log_starts_after: Clock
    committed: Index  # Known to be committed: what the snapshot covers, or entry 1.
    snapshot: Clock | None
    configuration: Configuration
    configuration_index: Index
    damaged: bool  # Entries after the last one were here and cannot be read (S12).

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to recover from."""
        return not self.configuration.members


def holding_of(node_id: NodeId, shard_id: ShardId, record: ShardRecord) -> Holding:
    """Return what a replica would restart from."""
    state = restore(
        node_id,
        shard_id,
        ballot=record.ballot,
        snapshot=record.snapshot,
        log_starts_after=record.log_starts_after,
        entries=record.entries,
        seed=0,
        timing=Timing(),
        limits=Limits(),
    )
    return Holding(
        shard_id=shard_id,
        term=record.ballot.current_term,
        voted_for=record.ballot.voted_for,
        last=state.log.last_clock,
        log_starts_after=state.log.base,
        committed=max(state.commit_index, min(1, state.log.last_index)),
        snapshot=record.snapshot.clock if record.snapshot is not None else None,
        configuration=state.configuration,
        configuration_index=state.configuration_index,
        damaged=record.damaged,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Say what the shard's new group is; the same for every survivor, who gets it as one word.

    The first survivor alone votes: it holds the longest log, and its own word is a quorum at once.
    The others keep their logs, follow as learners, and become voters by `lolraft add-server`.
    """

    shard_id: ShardId
    old_group: GroupId
    new_group: GroupId
    last: Clock  # Of the voter's log: who holds more must not follow it.
    voter: NodeId
    learners: tuple[NodeId, ...] = ()  # Sorted.

    @property
    def members(self) -> tuple[NodeId, ...]:
        """Return all survivors, the voter first."""
        return (self.voter, *self.learners)

    def configuration(self, known: Configuration) -> Configuration:
        """Return what takes the place of *known* in the log: the same on every survivor."""
        return Configuration(
            voters=(self.voter,),
            learners=self.learners,
            incarnations=tuple(item for item in known.incarnations if item[0] in self.members),
            group_id=self.new_group,
        )

    def encode(self) -> str:
        """Return the plan as one word for a command line."""
        groups = f"{self.old_group:032x}/{self.new_group:032x}"
        return f"{self.shard_id}/{groups}/{self.last.term}/{self.last.index}/" + ",".join(
            self.members
        )

    @classmethod
    def decode(cls, text: str) -> Plan:
        """
        Read what `encode` wrote.

        Raises:
            CannotRecover: *text* is not such a word.
        """
        try:
            shard, old, new, term, index, members = text.split("/", 5)
            voter, *learners = map(NodeId, members.split(","))
            return cls(
                shard_id=int(shard),
                old_group=int(old, 16),
                new_group=int(new, 16),
                last=Clock(int(term), int(index)),
                voter=voter,
                learners=tuple(learners),
            )
        except ValueError as broken:
            raise CannotRecover(
                f"{text[:80]!r} is no plan: copy the whole word that `lolraft recover` printed "
                "when the first survivor was recovered"
            ) from broken


def plan_of(
    holding: Holding, node_id: NodeId, survivors: tuple[NodeId, ...], new_group: GroupId
) -> Plan:
    """
    Return the plan by which *node_id* goes on with what it holds.

    Raises:
        CannotRecover: the survivors are a quorum, are no members, or hold nothing.
    """
    shard_id, configuration = holding.shard_id, holding.configuration
    if holding.is_empty:
        raise CannotRecover(
            f"{node_id} holds no log of shard {shard_id}: recover on a survivor that does"
        )
    if node_id not in survivors:
        raise CannotRecover(
            f"this is the data of {node_id}, which is not among the survivors: "
            "list it, or name the directory of one that is"
        )
    strangers = [name for name in survivors if name not in configuration.members]
    if strangers:
        raise CannotRecover(
            f"{', '.join(strangers)} is no member of shard {shard_id}; members are "
            f"{', '.join(configuration.members)}"
        )
    # A damaged log does not vote before a leader has repaired it, which the others have to elect.
    if has_quorum(configuration, set(survivors) - ({node_id} if holding.damaged else set())):
        raise CannotRecover(
            f"the survivors are a quorum of shard {shard_id}: nothing is lost. Start them; "
            "then take the others out with remove-server"
        )
    return Plan(
        shard_id=shard_id,
        old_group=configuration.group_id,
        new_group=new_group,
        last=holding.last,
        voter=node_id,
        learners=tuple(sorted(set(survivors) - {node_id})),
    )


def check_follower(plan: Plan, holding: Holding, node_id: NodeId) -> None:
    """
    See that *node_id* may follow the one that was recovered.

    Raises:
        CannotRecover: it may not, or holds what the other does not.
    """
    if node_id not in plan.learners:
        raise CannotRecover(
            f"{node_id} is not among the survivors of this plan ({', '.join(plan.members)}): "
            f"wipe it and add it with add-server once {plan.voter} runs"
        )
    if holding.configuration.group_id != plan.old_group:
        raise CannotRecover(
            f"{node_id} holds another group of shard {plan.shard_id} than the one that was "
            "recovered: wipe it and add it with add-server"
        )
    if holding.last > plan.last or holding.committed > plan.last.index:
        raise CannotRecover(
            f"{node_id} holds more of shard {plan.shard_id} (entry {holding.last.index} of term "
            f"{holding.last.term}) than {plan.voter} (entry {plan.last.index} of term "
            f"{plan.last.term}): put the copy of {plan.voter}'s database back and recover here"
        )


def rewritten(record: ShardRecord, rewrite: Rewrite) -> Save:
    """Return what makes a replica with *record* one of the group that *rewrite* names."""
    entries, snapshot = record.entries, record.snapshot
    if snapshot is not None:
        snapshot = replace(snapshot, configuration=rewrite(snapshot.configuration))
    position = entries.kinds.find(EntryKind.CONFIGURATION)
    if position >= 0:
        entries = Entries(
            entries.first + position,
            entries.terms[position:],
            entries.kinds[position:],
            tuple(
                rewrite(Configuration.decode(payload)).encode()
                if kind == EntryKind.CONFIGURATION
                else payload
                for kind, payload in zip(
                    entries.kinds[position:], entries.payloads[position:], strict=True
                )
            ),
        )
    return Save(
        number=1,
        ballot=_ballot_of(record),
        snapshot=snapshot,
        truncate_from=entries.first if position >= 0 else None,
        entries=entries if position >= 0 else None,
        repaired=record.damaged,
    )


def _ballot_of(record: ShardRecord) -> Ballot:
    """Return a ballot that is not behind the log, whose terms never fall (§3.3)."""
    snapshot = record.snapshot.clock.term if record.snapshot is not None else 0
    last = max(snapshot, record.log_starts_after.term, *record.entries.terms[-1:])
    return record.ballot if record.ballot.current_term >= last else Ballot(last, None)
