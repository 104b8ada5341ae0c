"""HTML and SVG as nested calls, so that nothing gets into a page unescaped by oversight."""

from __future__ import annotations

import html

_VOID = ("meta", "img", "br")
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "�")
_CONTROLS |= {ord("\t"): "\t", ord("\n"): "\n"}
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_UNWANTED = _CONTROLS | _SURROGATES  # No page may have them, and no terminal should get them.


class Markup(str):
    """Text that is markup already; every other string is escaped."""

    __slots__ = ()


def clean(text: str) -> str:
    """Return *text* with a sign instead of what no document may contain."""
    return text.translate(_UNWANTED)


def escaped(value: object) -> str:
    """Return *value* as markup: what is markup as it is, all else as the text that it is."""
    return value if isinstance(value, Markup) else html.escape(clean(str(value)), quote=True)


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """
    Return one element.

    An attribute that is None is left out; `_` in its name is `-`, except one at the end, which
    keeps Python's own words apart: `class_`.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*parts: object) -> Markup:
    """Return all parts one after another."""
    return Markup("".join(escaped(part) for part in parts))
