"""A wish for other members, as it is forwarded and as a peer might garble it."""

from __future__ import annotations

import pytest

from lolraft.multiraft.wishes import MOST_SERVERS, OTHERS_LEAVE, Wish


@pytest.mark.parametrize("others_leave", [False, True])
def test_a_wish_is_read_as_it_was_written(others_leave: bool) -> None:
    wish = Wish.of(["b:2", "A:1"], ["http://c:3/"], ["d:4"], others_leave=others_leave)
    assert wish.voters == ("http://a:1", "http://b:2")
    assert wish.learners == ("http://c:3",)
    assert Wish.decode(wish.encode()) == wish


BAD = {
    "nobody": b"",
    "nobody, and others leave": OTHERS_LEAVE.encode(),
    "no address": b"voter ftp://x",
    "no standing": b"king http://a:1",
    "twice, in two forms": b"voter http://a:1\nremoved HTTP://A:1/",
    "others leave in the middle": b"others leave\nvoter http://a:1",
    "no text": b"\xff",
    "too many": b"\n".join(b"voter http://a:%d" % n for n in range(1, MOST_SERVERS + 2)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_wish_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"names 1 to|http://host|standing|twice|decode"):
        Wish.decode(BAD[name])
