"""Where each panel goes: a pure function of the screen's size, the page and the cluster's size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.geometry import Region

LEAST = (80, 24)
WIDE = 120
TALL = 36
CAPTION = 4  # Lines of the task of a room.
PAGES = ("cluster", "shards", "timeline", "links", "phi", "shard", "node", "load", "faults",
         "ladder")  # fmt: skip

Plan = dict[str, Region]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the layout depends on; equal shapes have equal plans."""

    width: int
    height: int
    page: str
    nodes: int
    shards: int
    alone: str | None = None  # The panel that `o` made as large as the screen.
    captioned: bool = False  # The task of a room stands under the title.


def plan(shape: Shape) -> Plan:
    """Return the region of every panel that is on the screen, in the order of `tab`."""
    width, height = shape.width, shape.height
    if width < LEAST[0] or height < LEAST[1]:
        rows = min(shape.nodes, max(0, height - 3))
        return _rows(width, 0, [("title", 1), ("nodes", rows), ("small", height - 1 - rows)])
    if not shape.captioned:
        return _laid(shape)
    low = _laid(replace(shape, height=height - CAPTION))
    title = {"title": low.pop("title"), "caption": Region(0, 1, width, CAPTION)}
    return title | {name: region.translate((0, CAPTION)) for name, region in low.items()}


def _laid(shape: Shape) -> Plan:
    width, height = shape.width, shape.height
    if shape.alone is not None:
        body = _rows(width, 1, [(shape.alone, height - 3)])
        return _framed(shape, body, hint=True)
    if shape.page == "cluster":
        return _cluster(shape)
    body = _page(shape, Region(0, 1, width, height - 3))
    return _framed(shape, body, hint=True)


def _framed(shape: Shape, body: Plan, *, hint: bool) -> Plan:
    width, height = shape.width, shape.height
    framed = {"title": Region(0, 0, width, 1), **body}
    if hint:
        framed["hint"] = Region(0, height - 2, width, 1)
    framed["footer"] = Region(0, height - 1, width, 1)
    return framed


def node_rows(width: int, nodes: int, *, cards: bool) -> int:
    """Return the height of the nodes: cards of six lines, lines, or two columns of lines."""
    if cards and nodes <= 5:
        return 6
    return max(1, nodes) if nodes <= 5 else (nodes + 1) // 2


def _cluster(shape: Shape) -> Plan:
    if shape.width >= WIDE and shape.height >= TALL:
        return _cluster_wide(shape)
    if shape.width >= WIDE:
        return _cluster_flat(shape)
    return _cluster_narrow(shape)


