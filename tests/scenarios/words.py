"""The words of a story: what each command does to the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lolraft.raft.events import Timeout
from lolraft.raft.types import NodeId
from tests.scenarios import lines
from tests.scenarios.table import Letter, Table

WORDS: dict[str, Callable[..., None]] = {}
"""Every word takes the table, its plain arguments, and its `key=value` ones by keyword."""


def word(action: Callable[..., None]) -> Callable[..., None]:
    """Register an action under its name, with dashes."""
    WORDS[action.__name__.strip("_").replace("_", "-")] = action
    return action


# --- the table ----------------------------------------------------------------------------------


@word
def cluster(table: Table, *empty: str, **logs: str) -> None:
    """`cluster n1=[1,1,2]@3 n2`: terms of the entries after entry 1 (of term 0), current term."""
    voters = tuple(NodeId(name) for name in (*logs, *empty))
    for name in sorted(voters):
        text, _, current = logs.get(name, "[]").partition("@")
        terms = [int(term) for term in text.strip("[]").split(",") if term]
        table.place(name, terms, voters, int(current or max(terms, default=0)))
    show(table)


@word
def limits(table: Table, append_entries: str, window: str = "16") -> None:
    """`limits append_entries=1 window=1`: entries in one append, appends on their way, at most."""
    table.limits = replace(table.limits, append_entries=int(append_entries), window=int(window))
    for replica in table.replicas.values():
        replica.state.limits = table.limits


@word
def spare(table: Table, name: str) -> None:
    """`spare n4`: a server that belongs to no group yet."""
    table.place_empty(NodeId(name))


@word
def show(table: Table, *names: str) -> None:
    """`show`, `show n1 n2`: where replicas stand."""
    for name in names or sorted(table.replicas):
        up = table.replicas[NodeId(name)].up
        table.say(f"{name} {lines.state(table.state(NodeId(name))) if up else 'is down'}")


@word
def log(table: Table, *names: str) -> None:
    """`log n1`: the entries in memory."""
    for name in names or sorted(table.replicas):
        held = table.state(NodeId(name)).log
        entries = held.range(held.base.index + 1, held.last_index)
        after = f" after {lines.clock(held.base)}" if held.base.index else ""
        table.say(f"{name} log{after}: {lines.entry_list(entries)}")


@word
def members(table: Table, *names: str) -> None:
    """`members n1`: the newest configuration, with its index."""
    for name in names or sorted(table.replicas):
        state = table.state(NodeId(name))
        text = lines.members(state.configuration)
        table.say(f"{name} members at {state.configuration_index}: {text}")


@word
def disk(table: Table, *names: str) -> None:
    """`disk n1`: what would survive a crash now."""
    for name in names:
        kept = table.replicas[NodeId(name)].disk
        last = kept.base.index + len(kept.entries)
        table.say(f"{name} disk {lines.ballot(kept.ballot)} entries {kept.base.index + 1}..{last}")


# --- the disk and the clock ---------------------------------------------------------------------


@word
def autosave(table: Table, switch: str, *names: str) -> None:
    """`autosave off n1`, `autosave on`: whether Saves are durable at once."""
    chosen = [NodeId(name) for name in names] or list(table.replicas)
    if switch == "off":
        table.slow.update(chosen)
    else:
        table.slow.difference_update(chosen)
        for name in chosen:
            table.save(name)


@word
def save(table: Table, name: str, count: str | None = None) -> None:
    """`save n1`, `save n1 1`: what one replica began to save is durable now."""
    table.save(NodeId(name), None if count is None else int(count))


@word
def crash(table: Table, name: str) -> None:
    """`crash n1`: what was not durable is gone."""
    table.crash(NodeId(name))


@word
def restart(table: Table, name: str) -> None:
    """`restart n1`: come back as the disk remembers."""
    table.restart(NodeId(name))


@word
def time(table: Table, seconds: str) -> None:
    """`time 0.5`: let time pass; whose deadline comes acts, in order."""
    until_s = table.now_s + float(seconds)
    while True:
        due = [
            (replica.state.deadline_s, name)
            for name, replica in table.replicas.items()
            if replica.up and replica.state.deadline_s is not None
        ]
        if not due or min(due)[0] > until_s:
            break
        table.now_s, name = max(min(due)[0], table.now_s), min(due)[1]
        table.tell(name, Timeout())
    table.now_s = until_s


# --- the network --------------------------------------------------------------------------------


def _between(letters: list[Letter], sender: str | None, to: str | None) -> list[Letter]:
    return [
        letter
        for letter in letters
        if sender in (None, "*", letter.sender) and to in (None, "*", letter.to)
    ]


@word
def deliver(table: Table, sender: str | None = None, to: str | None = None) -> None:
    """`deliver`, `deliver n1 n2`, `deliver * n2`: hand over what is on its way now."""
    table.deliver(_between(table.bag, sender, to))


@word
def settle(table: Table) -> None:
    """`settle`: deliver until nothing is on its way."""
    for _ in range(200):
        if not table.bag:
            return
        table.deliver(list(table.bag))
    raise AssertionError("the group does not come to rest")


@word
def drop(table: Table, sender: str | None = None, to: str | None = None) -> None:
    """`drop n1 n2`: lose what is on its way now."""
    for letter in _between(table.bag, sender, to):
        table.bag.remove(letter)


@word
def duplicate(table: Table, sender: str | None = None, to: str | None = None) -> None:
    """`duplicate n1 n2`: what is on its way now will come twice."""
    table.bag += _between(table.bag, sender, to)


@word
def hold(table: Table, sender: str | None = None, to: str | None = None) -> None:
    """`hold n1 n2`: what is on its way now comes only after `release`."""
    for letter in _between(table.bag, sender, to):
        table.bag.remove(letter)
        table.held.append(letter)


@word
def release(table: Table) -> None:
    """`release`: what was held is on its way again, behind all else."""
    table.bag += table.held
    table.held = []


@word
def isolate(table: Table, *names: str) -> None:
    """`isolate n1`: nothing leaves it or reaches it any more."""
    table.cut.update(NodeId(name) for name in names)
    table.bag = [item for item in table.bag if not {item.sender, item.to} & table.cut]


@word
def heal(table: Table) -> None:
    """`heal`: everybody reaches everybody again."""
    table.cut.clear()
