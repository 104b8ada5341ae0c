"""`lolraft recover`: what a stopped server holds, and going on without a quorum that is lost."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lolraft.config import normalise_node_id
from lolraft.errors import ConfigError
from lolraft.multiraft.records import Batch, NodeRecord, ShardRecord
from lolraft.raft.types import Clock, ShardId
from lolraft.recovery import (
    CannotRecover,
    Holding,
    Plan,
    check_follower,
    holding_of,
    plan_of,
    rewritten,
)
from lolraft.storage.sqlite import SqliteStorage

DESCRIPTION = """\
Without --survivors or --follow: show what this stopped server holds of each shard.

When a majority of a shard's servers is lost for ever:
 1. Stop all survivors, and see that no lost server can start again with its old data.
 2. Run `lolraft recover --data DIR` for each survivor. The one whose last entry is the largest,
    by term and then by index, holds most.
 3. On that one: lolraft recover --data DIR --shard N --survivors ID,ID,... (all survivors).
 4. On each other survivor, the command that step 3 printed.
 5. Start the survivors, then add servers with add-server, the other survivors included.

What the lost servers acknowledged and no survivor holds is lost."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="of a survivor")
    parser.add_argument("--shard", type=int, metavar="N", help="default: show all")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--survivors", metavar="ID,ID", help="go on with these, from this one's log")
    act.add_argument("--follow", metavar="PLAN", help="follow the survivor that printed this")
    parser.add_argument(
        "--accept-data-loss", action="store_true", help="do not ask: lose acknowledged writes"
    )
    parser.add_argument(
        "--no-copy", action="store_true", help="keep no copy of the database as it was"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def recover(options: argparse.Namespace) -> int:
    """
    Show, or change, what a stopped server holds.

    Raises:
        ConfigError: the options make no sense together.
        CannotRecover: it would be wrong, or is not needed.
        StorageError: the data cannot be used, or a node is running on it.
    """
    acts = options.survivors or options.follow
    if acts and options.shard is None:
        raise ConfigError("--shard: which one? Shards are recovered one by one")
    storage = SqliteStorage(options.data)
    node = storage.open_as_found()
    try:
        records = storage.load()
        holdings = {
            shard_id: holding_of(node.node_id, shard_id, record)
            for shard_id, record in records.items()
            if options.shard in (None, shard_id)
        }
        if options.shard is not None and options.shard not in holdings:
            raise CannotRecover(
                f"{node.node_id} holds nothing of shard {options.shard}; it holds "
                f"{', '.join(map(str, records)) or 'no shard at all'}"
            )
        if acts:
            _act(options, storage, node, records)
        else:
            _show(options, node, holdings)
    finally:
        storage.close()
    return 0


def _show(options: argparse.Namespace, node: NodeRecord, holdings: dict[ShardId, Holding]) -> None:
    if options.json:
        shards = [_as_json(holding) for holding in holdings.values()]
        print(json.dumps({"node_id": node.node_id, "shards": shards}, indent=2))
        return
    print(f"{node.node_id} ({options.data}) holds")
    print(
        f"{'shard':>6} {'term':>6} {'last entry':>14} {'committed':>10} {'snapshot':>10}  members"
    )
    for holding in holdings.values():
        members = _members(holding) if not holding.is_empty else "none: this replica is empty"
        members += "; DAMAGED: later entries cannot be read" if holding.damaged else ""
        snapshot = holding.snapshot.index if holding.snapshot is not None else "-"
        print(
            f"{holding.shard_id:>6} {holding.term:>6} {_text(holding.last):>14} "
            f"{holding.committed:>10} {snapshot:>9}  {members}"
        )
    print("last entry: term/index. committed: known to be; later entries may be, too.")


def _members(holding: Holding) -> str:
    configuration = holding.configuration
    text = ", ".join(configuration.voters)
    if configuration.outgoing:
        text += f"; leaving: {', '.join(configuration.outgoing)}"
    if configuration.learners:
        text += f"; learners: {', '.join(configuration.learners)}"
    return f"{text} (group {configuration.group_id:032x})"


def _text(clock: Clock) -> str:
    return f"{clock.term}/{clock.index}"


def _as_json(holding: Holding) -> dict[str, Any]:
    facts = asdict(holding)
    facts["configuration"] = json.loads(holding.configuration.encode())
    for name in ("last", "log_starts_after", "snapshot"):
        clock = getattr(holding, name)
        facts[name] = None if clock is None else {"term": clock.term, "index": clock.index}
    return facts


def _act(
    options: argparse.Namespace,
    storage: SqliteStorage,
    node: NodeRecord,
    records: dict[ShardId, ShardRecord],
) -> None:
    record = records[options.shard]
    before = holding_of(node.node_id, options.shard, record)
    if options.follow:
        plan = Plan.decode(options.follow)
        if plan.shard_id != options.shard:
            raise ConfigError(f"the plan is for shard {plan.shard_id}, not for {options.shard}")
        check_follower(plan, before, node.node_id)
    else:
        named = [item for item in options.survivors.split(",") if item.strip()]
        survivors = tuple(sorted(map(normalise_node_id, named)))
        plan = plan_of(before, node.node_id, survivors, secrets.randbits(128) | 1)
    if not node.proven:
        raise CannotRecover(
            f"{node.node_id} never finished its first start and took part in nothing: wipe it"
        )
    warning = _what_is_lost(plan, before)
    if not options.json:
        print("\n".join(warning))
    _confirm(options)
    copy = None
    if not options.no_copy:
        copy = options.data / f"before-recover-{plan.shard_id}-{plan.new_group:032x}.db"
        storage.copy_to(copy)
    save = rewritten(record, plan.configuration)
    storage.commit(Batch(number=0, saves=((plan.shard_id, save),)))
    after = holding_of(node.node_id, plan.shard_id, storage.load()[plan.shard_id])
    _report(options, plan, before, after, copy, warning)


def _what_is_lost(plan: Plan, held: Holding) -> list[str]:
    lost = sorted(set(held.configuration.members) - set(plan.members))
    first, last = held.committed + 1, held.last.index
    lines = [
        f"shard {plan.shard_id} goes on without {', '.join(lost)}.",
        f"kept: all entries up to {held.committed}, which are known to be committed.",
    ]
    if first <= last:
        lines.append(
            f"kept, whether they were committed or not: entries {first} to {last}. A write that "
            "was reported as failed or unknown may be among them; they all count from now on."
        )
    if held.damaged:
        lines.append(f"lost: entries after {last} that were here and cannot be read any more.")
    lines += [
        f"lost: every entry after {last} (term {held.last.term}) that the lost servers "
        "acknowledged. How many these are, nobody who is left can tell.",
        "never start a lost server with its old data again: a majority of them would go on as "
        "the old group, beside the new one. Wipe them; then they may be added.",
    ]
    return lines


def _confirm(options: argparse.Namespace) -> None:
    if options.accept_data_loss:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nothing was changed: --accept-data-loss says that this is meant")
    print(f"Type the number of the shard ({options.shard}) to go on: ", end="", flush=True)
    if sys.stdin.readline().strip() != str(options.shard):
        raise CannotRecover("nothing was changed")


def _report(
    options: argparse.Namespace,
    plan: Plan,
    before: Holding,
    after: Holding,
    copy: Path | None,
    warning: list[str],
) -> None:
    if options.json:
        facts = {
            "plan": plan.encode(),
            "what_is_lost": warning,
            "before": _as_json(before),
            "after": _as_json(after),
            "copy": str(copy) if copy is not None else None,
        }
        print(json.dumps(facts, indent=2))
        return
    print(f"before: last entry {_text(before.last)}, members {_members(before)}")
    print(f"after:  last entry {_text(after.last)}, members {_members(after)}")
    if copy is not None:
        print(
            f"the database as it was: {copy} (to go back: stop the node, delete node.db, "
            "node.db-wal and node.db-shm, rename the copy to node.db)"
        )
    if plan.learners and not options.follow:
        print(
            f"next, on each of {', '.join(plan.learners)}:\n"
            f"  lolraft recover --data DIR --shard {plan.shard_id} --follow {plan.encode()}"
        )
    print(
        f"then start {', '.join(plan.members)} and run, for each server that shall vote:\n"
        f"  lolraft add-server {plan.voter} --shard {plan.shard_id} --server ID"
    )
