"""
No peer can make the node raise, or stop a replica, whatever it says (DESIGN section 4, point 5).

A peer that lies can break safety, as Raft has it; it must not kill.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.alone import Alone
from tests.fuzz.effort import effort

STEPS = 150


@effort(150)
@given(st.integers(0, 2**64 - 1))
def test_strangers_do_not_stop_a_node_or_a_replica(seed: int) -> None:
    alone = Alone(Random(seed))
    try:
        for _ in range(STEPS):
            alone.step()
        alone.finish()
    except Exception as broken:
        told = "\n".join(alone.story)
        raise AssertionError(f"seed {seed}: {broken!r}\n{told}") from broken
