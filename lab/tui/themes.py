"""The palettes: harm is vermilion, well is teal, warning and focus are one amber (LAB 1.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.theme import Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Every colour of one theme; grounds come as (ground, text)."""

    dark: bool
    ground: str
    text: str
    dim: str
    faint: str  # Ages, scales, signs for nothing: still to be read, on `ground` and on `bar`.
    line: str
    bar: str  # Title line, footer and the row under the cursor.
    warn: str  # Also the one accent, for focus.
    harm: str
    well: str
    you: str
    you_ground: str
    snap: str
    spark: str
    clash: str
    on_strong: str
    cursor: tuple[str, str]
    nodes: tuple[tuple[str, str], ...]  # Labels.
    cells: tuple[tuple[str, str], ...]  # The same hue, deep, in the map.
    terms: tuple[tuple[str, str], ...]  # Newest first.
    open_terms: tuple[str, ...]  # The same, as ink on the ground.
    old: tuple[str, str]  # The label of a node that does not report.


_INK, _PAPER = "#0f1318", "#ffffff"

DARK = Palette(
    dark=True,
    ground=_INK,
    text="#d5dae2",
    dim="#9aa7b5",
    faint="#808d9b",
    line="#313e4a",
    bar="#1b232c",
    warn="#e0b341",
    harm="#e8743b",
    well="#5fb7a5",
    you="#8fb4e8",
    you_ground="#1d2f47",
    snap="#b78be0",
    spark="#6c8fb8",
    clash="#7a2e10",
    on_strong=_INK,
    cursor=("#ffffff", _INK),
    nodes=(
        ("#332288", "#d4d0ff"),
        ("#117733", "#d3f5d9"),
        ("#882255", "#ffd3ea"),
        ("#1f6f8b", "#d5f2fb"),
        ("#6b6420", "#f7f1c4"),
        ("#7a3b46", "#fbdde1"),
        ("#2d6a5f", "#d3f5ec"),
        ("#6d3b78", "#f3dcf8"),
        ("#4a4a4a", "#e6e6e6"),
    ),
    cells=(
        ("#1f1b44", "#b9b3f2"),
        ("#123a22", "#8fdca8"),
        ("#431432", "#f0a6cf"),
        ("#16384a", "#9fdcf0"),
        ("#38351a", "#e6dd93"),
        ("#432530", "#f0b3bb"),
        ("#1b3d37", "#9fe3d5"),
        ("#3a2340", "#dfb2ea"),
        ("#2b2b2b", "#cfcfcf"),
    ),
    terms=(
        ("#e8d44a", _INK),
        ("#86c95f", _INK),
        ("#35a586", _INK),
        ("#3d7f92", _PAPER),
        ("#4a5f9a", _PAPER),
        ("#4c3f7d", _PAPER),
    ),
    open_terms=("#e8d44a", "#86c95f", "#35a586", "#5fa9be", "#7f93d0", "#8d7fc4"),
    old=("#1b232c", "#9aa7b5"),
)

DEUTER = replace(
    DARK,
    warn="#f7e08a",
    harm="#f0701a",
    well="#4a9bea",
    you="#cfe0ff",
    you_ground="#2b2550",
    spark="#5f8fc0",
)

MONO = replace(
    DARK,
    text="#dddddd",
    dim="#a8a8a8",
    faint="#8c8c8c",
    line="#3c3c3c",
    bar="#242424",
    ground="#101010",
    warn="#e6e6e6",
    harm="#ffffff",
    well="#b4b4b4",
    you="#c8c8c8",
    you_ground="#303030",
    snap="#c8c8c8",
    spark="#8c8c8c",
    clash="#585858",
    on_strong="#101010",
    cursor=("#ffffff", "#101010"),
    nodes=tuple((ground, "#eeeeee") for ground in ("#4a4a4a", "#5a5a5a", "#3a3a3a") * 3),
    cells=tuple((ground, "#cccccc") for ground in ("#1c1c1c", "#2c2c2c", "#242424") * 3),
    terms=(
        ("#d8d8d8", "#101010"),
        ("#b4b4b4", "#101010"),
        ("#909090", "#101010"),
        ("#6c6c6c", "#ffffff"),
        ("#505050", "#ffffff"),
        ("#3a3a3a", "#ffffff"),
    ),
    open_terms=("#d8d8d8", "#b4b4b4", "#a0a0a0", "#949494", "#8a8a8a", "#808080"),
    old=("#242424", "#a8a8a8"),
)

