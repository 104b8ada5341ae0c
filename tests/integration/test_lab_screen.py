"""The main job at 80x24, in a real terminal over real processes: break it, see it, mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.local_lab import left_over
from tests.integration.terminal import Terminal

LEADER = re.compile(r"s0000 · leader (n\d) · term (\d+)")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    terminal = Terminal("-m", "lab", "--backend", "local", state=tmp_path)
    try:
        terminal.until(
            lambda text: "leaders 1/1" in text and LEADER.search(text) and text.count("● up") == 3
        )
        yield terminal
        terminal.press("q")
        terminal.until(lambda text: "end the cluster" in text)
        terminal.press("e")
        assert terminal.wait() == 0
        assert left_over() == ([], [], [])
        assert b"Traceback" not in terminal.raw
    finally:
        terminal.close()


def leader_on(text: str) -> tuple[str, int]:
    """Return who leads by the title of the logs, and in which term."""
    found = LEADER.search(text)
    return (found[1], int(found[2])) if found else ("", 0)


def row_of(text: str, name: str) -> str:
    """Return the line of a node at the top, empty while the screen is being painted."""
    return next((line for line in text.splitlines()[1:4] if f" {name} " in line), "")


def links_of(text: str) -> str:
    """Return the panel of links, which stands at the left."""
    return "\n".join(line[:30] for line in text.splitlines()[4:18])


def uncut(text: str) -> bool:
    """Return whether the panel of links is there and shows no cut."""
    return "from╲to" in links_of(text) and "✂" not in links_of(text)


def test_kill_the_leader_see_another_and_start_it_again(lab: Terminal) -> None:
    old, term = leader_on(lab.text())
    lab.until(lambda text: f"press K kills the leader {old}" in text and f"K kill {old}" in text)
    lab.press("K")
    text = lab.until(lambda text: "✗ killed" in row_of(text, old) or f"kill {old}?" in text)
    if f"kill {old}?" in text:  # On a busy machine another node was silent just then: it asks.
        lab.press("K")
        lab.until(lambda text: "✗ killed" in row_of(text, old))
    text = lab.until(lambda text: leader_on(text)[0] not in ("", old))
    new, later = leader_on(text)
    assert later > term
    lab.until(lambda text: "nodes 2/3" in text and "leaders 1/1" in text and "✔ SAFE" in text)
    lab.until(lambda text: re.search(r"★ +1 ", row_of(text, new)))
    lab.press("r")  # The cursor is on the dead node still.
    lab.until(lambda text: "nodes 3/3" in text and "● up" in row_of(text, old))
    lab.until(lambda text: re.search(r"leaders 1/1 +! 0", text))
    assert leader_on(lab.text())[0] == new
    lab.press("3")  # There all events have room: four lines of news may push one out.
    for event in (f"✗ you: kill {old}", f"★ {new} elected", f"you: restart {old}"):
        lab.until(lambda text, event=event: event in text)


def test_cut_a_link_isolate_a_node_and_heal_everything(lab: Terminal) -> None:
    leader, term = leader_on(lab.text())
    found = re.search(r"x cut (n\d→n\d)", lab.until(lambda text: "x cut n" in text))
    assert found is not None
    link = found[1]
    lab.press("x")
    lab.until(lambda text: "✂" in links_of(text) and f"x heal {link}" in text)
    lab.press("0")
    lab.until(lambda text: uncut(text) and f"x cut {link}" in text)
    lab.press("i")
    lab.until(lambda text: links_of(text).count("✂") >= 4)
    text = lab.until(lambda text: leader_on(text)[0] not in ("", leader))
    assert leader_on(text)[1] > term
    lab.press("0")
    lab.until(lambda text: uncut(text) and re.search(r"leaders 1/1 +! 0", text))
    lab.until(lambda text: "✔ SAFE" in text)


def test_a_write_and_a_read_through_the_screen(lab: Terminal) -> None:
    lab.press("W")
    lab.until(lambda text: "write to s0000" in text)
    lab.press("\r")
    lab.until(lambda text: "you: write hello=world to s0000: was nothing" in text)
    lab.until(lambda text: re.search(r"commit 4 ", text))
    lab.press("e")
    lab.until(lambda text: "read from s0000" in text)
    lab.press("\r")
    lab.until(lambda text: "you: read hello from s0000: value world" in text)
