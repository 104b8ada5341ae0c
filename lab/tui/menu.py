"""The fault menu: every fault with its key, its value, and what to expect of it (LAB part 3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rich.markup import escape

from lab.cluster.interface import Cluster
from lab.faults import (
    LINK_TROUBLES,
    ClockTrouble,
    DiskTrouble,
    FaultKind,
    LinkTrouble,
    Rhythm,
    Trouble,
)
from lab.observe.foresee import HARMLESS, MUTE, Consequence
from lab.observe.view import NodeView
from lab.observe.words import counted
from lab.tui.foretell import of_link, of_node
from lab.tui.paint import cut
from lab.tui.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the menu."""

    key: str
    kind: FaultKind | None
    label: str  # With the braces of `keys.filled`.
    expects: str  # What will come of it.
    action: str = ""  # Of the app, where a key does the same.
    asks: str = ""  # Which value, with its unit; empty where there is none to give.
    value: str = ""
    make: Callable[[str], Trouble] | None = None  # ValueError: the value makes no sense.

    @property
    def on_link(self) -> bool:
        """Return whether it concerns the link under the cursor, not the node."""
        return self.kind in LINK_TROUBLES


def _delay(text: str) -> Trouble:
    """Read `100` or `100 ± 20`, in milliseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:\s*(?:±|\+-|\s)\s*(\d+(?:\.\d+)?))?", text.strip())
    if found is None:
        raise ValueError("milliseconds, such as 100 or 100 ± 20")
    return LinkTrouble(delay_s=float(found[1]) / 1e3, jitter_s=float(found[2] or 0) / 1e3)


def _number(text: str, lowest: float, highest: float, unit: str) -> float:
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not lowest <= value <= highest:
        raise ValueError(f"{unit}, from {lowest:g} to {highest:g}")
    return value


def _share(text: str) -> float:
    return _number(text, 0, 100, "percent") / 100


def _clock(text: str) -> Trouble:
    """Read `x2` as a rate, `+5` as seconds to jump ahead."""
    text = text.strip()
    if text.startswith("x"):
        return ClockTrouble(rate=_number(text[1:], 0.1, 10, "a rate such as x2"))
    return ClockTrouble(jump_s=_number(text.removeprefix("+"), 0, 3600, "seconds such as +5"))


def _rhythm(text: str) -> Trouble:
    return Rhythm(period_s=_number(text, 0.2, 600, "seconds"))


MENU_WIDTH = 106  # Cells of a line, where the screen has so many.
_LABEL = 26  # Of them.
RESTART = "until it is restarted: a store never goes on after a failed sync"
MENU: tuple[Entry, ...] = (
    Entry(key="K", kind=FaultKind.KILL, label="kill {node}", expects="", action="kill"),
    Entry(key="s", kind=FaultKind.STOP, label="{stop} {node}", action="stop",
          expects=""),
    Entry(key="p", kind=FaultKind.PAUSE, label="{pause} {node}", action="pause",
          expects=""),
    Entry(key="r", kind=None, label="restart {node}", action="restart",
          expects="on its data: a new epoch, and a follower first"),
    Entry(key="c", kind=FaultKind.CRASH_LOOP, label="crash loop of {node}", asks="seconds a round",
          value="4", make=_rhythm, expects="killed and started again until healed"),
    Entry(key="i", kind=FaultKind.ISOLATE, label="isolate {node}", expects="", action="isolate"),
    Entry(key="P", kind=FaultKind.PARTITION, label="split into groups …", action="partition",
          expects="the side with a majority goes on"),
    Entry(key="x", kind=FaultKind.CUT, label="{cut} {link}", action="cut",
          expects="{receiver} no longer hears {sender}"),
    Entry(key="X", kind=FaultKind.CUT_BOTH, label="cut {both}", action="cut_both",
          expects="both stop hearing each other"),
    Entry(key="f", kind=FaultKind.FLAP, label="flap {both}", asks="seconds a round", value="2",
          make=_rhythm, expects="now cut, now whole"),
    Entry(key="d", kind=FaultKind.DELAY, label="delay {link}", asks="milliseconds, or 100 ± 20",
          value="100", make=_delay, expects="commits that need it wait as long"),
    Entry(key="l", kind=FaultKind.LOSS, label="lose some of {link}", asks="percent", value="30",
          make=lambda text: LinkTrouble(drop=_share(text)), expects="what is lost is sent again"),
    Entry(key="2", kind=FaultKind.DUPLICATE, label="double some of {link}", asks="percent",
          value="30", make=lambda text: LinkTrouble(duplicate=_share(text)),
          expects="nothing: every message may come twice"),
    Entry(key="o", kind=FaultKind.REORDER, label="reorder some of {link}", asks="percent",
          value="30", make=lambda text: LinkTrouble(reorder=_share(text)),
          expects="nothing but retries: old appends cut no log"),
    Entry(key="b", kind=FaultKind.BANDWIDTH, label="narrow {link}", asks="KiB a second",
          value="64", expects="bulk waits, heartbeats pass",
          make=lambda text: LinkTrouble(
              bandwidth_bytes_s=1024 * _number(text, 1, 1e6, "KiB a second"))),
    Entry(key="S", kind=FaultKind.SLOW_DISK, label="slow disk of {node}",
          asks="milliseconds more a sync", value="200",
          expects="a leader whose disk stalls hands over",
          make=lambda text: DiskTrouble(
              sync_delay_s=_number(text, 0, 60_000, "milliseconds") / 1e3)),
    Entry(key="y", kind=FaultKind.FAILING_SYNC, label="failing sync at {node}",
          make=lambda _: DiskTrouble(fail_sync=True), expects=f"it acknowledges nothing {RESTART}"),
    Entry(key="F", kind=FaultKind.FULL_DISK, label="full disk of {node}",
          make=lambda _: DiskTrouble(full=True), expects=f"it acknowledges nothing {RESTART}"),
    Entry(key="C", kind=FaultKind.CLOCK, label="clock of {node}", asks="a rate x2, or a jump +5",
          value="x2", make=_clock, expects="phi and delays are measured by a wrong clock"),
    Entry(key="a", kind=None, label="add a node to {shard}", action="add_node(False)",
          expects="a learner first, a voter when it has caught up"),
    Entry(key="M", kind=None, label="remove {node} from {shard}", action="remove",
          expects="it asks first; a leader hands over, and its data goes"),
    Entry(key="T", kind=None, label="take a snapshot of {shard}", action="snapshot",
          expects="the log before it may go: who is behind it needs the snapshot"),
    Entry(key="t", kind=None, label="transfer {shard} to {target}", action="transfer",
          expects="one election, writes wait for a moment"),
    Entry(key="0", kind=None, label="heal everything", action="heal",
          expects="paused and dead nodes stay so"),
    Entry(key="u", kind=None, label="undo the last fault", action="undo", expects=""),
)  # fmt: skip


def lines(
    scene: Scene, cluster: Cluster, words: dict[str, str], width: int
) -> list[tuple[str, str, Entry | None]]:
    """
    Return the menu as keys, words and what each stands for; None where it cannot be done.

    The words are markup, cut to *width* cells.
    """
    room = width - _LABEL - 1
    found: list[tuple[str, str, Entry | None]] = []
    for entry in MENU:
        label = entry.label.format_map(words)
        why_not = cluster.why_not(entry.kind) if entry.kind is not None else None
        if why_not:
            refused = escape(cut(f"cannot: {why_not}", room))
            found.append((entry.key, f"{label:{_LABEL}} {refused}", None))
            continue
        expected = foretold(scene, entry)
        says = escape(cut(expects(scene, entry, expected, words), room))
        if expected is not None and expected.harms:
            says = f"[$error]{says}[/]"
        found.append((entry.key, f"{label:{_LABEL}} {says}", entry))
    return found


def foretold(scene: Scene, entry: Entry) -> Consequence | None:
    """Return what the picture lets expect of what is selected; None: it does not tell."""
    kind = entry.kind
    if kind in MUTE or kind is FaultKind.SLOW_DISK:
        return of_node(scene, kind) if kind is not None else None
    if kind in (*LINK_TROUBLES, FaultKind.CUT, FaultKind.CUT_BOTH) and kind not in HARMLESS:
        return of_link(scene, kind) if kind is not None else None
    return None


def expects(scene: Scene, entry: Entry, expected: Consequence | None, words: dict[str, str]) -> str:
    """Say before what will come of it, from what the picture shows now."""
    known = entry.expects.format_map(words)
    if entry.action == "heal":
        count = counted(len(scene.view.faults), "fault")
        return f"{count} in force; {known}"
    if entry.action == "undo":
        newest = max(scene.view.faults, key=lambda fault: fault.number, default=None)
        return f"takes back: {newest}" if newest is not None else "nothing is in force"
    node = scene.view.node(scene.node or "")
    if expected is None and entry.kind in MUTE and node is not None and node.state != "running":
        return _of_one_that_is_out(entry, node)
    if expected is None:
        return known
    if expected.slowed is not None and known:
        return f"{known}; {expected}"
    return str(expected)


def _of_one_that_is_out(entry: Entry, node: NodeView) -> str:
    """Say what a key does to a node that nobody hears already."""
    if node.state == "paused":
        resumes = entry.action == "pause"
        return "it goes on where it was" if resumes else "its peers miss it already: no election"
    if entry.action == "stop":
        return "it starts again on the same data"
    return f"it is {node.state} already: r starts it again"


def foretold_of(scene: Scene, entry: Entry, words: dict[str, str], text: str) -> Consequence | str:
    """Return what to expect with the value *text*, or what is wrong with that."""
    assert entry.make is not None, "it asks for a value"
    try:
        entry.make(text)
    except ValueError as broken:
        return str(broken)
    expected = foretold(scene, entry)
    if expected is not None and expected.slowed is None:
        return expected
    return expects(scene, entry, expected, words)
