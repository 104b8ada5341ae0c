"""What one lab leaves to the next: a small TOML file of the user's, which they may edit too."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from platformdirs import user_config_path

from lab.tui.actions import COLOURINGS, ORDERS
from lab.tui.steering import SPEEDS
from lab.tui.themes import PALETTES

VERSION = 1
HEAD = f"""\
# What ./log remembers of how it looked. Yours to edit; keys of your own, by the names that
# lab/tui/keys.py gives them: keys = {{kill = "Q", help = "f1"}}
version = {VERSION}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the lab looks at its start; what was never chosen has the value here."""

    theme: str = "lab-dark"
    ascii: bool = False
    colouring: str = "leader"  # Of the map.
    order: str = "shard"  # Of the table.
    descending: bool = False
    speed: float = 1.0  # Of simulated time; never 0 or without a limit.
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says, and what is wrong with it."""

    settings: Settings = Settings()
    words: tuple[str, ...] = ()
    is_ours: bool = True  # It is understood, so it may be changed.


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "theme": tuple(PALETTES),
    "ascii": (False, True),
    "colouring": COLOURINGS,
    "order": ORDERS,
    "descending": (False, True),
    "speed": tuple(speed for speed in SPEEDS if speed),
}


def path() -> Path:
    """Return where the file lies: `$XDG_CONFIG_HOME/lolraft/lab.toml`, or its like elsewhere."""
    return user_config_path("lolraft") / "lab.toml"


def read(place: Path) -> Read:
    """Return what the file says; whatever is wrong with it is a sentence and the default."""
    try:
        return _understood(place, _text_of(place))
    except (OSError, UnicodeError) as broken:
        return _not_ours(place, f"cannot be read ({broken})")


def _text_of(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _understood(place: Path, text: str) -> Read:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        return _not_ours(place, f"is damaged ({broken})")
    version = raw.pop("version", VERSION)
    if version != VERSION:
        return _not_ours(place, f"is of another lab (version {version}, not {VERSION})")
    settings, words = _settings_of(raw)
    return Read(settings, tuple(f"{place}: {one}" for one in words))


def _not_ours(place: Path, why: str) -> Read:
    return Read(
        words=(f"{place} {why}: the defaults hold, and nothing is remembered",), is_ours=False
    )


def _settings_of(raw: Mapping[str, object]) -> tuple[Settings, list[str]]:
    settings, words = Settings(), []
    for name, value in raw.items():
        if name == "keys":
            if isinstance(value, dict) and all(isinstance(key, str) for key in value.values()):
                settings = replace(settings, keys=MappingProxyType(value))
            else:
                words.append('keys is a table of texts, such as keys = {kill = "Q"}')
        elif name not in _CHOICES:
            words.append(f"{name} is no setting; there are {', '.join(_CHOICES)} and keys")
        elif not _is_one(value, _CHOICES[name]):
            known = ", ".join(map(_toml, _CHOICES[name]))
            words.append(f"{name} is one of {known}, not {value!r}")
        else:
            settings = replace(settings, **{name: value})  # type: ignore[arg-type]  # A choice.
    return settings, words


def _is_one(value: object, choices: tuple[object, ...]) -> bool:
    """Return whether *value* is among *choices*; a number is no truth value, as it is in Python."""
    return value in choices and isinstance(value, bool) == isinstance(choices[0], bool)


def write(place: Path, changes: Mapping[str, object]) -> None:
    """
    Put *changes* into the file, whole or not at all; whatever else stands there stays.

    A file that cannot be understood, or is of another version, is left as it is.

    Raises:
        OSError: it cannot be written.
    """
    place = place.resolve()  # A link to somewhere else stays one.
    try:
        text = _text_of(place)
    except UnicodeError:
        return
    if not _understood(place, text).is_ours:
        return
    changed = _rewritten(text or HEAD, changes)
    if changed is None:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".lab", suffix=".toml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(changed)
        os.replace(temporary, place)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _rewritten(text: str, changes: Mapping[str, object]) -> str | None:
    """Return *text* with the lines of *changes* put or replaced; None where that goes wrong."""
    lines = text.splitlines()
    for name, value in changes.items():
        top = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
        mine = (n for n in range(top) if re.match(rf"\s*{name}\s*=", lines[n]))
        at = next(mine, None)
        lines[top if at is None else at : top if at is None else at + 1] = [
            f"{name} = {_toml(value)}"
        ]
    changed = "\n".join(lines) + "\n"
    try:
        wanted = {**tomllib.loads(text), **changes}
        return changed if tomllib.loads(changed) == wanted else None
    except tomllib.TOMLDecodeError:
        return None  # A person wrote something that lines cannot be put into.


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value}"
