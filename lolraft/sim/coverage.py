"""What a run has met, as tables that a person reads: what never happened is said too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lolraft.sim.ambushes import BLOWS
from lolraft.sim.plan import AMBUSHES, KINDS
from lolraft.sim.rare import RARE
from lolraft.sim.swarm import Outcome

WIDTH = 100
DISKS = ("write torn", "damage noticed at start", "no start on a full disk", "stalled", "installed")
NETWORK = ("lost", "doubled", "overtaken", "held up", "broken", "stuck")
NODES = ("elected", "stepped_down", "election", "truncated", "removed", "snapshot", "suspect")
CLIENTS = (
    "write done", "add done", "read done", "outcome unknown", "given up", "history too hard",
)  # fmt: skip


class Coverage:
    """Add up the outcomes of many seeds."""

    def __init__(self) -> None:
        self.seeds = 0
        self.virtual_s = 0.0
        self.cpu_s = 0.0
        self.broken: list[int] = []
        self._counts: Counter[str] = Counter()
        self._worlds: Counter[str] = Counter()
        self._large = [0, 0.0]  # Worlds of 3 to 7 members, and their seconds, ...
        self._many = [0, 0.0]  # ... and those of them with several shards.

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        plan = outcome.plan
        self.seeds += 1
        self.virtual_s += outcome.virtual_s
        self.cpu_s += outcome.cpu_s
        self._counts += outcome.coverage
        self._worlds[f"{plan.nodes} nodes"] += 1
        self._worlds["several shards" if len(plan.shards) > 1 else "one shard"] += 1
        if outcome.promise:
            self.broken.append(plan.seed)
        if 3 <= plan.nodes <= 7:
            self._large[0] += 1
            self._large[1] += outcome.virtual_s
            if len(plan.shards) > 1:
                self._many[0] += 1
                self._many[1] += outcome.virtual_s

    def rate(self, wall_s: float) -> str:
        """Return how far it has come, in one line."""
        hours = self.virtual_s / 3600
        return (
            f"{self.seeds} seeds, {self.seeds / wall_s:.1f} a second,"
            f" {hours:.2f} simulated hours, {60 * hours / wall_s:.3f} hours a minute"
            f" ({self.virtual_s / max(self.cpu_s, 1e-9):.0f} simulated seconds a CPU second),"
            f" {len(self.broken)} broken"
        )

    def tables(self) -> str:
        """Return everything that was counted."""
        worlds = [f"{number} nodes" for number in range(1, 8)] + ["one shard", "several shards"]
        large, many = (
            f"{seeds} worlds, {virtual_s / 3600:.2f} simulated hours"
            for seeds, virtual_s in (self._large, self._many)
        )
        counts = self._counts
        return "\n".join(
            (
                _table("worlds", self._worlds, worlds),
                f"  of 3 to 7 nodes: {large}; with several shards: {many}",
                _table("faults without aim", counts, KINDS),
                _table(
                    "faults with aim, by moment", counts, [f"ambush {name}" for name in AMBUSHES]
                ),
                _table("faults with aim, by blow", counts, dict.fromkeys(BLOWS)),
                _table("the network", counts, NETWORK),
                _table("the disks", counts, DISKS),
                _table("the nodes", counts, NODES),
                _table("the clients", counts, CLIENTS),
                _table("rare events", counts, RARE, columns=1),
            )
        )


def _table(title: str, counts: Counter[str], names: Iterable[str], columns: int = 4) -> str:
    cells = [(counts[name], name.removeprefix("ambush ").replace("_", " ")) for name in names]
    width = WIDTH // columns
    lines = [
        "".join(f"{_number(count):>8}  {name}".ljust(width) for count, name in row).rstrip()
        for row in _rows(cells, columns)
    ]
    return "\n".join([f"\n{title}", *lines])


def _number(count: int) -> str:
    return f"{count:,}" if count else "never"


def _rows(cells: Sequence[tuple[int, str]], columns: int) -> Iterable[Sequence[tuple[int, str]]]:
    return (cells[at : at + columns] for at in range(0, len(cells), columns))
