"""What the benchmark prints, saves and draws, from made-up measurements."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import plot
from tests.bench.__main__ import parse, save, settings_of
from tests.bench.cases import CASES, SYSTEMS, Case
from tests.bench.idle import Idle, Recovery
from tests.bench.ladder import Ladder, Rung
from tests.bench.outage import Outages
from tests.bench.results import Results
from tests.bench.rounds import Row, hosting
from tests.bench.stats import Histogram, Spread
from tests.bench.systems import etcd, ours, pysyncobj
from tests.bench.tables import Table, number, spread_text, tables
from tests.bench.targets import Target, targets
from tests.bench.work import READ, Outcome

SVG = "{http://www.w3.org/2000/svg}"


def outcome(rate: float, latency_s: float = 0.01, *, inside: bool = False) -> Outcome:
    """Make a round of two seconds."""
    counted = int(rate * 2)
    return Outcome(
        counted=counted,
        run_s=2.0,
        total=counted,
        times=Histogram([latency_s] * counted),
        server_cpu_s=counted * 50e-6,
        client_cpu_s=0.0 if inside else counted * 20e-6,
        wall_s=2.0,
        client_is_server=inside,
    )


def once(value: float) -> Spread:
    return Spread(value, value, value, 1)


def row(case: Case, system: str, *values: float, why: str = "", inside: bool = False) -> Row:
    outcomes = [outcome(rate, inside=inside) for rate in values]
    return Row(case=case, system=system, outcomes=outcomes, why=why)


@pytest.fixture
def results() -> Results:
    write, read = Case(callers=256, plain=True), Case(operation=READ, callers=256)
    over = Case(callers=256, shards=1_000)
    name, host = ours.RAFT_CLIENT.name, hosting(1_000)
    rungs = [
        Rung(offered=250.0, answered=once(250.0), p50_ms=once(1.0), p99_ms=once(3.0)),
        Rung(offered=400.0, answered=once(300.0), p50_ms=once(40.0), p99_ms=once(90.0)),
    ]
    return Results(
        machine={"cores": 2},
        versions={"etcd": "3.4.23"},
        missing={"PySyncObj, unbatched": "not installed"},
        rows=[
            row(write, name, 8_000.0, 9_000.0, 7_000.0),
            row(write, ours.PLAIN.name, 900.0),
            row(write, etcd.SYSTEM.name, 1_000.0, 1_100.0, 900.0),
            row(write, pysyncobj.BATCHED.name, 500.0, inside=True),
            row(read, name, 3_000.0),
            row(read, etcd.SYSTEM.name, 1_500.0),
            row(read, pysyncobj.BATCHED.name, why="its reads are local"),
            row(Case(callers=256), host, 8_000.0),
            row(over, host, 2_000.0),
        ],
        outages=[
            Outages(system=name, times_s=[0.4, 0.5, 0.6]),
            Outages(system=etcd.SYSTEM.name, times_s=[1.0, 1.2, 2.0]),
        ],
        idle=[Idle(system="lolraft", shards=10_000, cpu_percent=4.0, rss_mib=150.0, above_cpu=2.5)],
        recoveries=[Recovery(shards=10_000, after_death_s=6.0, orphans=3, after_restart_s=9.0)],
        ladders=[Ladder(system=name, rungs=rungs), Ladder(system="etcd", rungs=rungs[:1])],
    )


def cells(results: Results, title: str) -> dict[str, list[str]]:
    """Return a table's rows by their first cell."""
    found = next(table for table in tables(results) if table.title.startswith(title))
    return {line[0]: list(line) for line in found.rows}


def test_the_overview_has_rates_and_ratios(results: Results) -> None:
    writes = cells(results, "Writes a second")
    assert writes[ours.RAFT_CLIENT.name][1] == "8,000 8.00×"
    assert writes[ours.PLAIN.name][1] == "900 0.90×"
    assert writes[etcd.SYSTEM.name][1] == "1,000 1.00×"
    assert pysyncobj.SINGLE.name not in writes
    reads = cells(results, "Reads a second")
    assert reads[ours.RAFT_CLIENT.name][1] == "3,000 2.00×"
    assert pysyncobj.BATCHED.name not in reads


def test_a_dash_has_its_reason_below(results: Results) -> None:
    found = next(t for t in tables(results) if t.title.startswith("Reads"))
    assert list(found.notes) == ["PySyncObj: its reads are local"]


def test_every_round_and_all_cpu_is_in_the_details(results: Results) -> None:
    found = next(table for table in tables(results) if table.title == "Every case")
    first = dict(zip(found.head, found.rows[0], strict=True))
    assert first["a second (min to max)"] == "8,000 (7,000 to 9,000)"
    assert first["of etcd"] == "8.00×"
    assert (first["server CPU us"], first["client CPU us"]) == ("50.0", "20.0")
    assert first["client"] == "1 × 16%"
    inside = next(line for line in found.rows if line[1] == pysyncobj.BATCHED.name)
    assert dict(zip(found.head, inside, strict=True))["client"] == "in the server"


def test_shards_are_compared_with_one_of_the_same_cluster(results: Results) -> None:
    found = next(table for table in tables(results) if table.title.startswith("Writes spread"))
    assert [(line[1], line[3]) for line in found.rows] == [("1", "1.00×"), ("1,000", "0.25×")]


def test_where_a_ladder_bent_is_said(results: Results) -> None:
    found = cells(results, "Latency of writes")
    assert found["250/s"][1:] == ["1.00 / 3.00", "1.00 / 3.00"]
    assert found["400/s"][1:] == ["40.0 / 90.0 (300/s)", "–"]


