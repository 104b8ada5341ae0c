"""Where panels go: inside the screen, never over one another, at every size."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.tui.desk import PANELS
from lab.tui.plan import LEAST, PAGES, Shape, plan

SHAPES = st.builds(
    Shape,
    width=st.integers(1, 300),
    height=st.integers(1, 100),
    page=st.sampled_from(PAGES),
    nodes=st.integers(0, 15),
    shards=st.sampled_from([0, 1, 3, 8, 9, 10, 512, 10_000]),
    alone=st.sampled_from([None, None, None, "map", "logs", "events"]),
)


@given(shape=SHAPES)
def test_panels_lie_within_the_screen_and_beside_one_another(shape: Shape) -> None:
    regions = plan(shape)
    for region in regions.values():
        assert region.width > 0
        assert region.height > 0
        assert 0 <= region.x < region.right <= shape.width
        assert region.y >= 0
        assert region.bottom <= max(shape.height, 1)
    for one, other in combinations(regions.values(), 2):
        assert not one.overlaps(other)


@given(shape=SHAPES)
def test_every_planned_panel_exists_and_title_and_keys_are_there(shape: Shape) -> None:
    regions = plan(shape)
    assert set(regions) <= set(PANELS)
    assert "title" in regions
    if shape.width >= LEAST[0] and shape.height >= LEAST[1]:
        assert "footer" in regions
    else:
        assert "small" in regions or shape.height <= shape.nodes + 1


@given(shape=SHAPES)
def test_nothing_of_the_screen_is_left_bare(shape: Shape) -> None:
    if shape.width < LEAST[0] or shape.height < LEAST[1]:
        return
    covered = sum(region.area for region in plan(shape).values())
    assert covered == shape.width * shape.height or shape.nodes > 9


@pytest.mark.parametrize("size", [(80, 24), (90, 45), (120, 30), (140, 45)])
@pytest.mark.parametrize("nodes", [1, 3, 5, 9])
def test_the_pulse_of_a_node_leaves_room_for_its_shards_and_lines(
    size: tuple[int, int], nodes: int
) -> None:
    width, height = size
    regions = plan(Shape(width=width, height=height, page="node", nodes=nodes, shards=9))
    assert regions["roles"].height >= 5
    assert regions["lines"].height >= 5
    if height >= 45:
        assert regions["pulse"].height >= nodes - 1 + 4
