"""What `--connect` says where TLS does not come about: a sentence, and soon."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lab.cluster import connect, handshake
from lab.cluster.connect import ConnectedCluster
from lab.cluster.interface import ClusterError
from lolraft.config import Tls
from lolraft.errors import ConfigError
from tests.integration.certificates import NEEDS_OPENSSL, Authority

pytestmark = pytest.mark.skipif(NEEDS_OPENSSL, reason="needs openssl for keys")


@dataclass
class Files:
    """Certificates of two authorities."""

    here: Path
    node: Tls
    ours: Tls
    expired: Tls
    elsewhere: Tls  # Good for another host only.
    strangers: Tls  # Of another authority.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    place = tmp_path_factory.mktemp("tls")
    good, other = Authority(place / "good"), Authority(place / "other")
    return Files(
        here=place,
        node=good.sign("node"),
        ours=good.sign("ours"),
        expired=good.sign("expired", until="20210101000000Z"),
        elsewhere=good.sign("elsewhere", names="DNS:elsewhere"),
        strangers=other.sign("stranger"),
    )


@asynccontextmanager
async def listening(tls: Tls | None) -> AsyncIterator[str]:
    """Give host:port of a server of gRPC that takes what a node with these files takes."""
    server = grpc.aio.server()
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        certificate, key, ca = tls.read()
        credentials = grpc.ssl_server_credentials(
            [(key, certificate)], root_certificates=ca, require_client_auth=True
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def refusal(address: str, tls: Tls | None, *, asks: bool = True) -> str:
    """Return why a lab cannot connect, and check whether it *asks* anybody."""
    progress: list[str] = []
    with pytest.raises((ClusterError, ConfigError)) as broken:
        await ConnectedCluster((address,), tls).start(progress.append)
    assert bool(progress) is asks
    return str(broken.value)


async def test_another_ca_than_the_nodes_is_named(files: Files) -> None:
    async with listening(files.node) as address:
        wrong = replace(files.ours, ca=files.strangers.ca)
        said = await refusal(f"https://{address}", wrong)
    assert said == (
        f"https://{address} shows a certificate that {wrong.ca} did not sign: "
        "give its CA as --tls-ca"
    )


async def test_a_certificate_that_the_node_does_not_take_is_named(files: Files) -> None:
    async with listening(files.node) as address:
        mixed = replace(files.strangers, ca=files.ours.ca)
        said = await refusal(address, mixed)
        assert f"https://{address} does not take {mixed.certificate}: {mixed.ca} did not" in said
        said = await refusal(address, files.expired)
        assert f"{files.expired.certificate} is out of date (certificate has expired)" in said


async def test_a_node_that_takes_only_what_its_own_ca_signed(files: Files, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"  # We trust it, and it does not trust us.
    both.write_bytes(files.node.ca.read_bytes() + files.strangers.ca.read_bytes())
    async with listening(files.node) as address:
        said = await refusal(address, replace(files.strangers, ca=both))
    assert f"does not take {files.strangers.certificate}: it wants one that its own" in said


async def test_a_node_whose_certificate_is_of_no_use(files: Files) -> None:
    async with listening(files.expired) as address:
        said = await refusal(address, files.ours)
        assert f"the certificate of https://{address} is out of date (certificate has exp" in said
    async with listening(files.elsewhere) as address:
        said = await refusal(address, files.ours)
        assert "IP address mismatch" in said
        assert f"connect to https://{address} by a name that is in it" in said


async def test_one_speaks_tls_and_the_other_does_not(files: Files) -> None:
    async with listening(files.node) as address:
        said = await refusal(address, None)
        assert said.startswith(f"http://{address} speaks TLS: write https://, and give --tls-cert")
    async with listening(None) as address:
        said = await refusal(f"https://{address}", files.ours)
        assert said.startswith(f"https://{address} does not speak TLS: write http://")


async def test_schemes_that_do_not_fit_are_refused_before_anything_is_dialled(files: Files) -> None:
    with pytest.raises(ConfigError, match=r"https://a:1 speaks TLS: give --tls-certificate"):
        ConnectedCluster(("https://a:1",))
    with pytest.raises(ConfigError, match=r"http://a:1 is plain text: write https://"):
        ConnectedCluster(("a:2", "http://a:1"), files.ours)


async def test_nobody_and_one_that_says_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "WITHIN_S", 0.2)
    monkeypatch.setattr(connect, "FIND_S", 0.2)
    assert "no node answers at https://127.0.0.1:1; see" in await refusal("127.0.0.1:1", files.ours)
    assert "no node answers" in await refusal(f"{'a' * 70}.example:1", files.ours)
    dumb = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with dumb, asyncio.timeout(5):
        address = f"127.0.0.1:{dumb.sockets[0].getsockname()[1]}"
        assert "no node answers" in await refusal(address, files.ours)
        assert "no node answers" in await refusal(address, None)


async def test_files_that_are_no_good_are_told_before_anything_is_dialled(files: Files) -> None:
    good, nowhere, text = files.ours, files.here / "nowhere", files.here / "text"
    text.write_text("no PEM")
    locked = files.here / "locked.key"
    subprocess.run(  # noqa: ASYNC221
        ["openssl", "pkey", "-in", good.key, "-out", locked, "-aes256", "-passout", "pass:x"],
        check=True,
    )
    for tls, why in (
        (replace(good, certificate=nowhere), f"cannot read {nowhere}: No such file"),
        (replace(good, key=files.here), f"cannot read {files.here}: Is a directory"),
        (replace(good, ca=text), f"{text} is no certificate in PEM: --tls-ca takes the CA"),
        (replace(good, certificate=text), f"{text} and {good.key} are not a certificate and its"),
        (replace(good, key=text), f"{good.certificate} and {text} are not a certificate and its"),
        (replace(good, key=files.node.key), f"{files.node.key} is not the key of"),
        (replace(good, key=locked), f"{locked} is encrypted: write it in plain"),
    ):
        assert why in await refusal("127.0.0.1:1", tls, asks=False)
