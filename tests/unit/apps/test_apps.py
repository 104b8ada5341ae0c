"""The two apps and their base: messages byte for byte, snapshots that survive."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.apps import counter, kv
from lab.apps.counter import CounterApp
from lab.apps.kv import KeyValueApp
from lolraft import state_app
from lolraft.errors import Rejected

ADD_THREE = bytes.fromhex("000000000300000000000000616263")


def test_counter_messages_are_those_of_0_10_2(tmp_path: Path) -> None:
    app = CounterApp(tmp_path)
    assert counter.fetch_add(b"abc") == ADD_THREE
    assert app.process_write(ADD_THREE, 2) == bytes(8)
    assert app.process_write(ADD_THREE, 3) == b"\3" + bytes(7)
    assert app.process_read(bytes(4), 3) == b"\6" + bytes(7)
    assert app.process_read(b"\1\0\0\0", 3) == b"\6" + bytes(7)
    assert app.get_latest_snapshot() == 3
    assert b"".join(app.open_snapshot(3)) == b"\6" + bytes(7)


@pytest.mark.parametrize(
    "garbage", [b"", b"\0", ADD_THREE[:-1], ADD_THREE + b"x", b"\1" + ADD_THREE[1:]]
)
def test_garbage_is_rejected_and_changes_nothing(tmp_path: Path, garbage: bytes) -> None:
    app = CounterApp(tmp_path)
    with pytest.raises(Rejected):
        app.process_write(garbage, 2)
    with pytest.raises(Rejected):
        app.process_read(garbage + b"\7", 2)
    assert app.value == 0


def test_key_value_operations(tmp_path: Path) -> None:
    app = KeyValueApp(tmp_path)
    assert kv.decode_answer(app.process_write(kv.put("a", "1"), 2)) == {"was": None}
    assert kv.decode_answer(app.process_read(kv.get("a"), 2)) == {"value": "1"}
    swap = kv.compare_and_swap("a", "1", "2")
    assert kv.decode_answer(app.process_write(swap, 3)) == {"swapped": True, "value": "2"}
    assert kv.decode_answer(app.process_write(swap, 4)) == {"swapped": False, "value": "2"}
    assert kv.decode_answer(app.process_write(kv.delete("a"), 5)) == {"was": "2"}
    assert kv.describe(kv.put("user:42", "x" * 38)) == "put user:42 38 B"


@pytest.mark.parametrize(
    "garbage", [b"", b"[]", b"{", b"\xff", b'{"op":"put","key":1}', b'{"op":"no","key":""}']
)
def test_key_value_garbage_is_rejected(tmp_path: Path, garbage: bytes) -> None:
    app = KeyValueApp(tmp_path)
    with pytest.raises(Rejected, match="JSON object"):
        app.process_write(garbage, 2)


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_snapshot_of_a_peer_is_installed_and_older_ones_go(tmp_path: Path) -> None:
    app = CounterApp(tmp_path)
    app.install_snapshot(1)
    app.process_write(ADD_THREE, 2)
    app.take_snapshot(2)
    await app.save_snapshot(9, pieces(b"\x2a", bytes(7)))
    assert app.value == 3
    app.install_snapshot(9)
    assert app.value == 42
    app.delete_snapshots_before(9)
    assert app.get_latest_snapshot() == 9
    with pytest.raises(LookupError):
        app.open_snapshot(2)
    app.install_snapshot(1)
    assert app.value == 0


async def test_a_broken_transfer_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    app = CounterApp(tmp_path)
    with pytest.raises(ConnectionError):
        await app.save_snapshot(5, broken())
    assert app.get_latest_snapshot() == 1
    assert os.listdir(tmp_path) == []


async def test_the_loop_does_not_read_what_a_thread_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot may be large: asking for the newest must not stop the loop for that long."""
    app = KeyValueApp(tmp_path)
    app.install_snapshot(1)
    await app.make_snapshot(7)
    monkeypatch.setattr(state_app, "_is_whole", lambda path: pytest.fail("it was read"))
    assert app.get_latest_snapshot() == 7


def test_a_damaged_snapshot_counts_as_absent(tmp_path: Path) -> None:
    app = CounterApp(tmp_path)
    app.value = 7
    app.take_snapshot(4)
    app.take_snapshot(6)
    damaged = tmp_path / "6.snapshot"
    damaged.write_bytes(b"\xff" + damaged.read_bytes()[1:])
    assert CounterApp(tmp_path).get_latest_snapshot() == 4
