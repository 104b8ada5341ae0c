"""Lines, words and numbers: exact widths, whatever an app or a log says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lab.tui.paint import (
    ASCII,
    UNICODE,
    Line,
    cut,
    in_ascii,
    phi_text,
    rate,
    short,
    size,
    span_s,
    spark,
)


@given(text=st.text(), width=st.integers(0, 40))
def test_a_line_has_exactly_the_width_asked_for(text: str, width: int) -> None:
    line = Line().add(cut(text, 30))
    assert line.strip(width).cell_length == width
    assert cell_len(line.strip(width).text) == width


@given(text=st.text(), width=st.integers(0, 40))
def test_cut_text_fits_and_is_one_line(text: str, width: int) -> None:
    shortened = cut(text, width)
    assert cell_len(shortened) <= width
    assert shortened.isprintable()


@given(text=st.text(st.characters(exclude_categories=["C"]), max_size=30))
def test_ascii_keeps_the_width(text: str) -> None:
    strip = Line(cut(text, 30)).strip(30)
    plain = in_ascii(strip)
    assert plain.text.isascii()
    assert len(plain.text) == 30


@pytest.mark.parametrize("name", UNICODE.__dataclass_fields__)
def test_every_glyph_is_one_cell_wide(name: str) -> None:
    for glyphs in (UNICODE, ASCII):
        for sign in getattr(glyphs, name):
            assert cell_len(sign) == 1
    assert getattr(ASCII, name).isascii()
    assert len(getattr(ASCII, name)) == len(getattr(UNICODE, name))


@given(values=st.lists(st.floats(-1, 100), max_size=50), width=st.integers(0, 30))
def test_sparks_fill_their_width(values: list[float], width: int) -> None:
    assert len(spark(values, width, 1.0, UNICODE)) == width


def test_numbers_are_said_as_a_person_reads_them() -> None:
    assert [span_s(value) for value in (0.64, 9.94, 9.96, 119, 121, 7300)] == [
        "0.6 s", "9.9 s", "10 s", "119 s", "2 min", "2 h",
    ]  # fmt: skip
    assert [size(value) for value in (900, 70 << 20, 3 << 29)] == ["0K", "70M", "1.5G"]
    assert [rate(value) for value in (0, 87.4, 3421)] == ["0", "87", "3.42k"]
    assert [short(value) for value in (9999, 10_000)] == ["9999", "10k"]
    assert [phi_text(value) for value in (0.04, 8.06, 15.9, 16, float("inf"))] == [
        "0.0", "8.1", "15.9", "≥16", "≥16",
    ]  # fmt: skip
