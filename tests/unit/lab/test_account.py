"""Say before, compare after: what a picture lets expect of a fault, and what then was seen."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from lab.faults import Fault, FaultKind
from lab.observe.account import Account
from lab.observe.view import EventView
from tests.lab import demo

CALM = replace(demo.cluster(3, 12), faults=(), events=())
NAMES = tuple(node.name for node in CALM.nodes)
CALM = replace(CALM, nodes=tuple(replace(node, state="running") for node in CALM.nodes))


def _leads(name: str) -> int:
    return sum(shard.leader == name for shard in CALM.shards.values())


def kill(number: int, name: str, since_s: float) -> Fault:
    return Fault(
        number=number, kind=FaultKind.KILL, nodes=(name,), since_s=since_s, mechanism="SIGKILL"
    )


def test_a_node_that_is_gone_before_its_fault_is_told_was_there() -> None:
    live = replace(CALM, nodes=tuple(replace(n, reported_at_s=CALM.now_s) for n in CALM.nodes))
    gone = replace(
        live,
        nodes=tuple(replace(n, state="killed") if n.name == "n1" else n for n in live.nodes),
        shards=MappingProxyType(
            {
                number: replace(one, leader=None if one.leader == "n1" else one.leader)
                for number, one in live.shards.items()
            }
        ),
    )
    told = replace(gone, faults=(kill(1, "n1", CALM.now_s),))
    (span,) = Account().after(live).after(gone).after(told).spans
    assert span.expected.elections == _leads("n1") > 0


def test_what_happened_is_counted_from_the_beginning_to_shortly_after_the_end() -> None:
    now_s = CALM.now_s
    view = replace(CALM, faults=(kill(1, "n1", now_s),))
    account = Account().after(CALM).after(view)
    events = tuple(
        EventView(at_s=now_s + at_s, node="n2", kind=kind, text=text, count=count)
        for at_s, kind, text, count in (
            (-1.0, "elected", "n1 elected", 9),
            (0.4, "suspect", "n1 suspected by n2", 1),
            (0.6, "elected", "n2 elected", 3),
            (60.0, "elected", "n3 elected", 5),
        )
    )
    account = account.after(replace(view, now_s=now_s + 1, events=events[:3]))
    (span,) = account.spans
    assert (span.elections, span.until_s) == (3, None)
    assert span.detected_s is not None
    assert abs(span.detected_s - 0.4) < 1e-6
    healed = replace(view, faults=(), now_s=now_s + 2, events=events[:3])
    account = account.after(healed).after(replace(healed, now_s=now_s + 61, events=events))
    (span,) = account.spans
    assert (span.elections, span.until_s) == (3, now_s + 2)
    assert span.happened.startswith("3 elections, suspected after 0.4 s")
