"""Faults in words: what stands on the timeline."""

from __future__ import annotations

import pytest

from lab.faults import (
    ClockTrouble,
    DiskTrouble,
    Fault,
    FaultKind,
    LinkTrouble,
    Rhythm,
    Trouble,
)


@pytest.mark.parametrize(
    ("kind", "nodes", "trouble", "text"),
    [
        (FaultKind.KILL, ("n1",), None, "kill n1"),
        (FaultKind.CUT, ("n1", "n2"), None, "cut n1 → n2"),
        (FaultKind.CUT_BOTH, ("n1", "n2"), None, "cut both n1 ⇄ n2"),
        (FaultKind.PARTITION, ("n1 n2", "n3"), None, "partition n1 n2 | n3"),
        (FaultKind.DELAY, ("n1", "n2"), LinkTrouble(delay_s=0.1), "delay n1 → n2 100 ms"),
        (
            FaultKind.DELAY,
            ("n1", "n2"),
            LinkTrouble(delay_s=0.1, jitter_s=0.02),
            "delay n1 → n2 100 ± 20 ms",
        ),
        (FaultKind.LOSS, ("n1", "n2"), LinkTrouble(drop=0.3), "loss n1 → n2 30%"),
        (
            FaultKind.BANDWIDTH,
            ("n1", "n2"),
            LinkTrouble(bandwidth_bytes_s=65536),
            "bandwidth n1 → n2 64 KiB/s",
        ),
        (FaultKind.FLAP, ("n1", "n2"), Rhythm(period_s=2.0), "flap n1 ⇄ n2 every 2 s"),
        (
            FaultKind.SLOW_DISK,
            ("n1",),
            DiskTrouble(sync_delay_s=0.05),
            "slow disk n1 +50 ms a sync",
        ),
        (FaultKind.FULL_DISK, ("n1",), DiskTrouble(full=True), "full disk n1"),
        (FaultKind.CLOCK, ("n1",), ClockTrouble(rate=2.0, jump_s=5.0), "clock n1 x2 +5 s"),
    ],
)
def test_it_is_one_sentence(
    kind: FaultKind, nodes: tuple[str, ...], trouble: Trouble | None, text: str
) -> None:
    fault = Fault(
        number=1, kind=kind, nodes=nodes, since_s=0.0, mechanism="a rule", trouble=trouble
    )
    assert str(fault) == f"{text} (a rule)"
