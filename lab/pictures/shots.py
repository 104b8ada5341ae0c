"""What is on the pictures: `main` and `small` for README.md, the others for lab/README.md."""

from __future__ import annotations

from lab.pictures.take import SMALL, Shot

SHOTS: tuple[Shot, ...] = (
    Shot(
        name="main",
        story="""
            nodes 5
            shards 0-511
            wait 20s
            transfer n2
            wait 20s
            kill n4
            isolate n4
            wait 0.5s
        """,
        keys="L run:3",
    ),
    Shot(
        name="small",
        story="""
            nodes 5
            shards 0-511
            wait 10s
            kill n4
            wait 0.9s
        """,
        size=SMALL,
    ),
    Shot(
        name="election",
        story="""
            wait 4s
            write hello=world
            wait 1s
        """,
        size=SMALL,
    ),
    Shot(
        name="leader",
        story="""
            write a=1
            wait 8s
            call leader old
            kill old
            expect leader is not old
            write b=2
            wait 1.5s
        """,
    ),
    Shot(
        name="minority",
        story="""
            nodes 5
            write 12
            call leader old
            call follower1 friend
            call follower2 x
            call follower3 y
            call follower4 z
            split old friend | x y z
            begin a=lost at old
            begin b=lost at old
            expect leader is not old within 6s
            write 3
            wait 0.5s
        """,
        keys="enter",
    ),
    Shot(
        name="snapshot",
        story="""
            snapshot-entries 50
            tail-entries 0
            write 10
            call follower late
            stop late
            write 120
            wait 1s
        """,
        size=SMALL,
    ),
    Shot(
        name="links",
        story="""
            write a=1
            wait 20s
            cut leader -> follower
            wait 4s
        """,
        keys="4",
        size=SMALL,
    ),
    Shot(
        name="load",
        story="write a=1",
        keys="L run:40 K run:30 6",
    ),
    Shot(
        name="quorum",
        story="""
            write a=1
            wait 8s
            kill follower1
            kill follower2
            expect no leader within 8s
            wait 1s
        """,
        size=SMALL,
    ),
    Shot(
        name="past",
        story="""
            write a=1
            wait 8s
            kill leader
            expect leader within 5s
            wait 4s
        """,
        keys="3 z <",
        size=SMALL,
    ),
    Shot(name="alarm", room="planted_bug"),
)


def shot(name: str) -> Shot:
    """Return the one of this name."""
    return next(one for one in SHOTS if one.name == name)
