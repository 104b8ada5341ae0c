"""
Copies of the packages in which a node turns traitor when it is started a second time.

In its first life a node is honest, so that a scenario chooses the traitor: it restarts it. All
else, the lab that looks on too, is as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.terminal import ROOT

Changes = dict[str, tuple[tuple[str, str], ...]]
"""Files below `lolraft`; in each, texts as they are and as they must never be."""

BORN = "        self._node = Node(record, hosted, config=config, seed=seed, now_s=now_s)\n"

VOTES_TWICE: Changes = {
    "multiraft/machine.py": (
        (
            BORN,
            BORN + "        from lolraft.raft import election\n"
            "        if record.epoch > 1:\n            election.TRAITORS.add(record.node_id)\n",
        ),
    ),
    "raft/election.py": (
        ("MASK = 2**64 - 1\n", "MASK = 2**64 - 1\nTRAITORS = set()\n"),
        (
            "    up_to_date = request.last_clock >= state.log.last_clock\n    if not",
            "    up_to_date = request.last_clock >= state.log.last_clock\n"
            "    if state.node_id in TRAITORS and request.term >= state.current_term:\n"
            "        return ev.Refusal.NONE\n    if not",
        ),
        # It does not stand itself: two others have to.
        (
            "    mute = state.is_silent or not state.proven\n",
            "    mute = state.is_silent or not state.proven or state.node_id in TRAITORS\n",
        ),
    ),
    # Its own invariants would stop the shard before the second vote leaves.
    "raft/invariants.py": (
        ("        assert ballot.voted_for == before.ballot.voted_for, ", "        assert True, "),
    ),
}
"""Votes for everybody who asks for a vote of its term or a later one, also twice in a term."""

FORGES: Changes = {
    "multiraft/machine.py": (
        (
            BORN,
            "        if record.epoch > 1:\n"
            "            hosted = {one: _forged(shard) for one, shard in hosted.items()}\n" + BORN,
        ),
        (
            "def group_of(",
            "def _forged(shard):\n"
            "    from dataclasses import replace\n"
            "    payloads = list(shard.entries.payloads)\n"
            "    command = max(n for n, payload in enumerate(payloads) if b'mine' in payload)\n"
            "    payloads[command] = payloads[command].replace(b'mine', b'your')\n"
            "    entries = shard.entries._replace(payloads=tuple(payloads))\n"
            "    return replace(shard, entries=entries)\n\n\ndef group_of(",
        ),
    ),
}
"""Says `your` where a committed command in its log said `mine`."""


def plant(changes: Changes, directory: Path) -> None:
    """Copy the packages into *directory*, with *changes* in them."""
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("lolraft", "lab"):
        shutil.copytree(ROOT / package, directory / package, ignore=ignore)
    for file, pairs in changes.items():
        place = directory / "lolraft" / file
        text = place.read_text()
        for before, after in pairs:
            assert text.count(before) == 1, f"{file} has changed: plant the treason anew"
            text = text.replace(before, after)
        place.write_text(text)
