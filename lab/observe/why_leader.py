"""Why a node leads a shard, and why nobody does."""

from __future__ import annotations

from lab.observe.evidence import SLACK_S, Case, Reason, of_shard, phi_of, unknown
from lab.observe.view import EventView, ReplicaView, ShardView
from lab.observe.words import counted, listed, shard_name, span_s

STANDS = ("candidate", "pre-candidate")


def leader(case: Case, shard: ShardView) -> list[Reason]:
    """Return when and by whose votes the leader was elected, and what ended the term before."""
    name = shard.leader
    assert name is not None, "somebody leads"
    term = shard.replicas[name].term
    elected = election(case, shard, name, term)
    head = f"{name} leads {shard_name(shard.shard_id)} in term {term}"
    if elected is not None and elected.count == 1:
        reasons = [Reason(text=f"{head}: elected {case.ago(elected.at_s)}")]
    elif elected is not None:
        won = counted(elected.count, "election")
        text = f"{head}: it won {won} {case.ago(elected.at_s)}, which are not told apart"
        reasons = [Reason(text=text)]
    else:
        since = span_s(case.view.now_s - shard.since_s)
        words = f"when it was elected is not known; it has led for {since} at least"
        reasons = [Reason(text=head), unknown(words)]
    reasons.append(_votes(shard, name, term))
    return reasons + _before(case, shard, name, term, elected)


def election(case: Case, shard: ShardView, name: str, term: int) -> EventView | None:
    """Return the election: its own event, or the elections of the second in which it was seen."""
    for event in case.events("elected", name):
        if event.term == term and of_shard(event, shard.shard_id):
            return event
    for event in case.events("elected", name):
        seen = abs(event.at_s - shard.since_s) <= 2 * SLACK_S
        if event.count > 1 and event.term >= term and seen:
            return event
    return None


def _votes(shard: ShardView, name: str, term: int) -> Reason:
    """Say who voted for it: a ballot is durable, so a replica of the same term still shows it."""
    leading = shard.replicas[name]
    voters = sorted({*leading.voters, *leading.outgoing})
    gave, mute, others = [], [], []
    for voter in voters:
        replica = shard.replicas.get(voter)
        if replica is None or replica.term < term:
            mute.append(voter)
        elif replica.term > term:
            others.append(f"{voter} is in term {replica.term} already")
        elif replica.voted_for == name:
            gave.append(voter)
        elif replica.voted_for is None:
            others.append(f"{voter} has not voted in it")
        else:
            others.append(f"{voter} voted for {replica.voted_for}")
    if mute:
        others.append(f"how {listed(mute)} voted is not known")
    need = len(leading.voters) // 2 + 1
    text = f"by the votes of {listed(gave) or 'nobody that is known'}, of {len(voters)} voters"
    text += "".join(f"; {other}" for other in others)
    return Reason(text=text, tone="text" if len(gave) >= need else "unknown")


def _before(
    case: Case, shard: ShardView, name: str, term: int, elected: EventView | None
) -> list[Reason]:
    """Return why an election was held: what became of the leader before."""
    promises = case.view.promises.get(shard.shard_id)
    earlier = [one for one in (promises.leaders if promises else ()) if one < term]
    if promises is None or not earlier:
        return [unknown(f"no leader of a term before {term} was ever reported")]
    old = promises.leaders[max(earlier)]
    whose = f"{old}, which led in term {max(earlier)},"
    if elected is None:
        return [unknown(f"{old} led in term {max(earlier)}; what ended that is not known any more")]
    if handed := _handed_over(case, shard.shard_id, old, name, elected):
        return handed
    seen = case.suspicion(old, name, elected.at_s) if old != name else None
    reasons = []
    if seen is not None:
        gap_s = elected.at_s - seen.at_s
        phi = f" at {phi_of(seen)}" * bool(phi_of(seen))
        text = f"because {whose} was suspected by {name}{phi}, {span_s(gap_s)} before that"
        reasons.append(Reason(text=text, tone="harm"))
    stepped = _stepped_down(case, shard.shard_id, old, elected.at_s)
    if stepped is not None and not reasons:
        why = stepped.text.partition(": ")[2]
        text = f"because {whose} stepped down {case.ago(stepped.at_s)}: {why}"
        reasons.append(Reason(text=text, tone="harm"))
    at_s = seen.at_s if seen is not None else elected.at_s
    cause = _cause(case, old, name, at_s)
    if cause is not None:
        reasons.append(cause)
    elif reasons:
        reasons.append(unknown(f"what made {old} fall silent is not known: no fault was on it"))
    else:
        reasons.append(unknown(f"why {whose} no longer led was not told"))
    return reasons


def _cause(case: Case, old: str, name: str, at_s: float) -> Reason | None:
    """Return what was done to the old leader by then: a fault, or a restart that you asked for."""
    span = case.between(old, name, at_s)
    if span is not None:
        return case.done(span)
    troubles = case.on_node(old, at_s) + case.on_link(old, name, at_s)
    if troubles:
        return case.beside(troubles[0])
    for event in case.events("you", old, before_s=at_s + SLACK_S):
        if event.at_s >= at_s - 10.0 and "restart" in event.text:
            text = f"{event.text.replace('you: ', 'you asked for: ', 1)}, {case.ago(event.at_s)}"
            return Reason(text=text, tone="you")
        break
    return None