LIGHT = Palette(
    dark=False,
    ground="#fbfaf7",
    text="#22282f",
    dim="#4f5a65",
    faint="#626b75",
    line="#cfd5da",
    bar="#e9ebe8",
    warn="#7f5200",
    harm="#ad3f0a",
    well="#0a6b5a",
    you="#2a5db0",
    you_ground="#dbe7fa",
    snap="#7a3fb0",
    spark="#5f83b4",
    clash="#8a2c08",
    on_strong="#ffffff",
    cursor=("#22282f", "#ffffff"),
    nodes=tuple((ground, "#ffffff") for ground, _text in DARK.nodes),
    cells=(
        ("#e2e0f7", "#332288"),
        ("#d9efde", "#0d5c28"),
        ("#f8dcea", "#882255"),
        ("#d7ecf4", "#175a72"),
        ("#efecce", "#57511a"),
        ("#f5dfe2", "#7a3b46"),
        ("#d8ece8", "#23574d"),
        ("#eddff1", "#6d3b78"),
        ("#e3e3e3", "#3c3c3c"),
    ),
    terms=(
        ("#f0d94a", "#22282f"),
        ("#8fd069", "#22282f"),
        ("#4fb89a", "#22282f"),
        ("#3d7e94", "#ffffff"),
        ("#5468a6", "#ffffff"),
        ("#675a9c", "#ffffff"),
    ),
    open_terms=("#8a7000", "#3f7f22", "#0f7c69", "#2a6f86", "#46549a", "#4c3f7d"),
    old=("#e9ebe8", "#4f5a65"),
)

PALETTES = {"lab-dark": DARK, "lab-light": LIGHT, "lab-deuter": DEUTER, "lab-mono": MONO}


def themes() -> list[Theme]:
    """Return the four themes as Textual knows them."""
    return [_theme(name, palette) for name, palette in PALETTES.items()]


def palette_of(theme_name: str, *, dark: bool) -> Palette:
    """Return the palette for a theme, also for one that is not ours."""
    return PALETTES.get(theme_name, DARK if dark else LIGHT)


def _theme(name: str, palette: Palette) -> Theme:
    return Theme(
        name=name,
        primary=palette.warn,
        secondary=palette.you,
        warning=palette.warn,
        error=palette.harm,
        success=palette.well,
        accent=palette.warn,
        foreground=palette.text,
        background=palette.ground,
        surface=palette.bar,
        panel=palette.line,
        dark=palette.dark,
        variables={
            "block-cursor-background": palette.you_ground,
            "block-cursor-foreground": palette.text,
            "block-cursor-blurred-background": palette.you_ground,
            "block-cursor-blurred-foreground": palette.text,
            "block-hover-background": palette.line,
            "scrollbar": palette.line,
            "scrollbar-hover": palette.faint,
            "scrollbar-active": palette.faint,
            "scrollbar-background": palette.bar,
            "scrollbar-background-hover": palette.bar,
            "scrollbar-background-active": palette.bar,
            "input-selection-background": palette.you_ground,
            **own_variables(palette),
        },
    )


def own_variables(palette: Palette) -> dict[str, str]:
    """Return what lab.tcss uses beyond Textual's own names."""
    return {"lab-dim": palette.dim, "lab-bar": palette.bar, "lab-ground": palette.ground}
