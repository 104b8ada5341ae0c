"""
The judge is judged: every planted mistake is caught, by seeds of the simulator or by a story.

A rule turned round that nobody noticed would be a rule that nobody tests. The unplanted code passes
the very worlds that catch the mistakes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lolraft.sim import Plan
from lolraft.sim.swarm import outcome_of
from tests.simulation.planted import Mistake
from tests.simulation.planting import ALL, ROOT, catch

SAFETY = {f"S{number}" for number in range(1, 14)}
LIVENESS = {
    "L1",
    "L2",
    "L3",
    "L6",
    "L8",
    "L9",
    "L10",
    "L11",
}  # L7 costs time only.
NAMED = {
    "vote twice": "a vote is given twice in a term (3.4)",
    "commit an earlier term by counting": (
        "an entry of an earlier term is committed by counting (figure 3.7)"
    ),
    "ack before sync": "answers leave before the disk has them (S1)",
    "read without a round": "a read asks no quorum (6.4)",
    "forget the session in a snapshot": "a snapshot forgets the sessions (S10)",
    "skip the truncate": "the log is not truncated on disk (3.5)",
    "count the removed leader": "a leader counts itself in a configuration without it (S13)",
    "drop the objection": "a read is confirmed by who objects (L6)",
    "trust an old epoch": "an append of an earlier life gives belief (L1)",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mistake", ALL, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_caught(
    mistake: Mistake, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    caught = catch(mistake, tmp_path)
    assert caught is not None, "nobody noticed"
    record_property("planted", f"{mistake.name}\n      {caught}")
    if caught.seed is not None:
        plan = replace(Plan.of_seed(caught.seed), siege_s=0.0, **mistake.aim)  # type: ignore[arg-type]
        outcome = outcome_of(plan)
        assert not outcome.broken, "the code without the mistake breaks this world too"


def test_every_mistake_has_a_name_of_its_own_and_a_place() -> None:
    names = Counter(mistake.name for mistake in ALL)
    assert not [name for name, count in names.items() if count > 1]
    assert len(ALL) >= 40
    for mistake in ALL:
        text = (ROOT / "lolraft" / mistake.file).read_text()
        assert text.count(mistake.before) == 1, f"{mistake.name}: plant it anew"


def rules() -> set[str]:
    """Return the rules of PROTOCOL.md that some mistake turns round."""
    return {rule for mistake in ALL for rule in re.findall(r"\b[SL]\d+\b", mistake.name)}


def test_every_safety_rule_turned_round_is_among_them() -> None:
    assert not SAFETY - rules()


def test_every_liveness_rule_that_a_judge_can_see_is_among_them() -> None:
    assert not LIVENESS - rules()


@pytest.mark.parametrize("deed", NAMED)
def test_the_mistakes_that_everybody_makes_are_among_them(deed: str) -> None:
    assert NAMED[deed] in {mistake.name for mistake in ALL}
