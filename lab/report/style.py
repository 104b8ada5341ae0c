"""The dress of the page: the palettes of the screen, light and dark as the reader's system is."""

from __future__ import annotations

from lab.report.markup import Markup
from lab.report.plots import DASHES
from lab.tui.themes import DARK, LIGHT, Palette


def _colours(palette: Palette) -> str:
    named = {
        "ground": palette.ground,
        "bar": palette.bar,
        "text": palette.text,
        "dim": palette.dim,
        "line": palette.line,
        "warn": palette.warn,
        "harm": palette.harm,
        "well": palette.well,
        "you": palette.you,
        "shade": palette.you_ground,
        "answered": palette.spark,
    }
    named |= {f"node{place}": ink for place, (_, ink) in enumerate(palette.cells)}
    return "".join(f"--{name}:{colour};" for name, colour in named.items())


_NODES = "\n".join(
    f".node{place} {{ stroke: var(--node{place}); }} circle.node{place} {{ stroke: none;"
    f" fill: var(--node{place}); }}"
    for place in range(len(DASHES))
)

STYLE = Markup(
    f"""
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
"""
    + """
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px; }
h1 { margin: 0; font-size: 26px; } h2 { margin: 34px 0 8px; font-size: 18px; }
header p { margin: 4px 0; } .dim, footer { color: var(--dim); } footer { margin-top: 40px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 18px 0; }
.tiles > div { background: var(--bar); border-radius: 6px; padding: 10px 14px; max-width: 460px;
  overflow-wrap: anywhere; }
.tiles b { display: block; font-size: 12px; font-weight: normal; color: var(--dim); }
.lacks { color: var(--warn); padding-left: 18px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
a { color: var(--you); }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th { text-align: left; font-weight: normal; color: var(--dim); white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.well { color: var(--well); } .harm { color: var(--harm); } .warn { color: var(--warn); }
.you { color: var(--you); } .strong { font-weight: 600; }
pre { overflow-x: auto; background: var(--bar); padding: 12px; font-size: 13px; }
summary { cursor: pointer; color: var(--dim); }
figure { margin: 0 0 14px; } figcaption, .legend { color: var(--dim); font-size: 13px; }
figure img, section > img { max-width: 100%; }
.key { margin-right: 14px; color: var(--text); white-space: nowrap; }
.swatch { display: inline-block; width: 22px; height: 0; margin-right: 6px; vertical-align: middle;
  border-top: 3px solid transparent; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg.swatch.line { width: 34px; height: 8px; border: none; }
svg text { fill: var(--dim); stroke: none; } svg path, svg line { stroke-width: 1.6; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .fault { fill: var(--shade); opacity: .75; stroke: none; }
svg text.mark { fill: var(--you); font-weight: 600; }
svg text.warn { fill: var(--warn); } svg text.star { fill: var(--warn); font-size: 15px; }
svg .answered { fill: var(--answered); stroke: none; }
svg .failed { fill: var(--harm); stroke: none; }
svg .p50 { stroke: var(--well); } svg circle.p50 { fill: var(--well); stroke: none; }
svg .p99 { stroke: var(--warn); stroke-dasharray: 6 3; }
svg circle.p99 { fill: var(--warn); stroke: none; }
svg .threshold { stroke: var(--warn); stroke-dasharray: 2 3; }
svg .running { stroke: var(--well); stroke-width: 5; }
svg .paused { stroke: var(--warn); stroke-width: 5; stroke-dasharray: 5 4; }
svg .silent { stroke: var(--dim); stroke-width: 2; stroke-dasharray: 2 3; }
svg .stopped { stroke: var(--dim); stroke-width: 2; }
svg .killed, svg .exited { stroke: var(--harm); stroke-width: 2; }
.swatch.answered { border-color: var(--answered); border-top-width: 9px; }
.swatch.failed { border-color: var(--harm); border-top-width: 9px; }
.swatch.p50 { border-color: var(--well); }
.swatch.p99 { border-color: var(--warn); border-top-style: dashed; }
.swatch.running { border-color: var(--well); border-top-width: 5px; }
.swatch.paused { border-color: var(--warn); border-top: 5px dashed var(--warn); }
.swatch.silent { border-top: 2px dotted var(--dim); }
.swatch.stopped { border-top: 2px solid var(--dim); }
.swatch.killed { border-top: 2px solid var(--harm); }
@media print { details { display: block; } }
"""
    + _NODES
)
