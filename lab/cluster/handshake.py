"""Why TLS does not come about, in sentences: gRPC itself says little more than `Socket closed`."""

from __future__ import annotations

import asyncio
import ssl

from lolraft.config import Tls, host_and_port
from lolraft.errors import ConfigError
from lolraft.raft.types import NodeId

WITHIN_S = 5.0
OPTIONS = "--tls-certificate, --tls-key and --tls-ca"
EXPIRED, NOT_YET = 10, 9  # OpenSSL's numbers: X509_V_ERR_CERT_HAS_EXPIRED and so on.
OTHER_CA = (18, 19, 20, 21)  # Self-signed, or its issuer is not among those given.
OTHER_NAME = (62, 64)  # Of a host, of an address.


def context_of(tls: Tls, purpose: int = ssl.PROTOCOL_TLS_CLIENT) -> ssl.SSLContext:
    """
    Return what OpenSSL makes of the files: with them all, both sides show certificates.

    Raises:
        ConfigError: a file cannot be read, or is not what it should be.
    """
    tls.read()
    context = ssl.SSLContext(purpose)
    try:
        context.load_verify_locations(tls.ca)
    except ssl.SSLError as broken:
        raise ConfigError(
            f"{tls.ca} is no certificate in PEM: --tls-ca takes the CA that signed the nodes'"
        ) from broken
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except ssl.SSLError as broken:
        raise ConfigError(_why_no_pair(tls, broken)) from broken
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context


def _why_no_pair(tls: Tls, broken: ssl.SSLError) -> str:
    if broken.reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key} is not the key of {tls.certificate}: give two that belong together"
    if b"ENCRYPTED" in tls.key.read_bytes():
        return f"{tls.key} is encrypted: write it in plain with `openssl pkey`, and give that file"
    return (
        f"{tls.certificate} and {tls.key} are not a certificate and its key in PEM: "
        "give those that `lolraft serve` would take"
    )


async def why_no_tls(node: NodeId, tls: Tls | None) -> str | None:
    """
    Return what keeps us and *node*, which does not answer, apart; None where it is not TLS.

    Raises:
        ConfigError: a file of *tls* cannot be read, or is not what it should be.
    """
    host, port = host_and_port(node)
    context = _unchecked() if tls is None else context_of(tls)
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), port, ssl=context, server_hostname=host.strip("[]")
            )
            try:
                # A node that does not take our certificate hangs up after the handshake only.
                greeting = b"" if tls is None else await reader.read(1)
            finally:
                writer.transport.abort()
    except ssl.SSLCertVerificationError as refused:
        assert tls is not None, "without files nothing is verified"
        return _why_refused(node, tls, refused)
    except ssl.SSLError:
        if tls is None:
            return None
        return f"{node} does not speak TLS: write http://, and leave out {OPTIONS}"
    except (OSError, TimeoutError, UnicodeError):  # The last of a name that DNS cannot have.
        return None
    if tls is None:
        return f"{node} speaks TLS: write https://, and give {OPTIONS}"
    return None if greeting else _why_not_ours(node, tls)


def _why_refused(node: NodeId, tls: Tls, refused: ssl.SSLCertVerificationError) -> str:
    code, said = refused.verify_code, refused.verify_message
    if code in OTHER_CA:
        return f"{node} shows a certificate that {tls.ca} did not sign: give its CA as --tls-ca"
    if code in (EXPIRED, NOT_YET):
        return f"the certificate of {node} is out of date ({said}): renew it there, or {tls.ca}"
    if code in OTHER_NAME:
        return f"{said.rstrip('.')}: connect to {node} by a name that is in it"
    return f"the certificate of {node} cannot be trusted: {said}"


def _why_not_ours(node: NodeId, tls: Tls) -> str:
    """Say why a node hung up after it saw our certificate, by looking at it as the node does."""
    why = _verified_by_itself(tls)
    if why is None:
        return f"{node} does not take {tls.certificate}: it wants one that its own --tls-ca signed"
    if why.verify_code in (EXPIRED, NOT_YET):
        return f"{tls.certificate} is out of date ({why.verify_message}): make a new one"
    if why.verify_code in OTHER_CA:
        return f"{node} does not take {tls.certificate}: {tls.ca} did not sign it"
    return f"{node} does not take {tls.certificate}: {why.verify_message}"


def _verified_by_itself(tls: Tls) -> ssl.SSLCertVerificationError | None:
    """Shake hands with ourselves in memory; return what a server says of our certificate."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context_of(tls, ssl.PROTOCOL_TLS_SERVER).wrap_bio(to_server, to_client, True)
    unchecked = _unchecked()
    unchecked.load_cert_chain(tls.certificate, tls.key)
    client = unchecked.wrap_bio(to_client, to_server)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as refused:
            return refused
    return None


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
