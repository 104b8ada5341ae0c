"""Say before, compare after: what a picture lets expect of a fault, and what then was seen."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from lab.faults import Fault, FaultKind
from lab.observe.account import Account, consequence, crossing_s
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


def test_each_shard_of_a_dead_leader_is_expected_to_elect() -> None:
    live = replace(CALM, nodes=tuple(replace(n, reported_at_s=CALM.now_s) for n in CALM.nodes))
    expected = consequence(live, FaultKind.KILL, ("n1",))
    assert expected.elections == _leads("n1") > 0
    assert not expected.harms
    assert f"{expected.elections} elections in about" in str(expected)
    assert consequence(live, FaultKind.STOP, ("n1",)).detected_s == 0.0


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


def test_a_second_death_of_three_takes_every_majority() -> None:
    nodes = tuple(
        replace(n, state="killed" if n.name == "n2" else "running", reported_at_s=CALM.now_s)
        for n in CALM.nodes
    )
    expected = consequence(replace(CALM, nodes=nodes), FaultKind.KILL, ("n1",))
    assert expected.without_quorum == expected.shards == 12
    assert "lose their majority" in str(expected)


def test_phi_crosses_later_where_beats_are_less_regular() -> None:
    times = []
    for deviation_s in (0.01, 0.05):
        links = {
            pair: replace(link, mean_s=0.1, deviation_s=deviation_s, threshold=12.0)
            for pair, link in CALM.links.items()
        }
        times.append(crossing_s(replace(CALM, links=links), "n1"))
    assert times[0] is not None
    assert times[1] is not None
    assert 0.15 < times[0] < times[1] < 0.5


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
