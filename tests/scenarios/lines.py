"""One readable line for everything that a story can show: messages, wishes, states."""

from __future__ import annotations

from lolraft.raft.effects import (
    Answer,
    Apply,
    ConfirmLeadership,
    Effect,
    FetchSnapshot,
    InstallSnapshot,
    Notice,
    Proposed,
    Removed,
    Save,
    ServeRead,
)
from lolraft.raft.events import (
    AppendRequest,
    AppendResponse,
    GroupMismatch,
    Message,
    Refusal,
    SnapshotOffer,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from lolraft.raft.state import RaftState
from lolraft.raft.types import Ballot, Clock, Configuration, Entries, EntryKind

SHOWN_NOTICES = ("snapshot", "transfer", "stepped_down", "odd")
MANY = 12


def clock(value: Clock) -> str:
    """Write a clock as `term/index`."""
    return f"{value.term}/{value.index}"


def members(configuration: Configuration) -> str:
    """Write who belongs to the group: `n1,n2 <- n1,n2,n3 learners n4`."""
    text = ",".join(configuration.voters) or "nobody"
    if configuration.outgoing:
        text += " <- " + ",".join(configuration.outgoing)
    if configuration.learners:
        text += " learners " + ",".join(configuration.learners)
    return text


def entry(entries: Entries, position: int) -> str:
    """Write one entry as `term/index=payload`."""
    at = f"{entries.terms[position]}/{entries.first + position}"
    payload = entries.payloads[position]
    match entries.kinds[position]:
        case EntryKind.BARRIER:
            return f"{at}=barrier"
        case EntryKind.CONFIGURATION:
            return f"{at}=({members(Configuration.decode(payload))})"
        case _:
            return f"{at}={payload.decode()}"


def entry_list(entries: Entries) -> str:
    """Write entries in a row; of many, the first and the last."""
    count = len(entries.terms)
    if count > MANY:
        return f"{entry(entries, 0)} .. {entry(entries, count - 1)}"
    return " ".join(entry(entries, position) for position in range(count))


def _vote_answer(message: VoteResponse) -> str:
    verdict = "granted" if message.granted else "refused"
    match message.refusal:
        case Refusal.BELIEVES:
            return f"{verdict}, believes {message.leader_id}"
        case Refusal.REMOVED:
            return f"{verdict}, removed at {message.removed_at}"
        case _:
            return verdict


def _append_answer(message: AppendResponse) -> str:
    if message.success:
        return f"match={message.match_index} commit={message.commit_index}"
    hint = f" conflict={clock(message.conflict)}" if message.conflict.index else ""
    return f"rejected={message.rejected_index}{hint} commit={message.commit_index}"


def message(sent: Message) -> str:
    """Write what a message says, without its two ends."""
    match sent:
        case VoteRequest():
            name = "PreVoteRequest" if sent.pre_vote else "VoteRequest"
            force = " force" if sent.force_vote else ""
            return f"{name} term={sent.term} last={clock(sent.last_clock)}{force}"
        case VoteResponse():
            name = "PreVoteResponse" if sent.pre_vote else "VoteResponse"
            return f"{name} term={sent.term} {_vote_answer(sent)}"
        case AppendRequest():
            what = f" [{entry_list(sent.entries)}]" if sent.entries.terms else ""
            previous = clock(sent.prev_clock)
            return f"Append term={sent.term} prev={previous}{what} commit={sent.commit_index}"
        case AppendResponse():
            return f"AppendResponse term={sent.term} {_append_answer(sent)}"
        case SnapshotOffer():
            return f"SnapshotOffer term={sent.term} {clock(sent.clock)}"
        case TimeoutNow():
            return f"TimeoutNow term={sent.term}"
        case GroupMismatch():
            return "GroupMismatch"


def ballot(value: Ballot) -> str:
    """Write a ballot: the term, and the vote if there is one."""
    vote = f" vote={value.voted_for}" if value.voted_for else ""
    return f"term={value.current_term}{vote}"


def save(wanted: Save) -> str:
    """Write what a Save makes durable, in the order in which the disk must take it."""
    parts = [ballot(wanted.ballot)] if wanted.ballot is not None else []
    if wanted.snapshot is not None:
        parts.append(f"snapshot={clock(wanted.snapshot.clock)}")
    if wanted.log_starts_after is not None:
        parts.append(f"log starts after {clock(wanted.log_starts_after)}")
    if wanted.truncate_from is not None:
        parts.append(f"truncate from {wanted.truncate_from}")
    if wanted.entries is not None:
        parts.append(entry_list(wanted.entries))
    return "; ".join(parts)


def effect(wanted: Effect) -> str | None:
    """Write what a replica wants beside messages and Saves; None for what no story shows."""
    match wanted:
        case Apply():
            return f"applies {entry_list(wanted.entries)}"
        case Proposed():
            first, last = wanted.tickets[0], wanted.tickets[-1]
            until = f"..#{last}" if last != first else ""
            return f"takes #{first}{until} from {clock(wanted.first)} on"
        case Answer():
            hint = f" leader={wanted.leader_id}" if wanted.leader_id else ""
            return f"answers #{wanted.ticket} {wanted.code.value}{hint}"
        case ConfirmLeadership():
            return f"asks for round {wanted.round_}"
        case ServeRead():
            return f"serves #{wanted.ticket} at {wanted.index}"
        case FetchSnapshot():
            return f"fetches snapshot {clock(wanted.clock)} from {wanted.source}"
        case InstallSnapshot():
            return f"installs snapshot {clock(wanted.meta.clock)}"
        case Removed():
            return f"is removed at {wanted.index}"
        case Notice() if wanted.kind in SHOWN_NOTICES:
            return f"says {wanted.kind.replace('_', ' ')}: {wanted.text}"
        case _:
            return None


def state(replica: RaftState) -> str:
    """Write where a replica stands."""
    text = f"{replica.role.value} {ballot(replica.ballot)} last={clock(replica.log.last_clock)}"
    if replica.commit_index:
        text += f" commit={replica.commit_index}"
    if replica.leader_id and replica.leader_id != replica.node_id:
        text += f" leader={replica.leader_id}"
    return text + (" stopped" if replica.stopped else "")
