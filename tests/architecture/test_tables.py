"""The tables of `tests/README.md`: every rule and fault has a row, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
STORIES = TESTS / "scenarios" / "stories"
ROWS = {
    cells[0]: cells[-1]
    for line in (TESTS / "README.md").read_text().splitlines()
    if re.fullmatch(
        r"[SLCP]?\d+", (cells := [cell.strip() for cell in line.strip("|").split("|")])[0]
    )
}
RULES = (
    *(f"S{number}" for number in range(1, 14)),
    *(f"L{number}" for number in range(1, 12)),
    *(f"C{number}" for number in range(1, 8)),
    *(f"P{number}" for number in range(1, 6)),
)
FAULTS = tuple(str(number) for number in range(1, 19))
UNPROVEN = {"P1", "P2", "P3"}  # They cost time, and change no behaviour.


@pytest.mark.parametrize("name", RULES + FAULTS)
def test_it_has_a_row_that_names_what_exists(name: str) -> None:
    proofs = re.findall(r"`([^`]+)`", ROWS[name])
    assert bool(proofs) != (name in UNPROVEN)
    for proof in proofs:
        file, _, test = proof.partition("::")
        if file.endswith(".py"):
            assert (TESTS / file).is_file(), proof
            assert not test or f"def {test}(" in (TESTS / file).read_text(), proof
        elif file != "deaf_frames":
            assert (STORIES / f"{file}.txt").is_file(), proof


def test_there_is_no_row_for_nothing() -> None:
    assert set(ROWS) == {*RULES, *FAULTS}
