"""What the benchmark counts: latencies, rounds, and what /proc and etcd say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench import etcd_wire, proc
from tests.bench.stats import Histogram, Spread, ratio, spread
from tests.bench.store import Store
from tests.bench.systems.etcd import parse_version
from tests.bench.work import Outcome, Work, key_of, value_of

TIMES = st.lists(st.floats(2e-6, 50.0), min_size=1, max_size=60)


@settings(deadline=None)
@given(times=TIMES, percent=st.sampled_from([50.0, 90.0, 99.0, 100.0]))
def test_a_percentile_is_right_to_two_percent(times: list[float], percent: float) -> None:
    ordered = sorted(times)
    rank = next(n for n in range(1, len(times) + 1) if n >= len(times) * percent / 100)
    found = Histogram(times).percentile(percent)
    assert found == pytest.approx(ordered[rank - 1], rel=0.02)


@settings(deadline=None)
@given(one=TIMES, other=TIMES)
def test_histograms_add_up_and_travel(one: list[float], other: list[float]) -> None:
    added = Histogram(one)
    added.add(Histogram.of(Histogram(other).counts))
    assert added.counts == Histogram(one + other).counts
    assert added.total == len(one) + len(other)


def test_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(50) is None


def test_rounds_are_summed_up_by_median_and_bounds() -> None:
    assert spread([3.0, None, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0, 3)
    assert spread([None]) is None
    assert ratio(spread([6.0]), spread([3.0])) == 2.0
    assert ratio(spread([6.0]), None) is None
    assert ratio(spread([6.0]), spread([0.0])) is None


def test_cpu_time_is_found_behind_any_name() -> None:
    stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 101 0 0 0 250 75 0 0 20 0 9 0 55 1 2"
    assert proc.parse_cpu_ticks(stat) == 325


def test_memory_of_a_process() -> None:
    assert proc.parse_rss_bytes("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t  2048 kB\n") == 2 * 1024**2
    assert proc.parse_rss_bytes("Name:\tgone\n") == 0


def test_a_process_that_is_gone_counts_nothing() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert proc.cpu_s([pid]) == 0
    assert proc.rss_bytes([pid, os.getpid()]) == proc.rss_bytes([os.getpid()]) > 0


def test_the_filesystem_is_that_of_the_innermost_mount() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n"
    assert proc.filesystem(Path("/tmp/disk/x"), mounts) == "xfs"
    assert proc.filesystem(Path("/tmp/diskette"), mounts) == "tmpfs"
    assert proc.filesystem(Path("/var"), mounts) == "ext4"


def test_a_sync_takes_time_and_leaves_nothing(tmp_path: Path) -> None:
    assert proc.fdatasync_s(tmp_path, tries=2) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_workers_share_all_of_the_work(parts: int) -> None:
    shares = [Work(callers=16, rate=900.0).share(number, parts) for number in range(parts)]
    assert sum(share.callers for share in shares) == 16
    assert sum(share.rate or 0 for share in shares) == pytest.approx(900.0)
    assert Work(callers=16).share(0, parts).rate is None


def test_outcomes_of_workers_add_up_and_travel() -> None:
    whole = Outcome()
    for errors, text in ((0, ""), (2, "first")):
        part = Outcome(
            counted=10, run_s=2.0, total=15, errors=errors, error=text, times=Histogram([0.1] * 10)
        )
        whole.add(Outcome.of_json(part.to_json()))
    assert (whole.rate, whole.total, whole.errors, whole.error) == (10.0, 30, 2, "first")
    assert whole.times.total == 20
    assert whole.per_operation_us(0.003) == pytest.approx(100.0)
    assert Outcome().per_operation_us(1.0) is None


def _message(name: str, **numbers: int) -> type:
    """Make a message of bytes, with the field numbers of etcd's, by protobuf's own hand."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    kind = file.message_type.add(name=name)
    for field, number in numbers.items():
        is_text = field in ("key", "value", "kvs", "header")
        kind.field.add(
            name=field,
            number=number,
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            type=12 if is_text else 4,  # bytes, uint64
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


@settings(deadline=None)
@given(key=st.binary(min_size=1, max_size=300), value=st.binary(max_size=300))
def test_what_etcd_is_sent_is_protobuf(key: bytes, value: bytes) -> None:
    put = _message("PutRequest", key=1, value=2).FromString(etcd_wire.put(key, value))
    assert (put.key, put.value) == (key, value)
    asked = _message("RangeRequest", key=1, serializable=7).FromString(etcd_wire.range_of(key))
    assert (asked.key, asked.serializable) == (key, 0)


@settings(deadline=None)
@given(value=st.binary(max_size=300), member=st.integers(1, 2**64 - 1), leads=st.booleans())
def test_what_etcd_answers_is_read(value: bytes, member: int, leads: bool) -> None:
    pair = _message("KeyValue", key=1, mod_revision=3, value=5)(
        key=b"k", mod_revision=2**40, value=value
    )
    header = _message("ResponseHeader", cluster_id=1, member_id=2)(cluster_id=7, member_id=member)
    answer = _message("RangeResponse", header=1, kvs=2, count=4)
    full = answer(header=header.SerializeToString(), kvs=pair.SerializeToString(), count=1)
    assert etcd_wire.found(full.SerializeToString()) == value
    assert etcd_wire.found(answer(header=b"").SerializeToString()) is None
    status = _message("StatusResponse", header=1, leader=4)
    leader = member if leads else member - 1
    said = status(header=header.SerializeToString(), leader=leader).SerializeToString()
    assert etcd_wire.leads(said) is leads


@pytest.mark.parametrize("broken", [b"\x12\x05abc", b"\x0f", b"\x80"])
def test_half_a_message_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"message ends|no field"):
        list(etcd_wire.fields(broken))


def test_the_version_of_an_etcd() -> None:
    assert parse_version("etcd Version: 3.4.23\nGit SHA: x\n") == "3.4.23"
    assert parse_version("?") == "0.0.0"


def test_the_app_keeps_values_through_a_snapshot(tmp_path: Path) -> None:
    app, other = Store(tmp_path / "a"), Store(tmp_path / "b")
    for number in (1, 2, 1_001):
        app.process_write(key_of(number) + value_of(number), number)
    other.load(app.dump())
    assert other.process_read(key_of(1), 9) == value_of(1_001)
    assert other.process_read(key_of(2), 9) == value_of(2)
    assert other.process_read(key_of(3), 9) == b""