def _handed_over(
    case: Case, shard_id: int, old: str, name: str, elected: EventView
) -> list[Reason]:
    """Return the chain of a transfer: the new leader was told to stand."""
    stood = next(
        (
            event
            for event in case.events("election", name, before_s=elected.at_s)
            if event.term == elected.term and of_shard(event, shard_id)
        ),
        None,
    )
    if stood is None or "(told to)" not in stood.text:
        return []
    reasons = [Reason(text=f"because {old} told it to stand: leadership was handed over")]
    wish = f"transfer {shard_name(shard_id)} to {name}"
    for event in case.events("you", before_s=elected.at_s + 2 * SLACK_S):
        if event.at_s < elected.at_s - 10.0:
            break
        if wish in event.text:
            reasons.append(Reason(text=f"you asked for it {case.ago(event.at_s)}", tone="you"))
            return reasons
    return [*reasons, unknown("who asked for that was not told")]


def _stepped_down(case: Case, shard_id: int, old: str, before_s: float) -> EventView | None:
    """Return why the old leader gave up by itself; a newer term is no reason, but what followed."""
    for event in case.events("stepped_down", old, before_s=before_s):
        if of_shard(event, shard_id) and ": term " not in event.text:
            return event
    return None


# --- nobody leads --------------------------------------------------------------------------------


def no_leader(case: Case, shard: ShardView) -> list[Reason]:
    """Return who of the voters lives, who stands, who would refuse, and what took the rest."""
    age = span_s(case.view.now_s - shard.since_s)
    if not (shard.voters and shard.replicas):
        text = f"{shard_name(shard.shard_id)} has no configuration yet: it was not bootstrapped"
        return [Reason(text=text)]
    replicas = list(shard.replicas.values())
    outgoing = max(replicas, key=lambda one: (one.term, one.last_index)).outgoing
    voters = sorted({*shard.voters, *outgoing})
    heard = [voter for voter in voters if case.is_heard(voter) and voter in shard.replicas]
    head = f"{shard_name(shard.shard_id)} has had no leader for {age}"
    reasons = [Reason(text=f"{head}: {len(heard)} of {len(voters)} voters are heard", tone="harm")]
    halves = [half for half in (shard.voters, outgoing) if half]
    lacks = max(len(half) // 2 + 1 - sum(one in heard for one in half) for half in halves)
    if lacks > 0:
        text = f"a majority needs {lacks} more: nobody can be elected before one comes back"
        reasons.append(Reason(text=text, tone="harm"))
    for voter in voters:
        if (absent := case.absence(voter)) is not None:
            reasons.append(absent)
        elif voter not in shard.replicas:
            reasons.append(unknown(f"{voter} has not reported this shard"))
    reasons += _old_leader(case, shard)
    if lacks <= 0:
        reasons += _campaign(case, shard, heard)
    return reasons


def _old_leader(case: Case, shard: ShardView) -> list[Reason]:
    promises = case.view.promises.get(shard.shard_id)
    if promises is None or not promises.leaders:
        return [unknown("nobody was ever reported to lead it")]
    term = max(promises.leaders)
    old = promises.leaders[term]
    if case.absence(old) is not None:
        return [Reason(text=f"{old} was the last to lead it, in term {term}")]
    replica = shard.replicas.get(old)
    stepped = _stepped_down(case, shard.shard_id, old, case.view.now_s)
    if stepped is not None and stepped.term >= term:
        why = stepped.text.partition(": ")[2]
        text = f"{old} led in term {term} and stepped down {case.ago(stepped.at_s)}: {why}"
        return [Reason(text=text)]
    role = replica.role if replica is not None else "without a replica"
    return [Reason(text=f"{old} was the last to lead it, in term {term}; now it is {role}")]


def _campaign(case: Case, shard: ShardView, heard: list[str]) -> list[Reason]:
    stand = [shard.replicas[name] for name in heard if shard.replicas[name].role in STANDS]
    if not stand:
        terms = max(shard.replicas[name].term for name in heard)
        return [Reason(text=f"nobody stands at this moment; the newest term is {terms}")]
    reasons = []
    for candidate in stand:
        asks = "asks whether it could win" if candidate.role == "pre-candidate" else "stands"
        reasons.append(Reason(text=f"{candidate.node} {asks} in term {candidate.term}"))
        others = (shard.replicas[name] for name in heard if name != candidate.node)
        reasons += [_opinion(case, candidate, other) for other in others]
    return reasons


def _opinion(case: Case, candidate: ReplicaView, voter: ReplicaView) -> Reason:
    """Say why *voter* does not follow *candidate*, by the rules of §3.4, §3.6.1 and §9.6."""
    who, them = voter.node, candidate.node
    for one, other in ((them, who), (who, them)):
        span = case.between(one, other)
        if span is not None:
            text = f"{other} hears nothing of {one}: {case.done(span).text}"
            return Reason(text=text, tone="you")
    if voter.term == candidate.term and voter.voted_for == them:
        return Reason(text=f"{who} voted for {them}")
    if (voter.last_term, voter.last_index) > (candidate.last_term, candidate.last_index):
        mine = f"{voter.last_index:,} of term {voter.last_term}"
        theirs = f"{candidate.last_index:,} of term {candidate.last_term}"
        text = f"{who} refuses {them}: its log ends at {mine}, that of {them} at {theirs}"
        return Reason(text=text)
    if voter.leader not in (None, them):
        return Reason(text=f"{who} refuses {them}: it believes in {voter.leader}")
    if voter.term == candidate.term and voter.voted_for is not None:
        return Reason(text=f"{who} refuses {them}: it voted for {voter.voted_for} in this term")
    if voter.term > candidate.term:
        return Reason(text=f"{who} refuses {them}: it is in term {voter.term} already")
    if voter.role in ("silent", "stopped"):
        return Reason(text=f"{who} refuses {them}: its replica is {voter.role}")
    return unknown(f"what {who} answers {them} is not known")
