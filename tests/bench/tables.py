"""Results as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.cases import NOT_ASKED, SYSTEMS
from tests.bench.ladder import Ladder
from tests.bench.results import REFERENCE, Results
from tests.bench.rounds import Row
from tests.bench.stats import Spread, ratio
from tests.bench.targets import Target, targets

DASH = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a head, rows of text, and sentences below."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())

    def to_text(self) -> str:
        """Return the table in columns."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [self.title, _line(self.head, widths), "─" * (sum(widths) + 2 * len(widths) - 2)]
        lines += [_line(row, widths) for row in self.rows]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"## {self.title}", "", _bars(self.head), _bars(["---"] * len(self.head))]
        lines += map(_bars, self.rows)
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]).rstrip()


def _bars(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def number(value: float) -> str:
    """Return a number with three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread_text(value: Spread | None) -> str:
    """Return `median (min to max)`, the median alone of a single round, a dash of none."""
    if value is None:
        return DASH
    if value.rounds == 1:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)} to {number(value.high)})"


def median_text(value: Spread | None) -> str:
    """Return the median, or a dash."""
    return DASH if value is None else number(value.median)


def times_text(value: float | None) -> str:
    """Return a ratio, or a dash."""
    return DASH if value is None else f"{value:.2f}×"


def tables(results: Results) -> list[Table]:
    """Return all that was measured."""
    made = [_overview(results, "write"), _overview(results, "read"), _details(results)]
    made.append(_over_shards(results))
    made += [_outages(results), _idle(results), _recoveries(results), _ladders(results)]
    made.append(_goals(results))
    return [table for table in made if table.rows]


def _goals(results: Results) -> Table:
    goals = targets(results)
    rows = [
        (one.text, _bound(one), f"{one.measured:.2f}{one.unit}", one.verdict)
        for one in goals
        if one.measured is not None
    ]
    left = len(goals) - len(rows)
    notes = [f"{left} more were not measured in this run."] if left else []
    return Table("What must hold", ("what", "must be", "is", "verdict"), rows, notes)


def _bound(one: Target) -> str:
    return f"{'at least' if one.at_least else 'at most'} {one.bound:g}{one.unit}"


def _overview(results: Results, operation: str) -> Table:
    """Put the cases side by side: rate, and its ratio to the reference's."""
    shown = [
        key
        for key in results.case_keys()
        if any(r.case.key == key and r.case.operation == operation for r in results.rows)
        and any(results.row(key, system.name) for system in SYSTEMS)
    ]
    rows = []
    for system in SYSTEMS:
        found = [results.row(key, system.name) for key in shown]
        if any(row is not None and row.rate() for row in found):
            cells = [_rate_and_ratio(results, row) for row in found]
            rows.append([system.name, *cells, system.durable])
    head = [*(_short(results, key) for key in shown), "durable"]
    return Table(
        f"{operation.capitalize()}s a second, and times {REFERENCE}'s",
        ["", *head],
        rows,
        _reasons(row for row in results.rows if row.case.operation == operation),
    )


def _short(results: Results, key: str) -> str:
    case = next(row.case for row in results.rows if row.case.key == key)
    return case.title.removeprefix(f"{case.operation}s, ")


def _rate_and_ratio(results: Results, row: Row | None) -> str:
    rate = row.rate() if row is not None else None
    if row is None or rate is None:
        return DASH
    times = results.rate_ratio(row.case.key, row.system)
    return number(rate.median) if times is None else f"{number(rate.median)} {times:.2f}×"


def _reasons(rows: Iterator[Row]) -> list[str]:
    """Say why there is a dash, once for each reason."""
    why = dict.fromkeys((row.system, row.why) for row in rows if row.why)
    return [f"{system}: {reason}" for system, reason in why if reason != NOT_ASKED]


def _details(results: Results) -> Table:
    head = (
        "case", "system", "a second (min to max)", f"of {REFERENCE}", "p50 ms", "p99 ms",
        "server CPU us", "client CPU us", "client", "failed",
    )  # fmt: skip
    rows = []
    for row in results.rows:
        if row.why and not row.outcomes:
            continue
        share = row.client_share()
        client = f"{row.processes} × {share.median:.0%}" if share else "in the server"
        rows.append(
            (
                row.case.title,
                row.system,
                spread_text(row.rate()),
                times_text(results.rate_ratio(row.case.key, row.system)),
                spread_text(row.latency_ms(50)),
                spread_text(row.latency_ms(99)),
                median_text(row.server_us()),
                median_text(row.client_us()),
                client,
                f"{row.errors:,}" if row.errors else "",
            )
        )
    notes = [
        "CPU is user and system time of an operation: of the three servers together, and of the"
        " client. The column client says how many processes it had, and what share of a core each"
        " took; near 100 %, the client is what limits.",
        *dict.fromkeys(f"{row.system}, failed: {row.error}" for row in results.rows if row.error),
    ]
    return Table("Every case", head, rows, notes)


def _over_shards(results: Results) -> Table:
    """Compare writes over some shards with those to one shard of the same cluster."""
    measured = {system.name for system in SYSTEMS}
    found = [row for row in results.rows if row.system not in measured]
    rows = []
    for row in found:
        alone = next(r for r in found if r.system == row.system and r.case.shards == 1)
        rows.append(
            (
                row.system,
                f"{row.case.shards:,}",
                spread_text(row.rate()),
                times_text(ratio(row.rate(), alone.rate())),
                median_text(row.server_us()),
            )
        )
    head = ("shards", "written to", "a second (min to max)", "of one shard", "server CPU us")
    return Table("Writes spread over shards", head, rows)


def _outages(results: Results) -> Table:
    reference = results.outage(REFERENCE)
    rows = [
        (
            one.system,
            spread_text(one.spread()),
            str(len(one.times_s)),
            times_text(ratio(one.spread(), reference)),
            one.why,
        )
        for one in results.outages
    ]
    head = ("system", "s (min to max)", "tries", f"of {REFERENCE}", "")
    return Table("From SIGKILL of the leader to the next accepted write", head, rows)


def _idle(results: Results) -> Table:
    head = ("system", "shards", "CPU %", "MiB", "CPU % above", "MiB above", "")
    rows = [
        (
            one.system,
            f"{one.shards:,}",
            f"{one.cpu_percent:.2f}",
            f"{one.rss_mib:.1f}",
            DASH if one.above_cpu is None else f"{one.above_cpu:+.2f}",
            DASH if one.above_mib is None else f"{one.above_mib:+.1f}",
            "one node dead" if one.one_dead else "",
        )
        for one in results.idle
    ]
    note = "Of a core, a node; above is above our node that hosts one shard."
    return Table("Idle", head, rows, [note])


def _s(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"


def _recoveries(results: Results) -> Table:
    head = ("shards", "led by the dead node", "all accept writes after s", "after a full start s")
    rows = [
        (f"{one.shards:,}", f"{one.orphans:,}", _s(one.after_death_s), _s(one.after_restart_s))
        for one in results.recoveries
    ]
    return Table("Many shards, after SIGKILL of a node and after a restart of all", head, rows)


def _ladders(results: Results) -> Table:
    offered = sorted({rung.offered for ladder in results.ladders for rung in ladder.rungs})
    rows = [
        [f"{rate:,.0f}/s", *(_rung_text(ladder, rate) for ladder in results.ladders)]
        for rate in offered
    ]
    head = ["offered", *(ladder.system for ladder in results.ladders)]
    note = (
        "p50 / p99 in ms, counted from when a write was due (open loop); in parentheses what was"
        " answered, where that was less than was offered."
    )
    whys = [f"{ladder.system}: {ladder.why}" for ladder in results.ladders if ladder.why]
    return Table("Latency of writes under load", head, rows, [note, *whys])


def _rung_text(ladder: Ladder, offered: float) -> str:
    for rung in ladder.rungs:
        if rung.offered == offered:
            text = f"{median_text(rung.p50_ms)} / {median_text(rung.p99_ms)}"
            return f"{text} ({median_text(rung.answered)}/s)" if rung.bent else text
    return DASH
