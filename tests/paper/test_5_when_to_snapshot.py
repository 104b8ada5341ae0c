"""Chapter 5, sections 5.1 at the node, 5.1.1 (concurrently) and 5.1.2 (when to snapshot)."""

from __future__ import annotations

from lolraft.multiraft.commands import Registration, WriteId
from lolraft.multiraft.frames import RequestKind
from lolraft.multiraft.sessions import Sessions
from lolraft.raft.effects import Code
from lolraft.raft.events import AppendRequest
from lolraft.raft.types import Clock, Configuration, Entries, EntryKind, Index, SnapshotMeta
from tests.paper.node import PaperNode
from tests.paper.replica import FIVE, GROUP, P2, THREE

NONCE = Registration(b"sixteen bytes...")


def snapshot_of(node: PaperNode) -> SnapshotMeta:
    """Return what Raft keeps of the newest snapshot."""
    assert node.state.snapshot is not None, "there is one"
    return node.state.snapshot


def asked(node: PaperNode, what: str) -> list[Index]:
    """Return at which indexes the app was asked for *what*."""
    return [index for kind, index in node.asked_of_app if kind == what]


# --- 5.1 -----------------------------------------------------------------------------------------


def test_the_configuration_is_that_of_its_index() -> None:
    """§5.1: ... and the latest configuration *as of that index*, not a later one."""
    node = PaperNode().follows(P2)
    later = Configuration(voters=FIVE, group_id=GROUP)
    kinds = bytes((EntryKind.BARRIER, EntryKind.CONFIGURATION))
    node.say(
        P2,
        AppendRequest(
            sender=P2,
            group=GROUP,
            term=1,
            prev_clock=Clock(0, 1),
            entries=Entries(2, (1, 1), kinds, (b"", later.encode())),
            commit_index=3,
        ),
    )
    known = []
    for index in (2, 3):
        node.found_snapshot(index)
        meta = snapshot_of(node)
        known.append((meta.configuration.voters, meta.configuration_index))
    assert known == [(THREE, 1), (FIVE, 3)]


def test_previous_snapshots_are_discarded_when_the_new_one_is_stored() -> None:
    """§5.1: any previous snapshots can also be discarded, as they are no longer useful."""
    node = PaperNode().settled()
    node.write()
    node.disk_is_stuck = True
    node.found_snapshot(3)
    assert asked(node, "forget") == [], "a crash would begin with the one before"
    node.free_disk()
    assert asked(node, "forget") == [3]


def test_sessions_are_part_of_a_snapshot() -> None:
    """§5.1, §6.3: clients' sessions are state, so that duplicates are filtered after it too."""
    node = PaperNode().settled()
    session = int(node.answers[node.write(NONCE)].message)
    first = node.answers[node.write(WriteId(session, 1, 1))]
    index = node.state.last_applied
    node.found_snapshot(index)
    again = Sessions(1000, 1000)
    again.load(snapshot_of(node).sessions, index)
    row = again.row(WriteId(session, 1, 1))
    assert row is not None
    assert row.answer == first.message


# --- 5.1.1 ---------------------------------------------------------------------------------------


def test_commands_go_on_while_a_snapshot_is_written() -> None:
    """§5.1.1: both serializing and writing must be concurrent with normal operations."""
    node = PaperNode(snapshot_entries=3).settled()
    node.write()
    assert asked(node, "snapshot") == [3]
    ticket = node.write()
    assert node.answers[ticket].code is Code.OK, "it has not been written yet"


def test_what_was_applied_meanwhile_is_not_in_it() -> None:
    """§5.1.1: new updates are handled without impacting the snapshot being written."""
    node = PaperNode().settled()
    session = int(node.answers[node.write(NONCE)].message)
    index = node.state.last_applied
    node.write(WriteId(session, 1, 1))
    node.found_snapshot(index)
    assert (snapshot_of(node).clock.index, node.state.log.last_index) == (index, index + 1)
    as_of_then = Sessions(1000, 1000)
    as_of_then.load(snapshot_of(node).sessions, index)
    row = as_of_then.note(index + 9, 1, WriteId(session, 1, 1))
    assert row.index == index + 9, "its session is there, and the command is new"


def test_what_was_applied_meanwhile_stays_in_the_log() -> None:
    """§5.1.1: ... up through the index of the snapshot, not of the moment when it is complete."""
    node = PaperNode(tail_entries=0).settled()
    for _ in range(4):
        node.write()
    node.found_snapshot(4)
    assert (node.state.log.base.index, node.state.log.last_index) == (4, 6)


# --- 5.1.2 ---------------------------------------------------------------------------------------


def test_a_snapshot_is_taken_when_the_log_has_a_size_in_bytes() -> None:
    """§5.1.2: take a snapshot when the log reaches a fixed size in bytes."""
    node = PaperNode(snapshot_bytes=1000).settled()
    for _ in range(3):
        node.ask(RequestKind.WRITE, bytes(300))
        node.holds(P2)
    assert asked(node, "snapshot") == [], "some 900 bytes"
    node.ask(RequestKind.WRITE, bytes(300))
    node.holds(P2)
    assert asked(node, "snapshot") == [6]


def test_or_has_so_many_entries() -> None:
    """§5.1.2: ours counts entries as well: short ones cost their replay after a restart."""
    node = PaperNode(snapshot_entries=5).settled()
    for _ in range(3):
        node.write()
    assert asked(node, "snapshot") == [5], "1 configuration, 1 no-op, 3 commands"


def test_the_next_is_due_when_it_has_grown_as_much_again() -> None:
    """§5.1.2: not too often: it wastes disk bandwidth and other resources."""
    node = PaperNode(snapshot_entries=5).settled()
    for _ in range(7):
        node.write()
    assert asked(node, "snapshot") == [5]
    node.write()
    assert asked(node, "snapshot") == [5, 10]


def test_a_snapshot_that_the_app_made_by_itself_counts() -> None:
    """§5.1.2: servers decide when; ours lets the app decide as well (DESIGN section 10)."""
    node = PaperNode(snapshot_entries=5).settled()
    node.write()
    node.write()
    node.found_snapshot(4)
    for _ in range(4):
        node.write()
    assert asked(node, "snapshot") == [], "four entries since"
    node.write()
    assert asked(node, "snapshot") == [9]
