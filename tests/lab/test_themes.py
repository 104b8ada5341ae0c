"""Every theme can be read, by eyes that see fewer colours too, and with none at all."""

from __future__ import annotations

from itertools import combinations

import pytest
from rich.color import Color
from rich.style import Style
from textual.color import Color as Shade

from lab.tui.commands import LabCommands
from lab.tui.themes import PALETTES, Palette
from tests.lab import demo
from tests.lab.screen import Lab, running

TEXT, GRAPHICS = 4.5, 3.0  # WCAG 2.1: success criteria 1.4.3 (AA) and 1.4.11.
INKS = ("text", "dim", "faint", "warn", "harm", "well", "you", "snap")
STRONG = ("warn", "harm", "well", "you")
# What is on the screen as text, by the measures of WCAG: letters and digits, not bars and frames.
PAGES = "1234567"
Linear = tuple[float, float, float]

# Machado, Oliveira, Fernandes: "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (2009), severity 1.0, on linear RGB.
DEFICIENCIES = {
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
}
APART = 20.0  # CIE76 distance: told apart at a glance, not only side by side.


def linear(colour: str) -> Linear:
    """Return linear RGB of `#rrggbb`, by the definition of relative luminance in WCAG 2.1."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.1, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # The known near miss.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def pairs(palette: Palette) -> dict[str, tuple[str, str]]:
    """Return every text and ground that a theme puts together."""
    found = {
        f"{ink} on {ground}": (getattr(palette, ink), getattr(palette, ground))
        for ink in INKS
        for ground in ("ground", "bar")
    }
    found |= {
        f"{ink} under the cursor": (getattr(palette, ink), palette.you_ground)
        for ink in INKS
        if ink != "faint"
    }
    found |= {f"alarm {name}": (palette.on_strong, getattr(palette, name)) for name in STRONG}
    found |= {"cursor": palette.cursor, "old": palette.old, "clash": ("#ffffff", palette.clash)}
    for name in ("nodes", "cells", "terms"):
        found |= {f"{name} {at}": pair for at, pair in enumerate(getattr(palette, name))}
    for at, term in enumerate(palette.open_terms):
        found[f"open term {at}"] = (term, palette.ground)
    return found


@pytest.mark.parametrize("theme", PALETTES)
def test_text_can_be_read_on_its_ground(theme: str) -> None:
    palette = PALETTES[theme]
    poor = {
        name: round(contrast(*pair), 2)
        for name, pair in pairs(palette).items()
        if contrast(*pair) < TEXT
    }
    assert poor == {}
    assert contrast(palette.spark, palette.ground) >= GRAPHICS


def written(lab: Lab) -> set[tuple[str, str, str]]:
    """Return a word for every ink and ground in which letters or digits stand on the screen."""
    found = {}
    for strip in lab.app.screen._compositor.render_strips():
        for text, style, _ in strip:
            word = "".join(sign for sign in text if sign.isalnum())
            if word and style is not None and style.color and style.bgcolor:
                found[hex_of(style.color), hex_of(style.bgcolor)] = word
    return {(ink, ground, word) for (ink, ground), word in found.items()}


def hex_of(colour: Color) -> str:
    return colour.get_truecolor().hex


@pytest.mark.parametrize("theme", PALETTES)
async def test_no_page_writes_what_cannot_be_read(theme: str) -> None:
    async with running(demo.cluster(), size=(140, 45)) as lab:
        lab.app.theme = theme
        for page in PAGES:
            await lab.press(page)
            words = written(lab)
            assert len(words) > 5, "the page is painted"
            poor = {each for each in words if contrast(each[0], each[1]) < TEXT}
            assert poor == set(), f"page {page}"


def seen(colour: str, deficiency: str) -> tuple[float, float, float]:
    """Return CIE Lab of *colour* as somebody with *deficiency* sees it."""
    mine = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(part * value for part, value in zip(row, mine, strict=True))))
        for row in DEFICIENCIES[deficiency]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def apart(one: str, other: str, deficiency: str) -> float:
    both = zip(seen(one, deficiency), seen(other, deficiency), strict=True)
    return float(sum((mine - its) ** 2 for mine, its in both) ** 0.5)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_who_sees_no_red_or_no_green_tells_the_signals_apart(deficiency: str) -> None:
    palette = PALETTES["lab-deuter"]
    near = {
        (one, other): apart(getattr(palette, one), getattr(palette, other), deficiency)
        for one, other in combinations(STRONG, 2)
    }
    assert min(near.values()) >= APART, near


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("theme", ["lab-dark", "lab-light"])
def test_harm_is_never_taken_for_well(theme: str, deficiency: str) -> None:
    palette = PALETTES[theme]
    assert apart(palette.harm, palette.well, deficiency) >= APART


def test_mono_has_no_hue() -> None:
    palette = PALETTES["lab-mono"]
    greys = {colour for pair in pairs(palette).values() for colour in pair}
    assert {colour for colour in greys if len({colour[1:3], colour[3:5], colour[5:]}) > 1} == set()


async def test_a_command_for_each_theme_changes_it() -> None:
    async with running(demo.cluster()) as lab:
        commands = {title: call for title, _, call in LabCommands(lab.app.screen)._views()}
        inks = set()
        for theme in PALETTES:
            commands[f"View: theme {theme}"]()
            await lab.pilot.pause()
            assert lab.app.theme == theme
            inks.add(frozenset((ink, ground) for ink, ground, _ in written(lab)))
        assert len(inks) == len(PALETTES), "each looks different"


async def test_no_color_leaves_none_and_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(demo.cluster()) as lab:
        plain = lab.text()
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(demo.cluster()) as lab:
        assert lab.text() == plain
        for strip in lab.app.screen._compositor.render_strips():
            assert all(is_grey(style) for _, style, _ in strip)


def is_grey(style: Style | None) -> bool:
    colours = [] if style is None else [one for one in (style.color, style.bgcolor) if one]
    return all(Shade.from_rich_color(one).hsl.s < 0.01 for one in colours)
