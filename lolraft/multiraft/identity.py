"""One form of a node's id: what peers dial (PROTOCOL C7)."""

from __future__ import annotations

from urllib.parse import urlsplit

from lolraft.raft.types import NodeId

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_HOST = 253  # Characters of a name in DNS.


def normalise(text: str) -> NodeId:
    """
    Return *text* as the id that is stored and compared: `http://node-0:50000`.

    The scheme defaults to http, the host is lower-case, the port explicit, no slash ends it;
    `https` is another id than `http`.

    Raises:
        ValueError: *text* names no host, or more than scheme, host and port.
    """
    shape = f"a server id looks like http://host:50000, not {text[:80]!r}"
    whole = text.strip()
    if "://" not in whole:
        whole = f"http://{whole}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError as broken:
        raise ValueError(shape) from broken
    scheme, host = parts.scheme.lower(), parts.hostname
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if scheme not in DEFAULT_PORTS or not host or rest or port == 0 or len(host) > LONGEST_HOST:
        raise ValueError(shape)
    if any(character.isspace() or ord(character) < 33 for character in host):
        raise ValueError(shape)
    if any(0xD800 <= ord(character) < 0xE000 for character in host):
        raise ValueError(shape)  # Half a character: no text that could be sent.
    shown = f"[{host.lower()}]" if ":" in host else host.lower()
    return NodeId(f"{scheme}://{shown}:{port or DEFAULT_PORTS[scheme]}")
