"""Why a node is as it is, and why another one suspects it."""

from __future__ import annotations

from lab.faults import FaultKind
from lab.observe.evidence import OUT, Case, Reason, phi_of, unknown
from lab.observe.view import LinkView, NodeView
from lab.observe.words import counted, listed, span_s

SHOWN = 16.0  # Beyond it phi says nothing more.


def node(case: Case, name: str) -> list[Reason]:
    """Return what was done to the node, who suspects it, and since when."""
    known = case.view.node(name)
    if known is None:
        return [unknown(f"{name} is no node of this cluster any more")]
    absent = case.absence(name)
    reasons = [absent if absent is not None else _reports(case, known)]
    told = case.on_node(name)
    if absent is not None and absent.tone == "you":
        told = [span for span in told if span.fault.kind not in OUT]
    reasons += [case.done(span) for span in told]
    peers = [peer.name for peer in case.view.nodes if peer.name != name]
    links = [link for peer in peers if (link := case.link(name, peer)) is not None]
    suspecting = [link for link in links if link.phi >= link.threshold]
    for link in suspecting:
        reasons.append(_suspects(case, link))
        span = case.between(name, link.receiver)
        if span is not None and span.fault.kind not in OUT and span not in told:
            told.append(span)
            reasons.append(case.done(span))
    if links and not suspecting:
        worst = max(links, key=lambda link: link.phi)
        text = f"nobody suspects it: φ is {worst.phi:.1f} of {worst.threshold:g} at most, by"
        reasons.append(Reason(text=f"{text} {worst.receiver}"))
    mute = [peer for peer in peers if not case.is_heard(peer)]
    if mute:
        reasons.append(unknown(f"what {listed(mute)} believes of it is not known"))
    return reasons


def _reports(case: Case, known: NodeView) -> Reason:
    assert known.reported_at_s is not None, "it reports"
    if not known.disk_is_well:
        text = f"the disk of {known.name} is late or failing: it acknowledges nothing"
        return Reason(text=text, tone="harm")
    shards = counted(known.leading, "shard")
    age = case.ago(known.reported_at_s)
    return Reason(text=f"{known.name} runs: it reported {age} and leads {shards}")


def _suspects(case: Case, link: LinkView) -> Reason:
    seen = case.suspicion(link.sender, link.receiver)
    text = f"{link.receiver} suspects it"
    if seen is not None:
        text = f"{link.receiver} has suspected it for {span_s(case.view.now_s - seen.at_s)}"
    text += f": φ {_value(link)} ≥ {link.threshold:g}"
    return Reason(text=text, tone="harm")


def _value(link: LinkView) -> str:
    return f"{link.phi:.1f}" if link.phi < SHOWN else f"over {SHOWN:g}"


def suspicion(case: Case, sender: str, receiver: str) -> list[Reason]:
    """Return what *receiver* believes of *sender*, and what that comes from."""
    link = case.link(sender, receiver)
    if link is None:
        absent = case.absence(receiver)
        words = f"{receiver} has not reported on {sender}"
        return [absent if absent is not None else unknown(words)]
    suspects = link.phi >= link.threshold
    sign, verb = ("≥", "suspects") if suspects else ("<", "trusts")
    text = f"{receiver} {verb} {sender}: φ {_value(link)} {sign} {link.threshold:g}"
    reasons = [Reason(text=text, tone="harm" if suspects else "text")]
    if link.last_heard_s == float("inf"):
        reasons.append(Reason(text=f"it has never heard of {sender} since it started"))
    else:
        heard = span_s(link.last_heard_s)
        every = f"beats come every {link.mean_s * 1e3:.0f} ms ± {link.deviation_s * 1e3:.0f}"
        reasons.append(Reason(text=f"it heard {sender} {heard} before its report; {every}"))
    seen = case.suspicion(sender, receiver)
    if seen is not None:
        at = f" at {phi_of(seen)}" * bool(phi_of(seen))
        reasons.append(Reason(text=f"it began to suspect {case.ago(seen.at_s)}{at}"))
    return reasons + _silence(case, sender, receiver, suspects=suspects)


def _silence(case: Case, sender: str, receiver: str, *, suspects: bool) -> list[Reason]:
    span = case.between(sender, receiver)
    if span is not None:
        return [case.done(span)]
    troubles = case.on_link(sender, receiver)
    troubles += [s for s in case.on_node(sender) if s.fault.kind is not FaultKind.ISOLATE]
    if troubles:
        return [case.done(span) for span in troubles[:2]]
    if not suspects:
        return []
    absent = case.absence(sender)
    if absent is not None:
        return [absent]
    text = f"why {sender} is not heard there is not known: the lab hears it, no fault is on it"
    return [unknown(text)]
