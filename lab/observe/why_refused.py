"""Why the last read or write through the screen's client was refused."""

from __future__ import annotations

from lab.observe.evidence import Case, Reason, unknown
from lab.observe.view import EventView, ShardView
from lab.observe.why_leader import election, leader, no_leader

REQUESTS = ("write ", "read ")


def last_refusal(case: Case, shard_id: int) -> EventView | None:
    """Return the last request of the screen's client to this shard, if it was refused."""
    for event in reversed(case.view.events):
        if event.shard_id != shard_id or event.kind not in ("failed", "you"):
            continue
        what = event.text.removeprefix("failed: ").removeprefix("you: ")
        if what.startswith(REQUESTS):
            return event if event.kind == "failed" else None
    return None


def refusal(case: Case, shard: ShardView, event: EventView | None) -> list[Reason]:
    """Return what the client was told, and what the picture says of the shard since."""
    if event is None:
        return [unknown("no request of this screen to this shard was refused last")]
    what = event.text.removeprefix("failed: ")
    reasons = [Reason(text=f"{case.ago(event.at_s)}: {what}", tone="harm")]
    if shard.leader is None or shard.leader not in shard.replicas:
        return reasons + no_leader(case, shard)
    elected = election(case, shard, shard.leader, shard.replicas[shard.leader].term)
    if elected is not None and elected.at_s > event.at_s:
        text = f"that was before {shard.leader} was elected, {case.ago(elected.at_s)}"
        return [*reasons, Reason(text=text), *leader(case, shard)[1:]]
    if shard.since_s > event.at_s:
        return [*reasons, unknown(f"{shard.leader} leads now; whether it led then is not known")]
    return [*reasons, unknown(f"{shard.leader} led then: what the client was told is all there is")]
