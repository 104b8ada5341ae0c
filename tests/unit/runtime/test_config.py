"""Addresses, lists of shards, and settings that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolraft.config import (
    MAX_SHARD_ID,
    Config,
    Tls,
    default_listen,
    host_and_port,
    normalise_node_id,
    parse_shards,
)
from lolraft.errors import ConfigError
from lolraft.raft.types import NodeId


@pytest.mark.parametrize(
    "text",
    [
        "http://lol-testapp-0:50000",
        "http://lol-testapp-0:50000/",
        "HTTP://LOL-Testapp-0:50000/",
        " http://lol-testapp-0:050000 ",
    ],
)
def test_one_form_of_an_id(text: str) -> None:
    assert normalise_node_id(text) == "http://lol-testapp-0:50000"


def test_https_is_another_id_and_ipv6_has_one_form() -> None:
    assert normalise_node_id("https://a:1") == "https://a:1"
    assert host_and_port(NodeId("http://[::1]:80")) == ("[::1]", 80)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://a:0",
        "http://a:70000",
        "http://a:x",
        "http://:1",
        "ftp://a:1",
        "http://a:1/path",
        "http://a:1/?q",
        "http://u@a:1",
        "http://a b:1",
        "http://[::1:1",
    ],
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ConfigError, match="a server id looks like"):
        normalise_node_id(text)


@given(st.text(max_size=30))
def test_no_text_does_anything_else(text: str) -> None:
    try:
        once = normalise_node_id(text)
    except ConfigError:
        return
    assert normalise_node_id(once) == once


def test_lists_of_shards() -> None:
    assert parse_shards("0-3,777") == (0, 1, 2, 3, 777)
    assert parse_shards(" 5 , 1-2, 2 ") == (1, 2, 5)
    assert parse_shards(str(MAX_SHARD_ID)) == (MAX_SHARD_ID,)


@pytest.mark.parametrize("text", ["", ",", "a", "3-1", "-1", "1-", "4294967296", "0-4294967295"])
def test_what_is_no_list_of_shards(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_shards(text)


def test_where_a_node_listens() -> None:
    assert Config(node_id=NodeId("http://127.0.0.1:5")).listen == "127.0.0.1:5"
    assert Config(node_id=NodeId("http://[::1]:5")).listen == "[::1]:5"
    assert Config(node_id=NodeId("http://localhost:5")).listen == "127.0.0.1:5"
    assert default_listen(NodeId("http://node-0:5")) in ("[::]:5", "0.0.0.0:5")
    assert Config(node_id=NodeId("http://a:5"), listen="10.0.0.1:6").listen == "10.0.0.1:6"


def test_values_are_brought_into_one_form() -> None:
    config = Config(
        node_id=NodeId("http://B:1/"),
        shards=(3, 1, 3),
        members=(NodeId("http://b:1"), NodeId("http://A:1/"), NodeId("http://a:1")),
    )
    assert config.node_id == "http://b:1"
    assert config.shards == (1, 3)
    assert config.members == ("http://a:1", "http://b:1")


A = NodeId("http://a:1")
TLS = Tls(certificate=Path("c"), key=Path("k"), ca=Path("ca"))

BAD = {
    "not among the members": lambda: Config(node_id=A, members=(NodeId("http://b:1"),)),
    "must be host:port": lambda: Config(node_id=A, listen="50000"),
    "ports end at 65535": lambda: Config(node_id=A, listen="a:65536"),
    "shards are numbers": lambda: Config(node_id=A, shards=(-1,)),
    "phi threshold": lambda: Config(node_id=A, phi_threshold=0),
    "priority": lambda: Config(node_id=A, priority=-101),
    "max_message_bytes": lambda: Config(node_id=A, max_message_bytes=1),
    "https id and TLS": lambda: Config(node_id=A, tls=TLS),
}


@pytest.mark.parametrize("says", BAD)
def test_settings_that_make_no_sense(says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        BAD[says]()


def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*missing"):
        Tls(certificate=tmp_path / "missing", key=tmp_path, ca=tmp_path).read()
