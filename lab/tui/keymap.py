"""A user's own keys: what they wrote, checked against the one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from textual.keys import Keys, _character_to_key, key_to_character

from lab.tui.keys import KEYS, shown_key
from lab.tui.paint import Keymap

_KNOWN = {key.value for key in Keys} | {"plus", "minus", "at", "underscore"}
_KEPT = {"ctrl+c": "leaving", "ctrl+q": "leaving"}  # Textual's own; both ask how to leave.
_MODIFIERS = ("ctrl", "alt", "shift")


def keymap_of(wanted: Mapping[str, str]) -> tuple[Keymap, list[str]]:
    """
    Return what of *wanted* (keys by the id of what they do) holds, and a sentence for the rest.

    Keys are separated by commas, and written as signs (`Q`, `?`) or as Textual names them
    (`comma`, `f5`, `ctrl+k`). An id that is not there, a key that is none, and one that does
    something else already change nothing.
    """
    said = []
    mapped: dict[str, str] = {}
    ids = {key.id for key in KEYS}
    for name, keys in wanted.items():
        if name not in ids:
            said.append(f"nothing is called {name}: `?` lists what there is")
            continue
        names = [_name_of(part.strip()) for part in keys.split(",")]
        if None in names:
            said.append(f'{name}: "{keys}" is no key: a sign, or a name such as f5 or comma')
            continue
        mapped[name] = ",".join(dict.fromkeys(part for part in names if part is not None))
    while clash := _clash(mapped):
        name, key, other = clash
        said.append(f"{name}: {shown_key(key)} is the key of {other} already")
        del mapped[name]
    return tuple(sorted(mapped.items())), said


def _clash(mapped: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return one id of *mapped* that takes the key of another, with that key and the other."""
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for key in KEYS:
        for name in mapped.get(key.id, key.keys).split(","):
            holders[name].append(key.id)
    for name, use in _KEPT.items():
        holders[name].append(use)
    for name, ids in holders.items():
        mine = [one for one in ids if one in mapped]
        if len(ids) > 1 and mine:
            return mine[-1], name, next(one for one in ids if one != mine[-1])
    return None


def _name_of(key: str) -> str | None:
    """Return Textual's name of *key*; None when there is none."""
    if len(key) == 1:
        return _character_to_key(key) if key.isprintable() and key != " " else None
    *modifiers, last = key.split("+")
    if any(one not in _MODIFIERS for one in modifiers):
        return None
    known = last in _KNOWN or key_to_character(last) is not None
    return key if known else None