def _cluster_wide(shape: Shape) -> Plan:
    width, height = shape.width, shape.height
    top = node_rows(width, shape.nodes, cards=True)
    low = min(max(8, shape.nodes + 4), height // 3)
    middle = height - 1 - top - low - 2
    left = width * 68 // 140
    right = width - left
    y = 1 + top
    logs = 2 * shape.nodes + 6
    if middle - logs < 7:
        logs = min(shape.nodes + 6, middle - 5)
    body: Plan = {"nodes": Region(0, 1, width, top)}
    if shape.shards <= 8:
        listed = max(3, shape.shards + 2)
        facts = min(shape.nodes + 5, middle - listed - 4)
        rest = middle - listed - facts
        body |= _rows(left, y, [("map", listed), ("shard", facts), ("events", rest)])
    else:
        body |= _rows(left, y, [("map", middle - 6), ("attention", 6)])
    body |= _rows(right, y, [("logs", logs), ("phi", middle - logs)], x=left)
    body |= _low(shape, y + middle, low, "attention" if "events" in body else "events")
    return _framed(shape, body, hint=True)


def _low(shape: Shape, y: int, height: int, third: str = "events") -> Plan:
    """Links, timeline and a third panel side by side."""
    links = min(max(36, 11 + 6 * shape.nodes), shape.width - 70)
    events = min(64, max(40, shape.width * 52 // 140))
    if shape.width - links - events < 30:
        events = max(36, shape.width - links - 30)
    lanes = shape.width - links - events
    return {
        "links": Region(0, y, links, height),
        "timeline": Region(links, y, lanes, height),
        third: Region(links + lanes, y, events, height),
    }


def _cluster_flat(shape: Shape) -> Plan:
    """Wide but not tall: lines for nodes, and the low row only where it fits."""
    width, height = shape.width, shape.height
    top = node_rows(width, shape.nodes, cards=False)
    low = max(8, shape.nodes + 4) if height - top >= 22 + shape.nodes else 5
    middle = height - 1 - top - low - 2
    left = width * 68 // 140
    y = 1 + top
    body: Plan = {"nodes": Region(0, 1, width, top)}
    if middle >= 14:
        body |= _rows(left, y, [("map", middle - 6), ("attention", 6)])
    else:
        body |= _rows(left, y, [("map", middle)])
    body["logs"] = Region(left, y, width - left, middle)
    if low == 5:
        body["events"] = Region(0, y + middle, width, low)
    else:
        body |= _low(shape, y + middle, low)
    return _framed(shape, body, hint=True)


def _cluster_narrow(shape: Shape) -> Plan:
    width, height = shape.width, shape.height
    top = node_rows(width, shape.nodes, cards=False)
    tall = height >= 32
    rest = height - 1 - top - 1 - tall  # Without title, nodes, footer and hint.
    events = 5 if not tall else max(6, rest // 5)
    extra = max(6, rest // 5) if tall else 0
    middle = rest - events - extra
    left = max(30, width * 3 // 8)
    y = 1 + top
    side = "map" if shape.shards >= 10 else "links"
    body: Plan = {
        "nodes": Region(0, 1, width, top),
        side: Region(0, y, left, middle),
        "logs": Region(left, y, width - left, middle),
    }
    if tall:
        body["attention"] = Region(0, y + middle, width, extra)
    body["events"] = Region(0, y + middle + extra, width, events)
    return _framed(shape, body, hint=tall)


def _page(shape: Shape, area: Region) -> Plan:
    """Return the body of a page other than the first."""
    width, y, height = area.width, area.y, area.height
    if shape.page == "shards":
        return _rows(width, y, [("table", height)])
    if shape.page == "timeline":
        lanes = shape.nodes + 3
        return _rows(width, y, [("timeline", lanes), ("events", height - lanes)])
    if shape.page in ("links", "phi"):
        links = shape.nodes + 4
        if shape.page == "phi":
            return _rows(width, y, [("phi", height - links), ("links", links)])
        return _rows(width, y, [("links", links), ("phi", height - links)])
    if shape.page == "load":
        facts, latency = (
            (12, (height - 12) * 3 // 5) if height >= 36 else (8, (height - 8) // 2 + 1)
        )
        parts = [("load", facts), ("throughput", height - facts - latency), ("latency", latency)]
        return _rows(width, y, parts)
    if shape.page == "faults":
        compared = 7
        return _rows(width, y, [("faults", height - compared), ("compared", compared)])
    if shape.page == "ladder":
        return _rows(width, y, [("ladder", height)])
    if shape.page == "shard":
        return _shard(shape, area)
    return _node(shape, area)


def _node(shape: Shape, area: Region) -> Plan:
    """One node: its facts and shards, and, where there is room, its pulse beside its log lines."""
    width, y, height = area.width, area.y, area.height
    peers = max(0, shape.nodes - 1)
    pulse = peers * (2 if height >= 36 and peers <= 6 else 1) + 4
    if width >= WIDE:
        left = width * 70 // 140
        facts = max(11, shape.nodes + 2)
        body = _rows(left, y, [("facts", facts), ("roles", height - facts)])
        pulse = pulse if height - pulse >= 8 else 0
        right = [("pulse", pulse), ("lines", height - pulse)]
        return body | _rows(width - left, y, right, x=left)
    facts = 10
    pulse = pulse if height - facts - pulse >= 10 else 0
    half = (height - facts - pulse) // 2
    rest = height - facts - pulse - half
    return _rows(width, y, [("facts", facts), ("pulse", pulse), ("roles", half), ("lines", rest)])


def _shard(shape: Shape, area: Region) -> Plan:
    """One shard: its logs as wide as the screen, its replicas, and what happened."""
    width, y, height = area.width, area.y, area.height
    facts = shape.nodes + 5
    logs = 2 * shape.nodes + 6
    if logs + facts > height:
        logs = max(shape.nodes + 5, height - facts)
    body = _rows(width, y, [("logs", logs)])
    rest = height - logs
    entries = rest - facts if rest - facts >= 5 else 0
    low = [("shard", rest - entries), ("entries", entries)]
    if width < WIDE:
        return body | _rows(width, y + logs, low)
    left = max(80, width * 80 // 140)
    body |= _rows(left, y + logs, low)
    return body | _rows(width - left, y + logs, [("events", rest)], x=left)


def _rows(width: int, y: int, parts: list[tuple[str, int]], x: int = 0) -> Plan:
    """Stack *parts* from *y* downwards; one without height is left out."""
    placed: Plan = {}
    for name, height in parts:
        if height > 0:
            placed[name] = Region(x, y, width, height)
            y += height
    return placed