def test_targets_say_by_how_much_they_are_missed(results: Results) -> None:
    said = {target.text: target for target in targets(results)}
    held = said["writes, 256 callers on one client: of etcd's rate"]
    assert (held.measured, held.verdict) == (8.0, "held")
    assert said["failover: median, of etcd's"].verdict == "held"
    assert said["failover: the longest of 3"].measured == 0.6
    over = said["writes over 1,000 shards, of those to one of them"]
    assert (over.measured, over.verdict) == (0.25, "missed by a factor of 2.40")
    assert said["10,000 shards: writes everywhere after a death"].verdict == (
        "missed by a factor of 2.00"
    )
    assert said["writes, 1,024 callers on one client: of etcd's rate"].measured is None


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [
        (2.0, True, "held"),
        (1.0, True, "missed by a factor of 2.00"),
        (2.0, False, "held"),
        (3.0, False, "missed by a factor of 1.50"),
        (None, True, "not measured"),
        (0.0, True, "missed"),
    ],
)
def test_a_verdict(measured: float | None, at_least: bool, verdict: str) -> None:
    assert Target("x", 2.0, measured, at_least).verdict == verdict


def test_numbers_have_three_digits_that_mean_something() -> None:
    assert [number(value) for value in (12_345.6, 12.34, 1.234)] == ["12,346", "12.3", "1.23"]
    assert spread_text(Spread(5.0, 5.0, 5.0, 1)) == "5.00"
    assert spread_text(None) == "–"


def test_a_table_in_both_forms() -> None:
    table = Table("T", ("name", "n"), [("a|b", "1"), ("c", "1,000")], ["note"])
    assert table.to_text().splitlines() == [
        "T", "name      n", "───────────", "a|b       1", "c     1,000", "  note",
    ]  # fmt: skip
    lines = table.to_markdown().splitlines()
    assert lines[2:6] == ["| name | n |", "| --- | --- |", "| a\\|b | 1 |", "| c | 1,000 |"]


def test_everything_is_saved(results: Results, tmp_path: Path) -> None:
    text = save(results, tmp_path / "new" / "folder")
    assert "PySyncObj, unbatched: not installed" in text
    folder = tmp_path / "new" / "folder"
    names = {"latency.svg", "results.json", "results.md", "throughput.svg"}
    assert {path.name for path in folder.iterdir()} == names
    known = json.loads((folder / "results.json").read_text())
    first = known["cases"][0]
    assert (first["case"], first["rate"]["median"], first["ratio_to_etcd"]) == (
        "write-256", 8_000.0, 8.0,
    )  # fmt: skip
    assert len(first["rounds"]) == 3
    assert known["failover"][0]["times_s"] == [0.4, 0.5, 0.6]
    assert "| lolraft, RaftClient | 8,000 8.00× |" in (folder / "results.md").read_text()


def test_nothing_measured_is_saved_too(tmp_path: Path) -> None:
    save(Results(), tmp_path)
    ElementTree.fromstring((tmp_path / "latency.svg").read_bytes())


def test_a_plot_has_a_line_a_system_within_its_frame(results: Results) -> None:
    tree = ElementTree.fromstring(plot.latency(results).encode())
    circles = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in tree.iter(f"{SVG}circle")]
    assert len(circles) == 2 * (2 + 1), "p50 and p99 of each rung"
    assert all(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT for x, _ in circles)
    assert all(plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM for _, y in circles)
    low, high = circles[0], circles[1]  # p50 rises from 1 to 40 ms: to the right, and up.
    assert low[0] < high[0]
    assert low[1] > high[1]
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert {"etcd, p50", "etcd, p99"} <= set(texts)


def test_the_plot_of_rates_leaves_other_work_out(results: Results) -> None:
    tree = ElementTree.fromstring(plot.throughput(results).encode())
    texts = {text.text for text in tree.iter(f"{SVG}text")}
    assert "lolraft, RaftClient, reads" in texts
    assert not any("hosted" in (text or "") for text in texts)
    assert "PySyncObj, unbatched, writes" not in texts, "it has no points"


def test_who_has_no_part_in_a_case_has_a_reason() -> None:
    reads, shards, many = (
        Case(operation=READ, callers=1), Case(callers=1, shards=9), Case(callers=32, clients=16),
    )  # fmt: skip
    assert reads.why_not(pysyncobj.BATCHED) == "its reads are local, not linearizable"
    assert shards.why_not(etcd.SYSTEM) == "one group only"
    assert many.why_not(pysyncobj.SINGLE).startswith("has no clients")
    assert all(case.why_not(ours.RAFT_CLIENT) == "" for case in CASES)
    assert [case.callers for case in CASES if not case.why_not(ours.PLAIN)] == [1, 16, 256]
    assert len({case.key for case in CASES}) == len(CASES)
    assert len({system.name for system in SYSTEMS}) == len(SYSTEMS)


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_of(parse(["--quick", "--tries", "50", "--full"]))
    assert (settings.tries, settings.rounds, settings.shards[-1]) == (50, 1, 10_000)
    assert parse(["--only", "write-*", "idle"]).only == ["write-*", "idle"]
    with pytest.raises(SystemExit):
        parse(["--only", "rights"])
    with pytest.raises(SystemExit):
        parse(["--systems", "lolraft", "raft"])
    said = capsys.readouterr().err
    assert "no part is called 'rights'" in said
    assert "no system begins with 'raft'" in said
