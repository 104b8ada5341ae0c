"""The pictures of the pages: what the script takes is what lies in the repository."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from lab.options import parse
from lab.pictures import __main__ as script
from lab.pictures.shots import SHOTS, shot
from lab.pictures.take import BEGIN_S, Shot, take
from lab.rooms.room import rooms
from lab.scenarios import script as scenarios
from lab.scenarios.stage import Failed

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "lab" / "pictures"
TOUR = ROOT / "lab" / "README.md"
MOST_BYTES = 160_000


def words(svg: str) -> list[str]:
    """Return what can be read, line by line; the bytes around it are the renderer's own."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(
        r'<text class="t-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)', svg
    ):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text)))
    return ["".join(text for _, text in sorted(rows[y])) for y in sorted(rows)]


@pytest.mark.parametrize("name", ["links", "past"])
async def test_a_picture_is_what_the_script_takes(name: str) -> None:
    taken = await take(shot(name))
    assert words(taken) == words((KEPT / f"{name}.svg").read_text()), "./dev pictures renews them"
    assert len(words(taken)) == shot(name).size[1]


async def test_two_runs_take_the_same_bytes() -> None:
    assert await take(shot("quorum")) == await take(shot("quorum"))


async def test_keys_and_time_are_in_the_picture() -> None:
    def seen(keys: str) -> Shot:
        return Shot(name="t", story="write a=1", keys=keys, size=(80, 24))

    plain, later = await take(seen("")), await take(seen("K run:3"))
    assert any("● up" in line for line in words(plain))
    assert not any("killed" in line for line in words(plain))
    assert any("✗ killed" in line for line in words(later))
    assert BEGIN_S == 1_800_000_000.0, "the hours on the pictures"


async def test_a_story_that_comes_out_otherwise_is_no_picture() -> None:
    with pytest.raises(Failed, match="leads"):
        await take(Shot(name="t", story="expect no leader within 0.2s"))


def test_every_picture_is_kept_needs_no_net_and_is_on_a_page() -> None:
    assert {path.stem for path in KEPT.glob("*.svg")} == {one.name for one in SHOTS}
    pages = (ROOT / "README.md").read_text() + TOUR.read_text()
    for path in KEPT.glob("*.svg"):
        text = path.read_text()
        assert len(text) <= MOST_BYTES, path.name
        links = set(re.findall(r'https?://[^"\s<]+', text))
        assert links == {"http://www.w3.org/2000/svg", "https://www.textualize.io"}, path.name
        assert "@font-face" not in text
        assert f"pictures/{path.name}" in pages, f"no page shows {path.name}"


def test_the_tour_names_what_there_is() -> None:
    tour = TOUR.read_text()
    stops = tour.split("\n## ")[1:11]
    for number, stop in enumerate(stops, 1):
        assert stop.startswith(f"{number}. ")
        for part in ("```console\n$ ./log", "**Look at**", "**Press**", "**What happened**", "!["):
            assert part in stop, (number, part)
        assert re.search(r"§\d", stop) or number in (6, 9), number
    for name in re.findall(r"--scenario (\w+)", tour):
        assert name == "list" or name in scenarios.names()
    assert re.findall(r"^\| (\d+) `(\w+)` \|", tour, re.MULTILINE) == [
        (str(room.number), room.name) for room in rooms()
    ]
    commands = re.findall(r"^\$ (./log.*?)(?:  #.*)?$", tour, re.MULTILINE)
    for command in commands:
        parse(command.split()[1:])


def test_a_name_of_no_picture_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["nothing"]) == 1
    assert "no picture is called nothing" in capsys.readouterr().out
