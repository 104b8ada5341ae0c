"""Why? A simulated cluster is broken, and asked at every step, also of its past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.apps import kv
from lab.observe.happenings import Happening
from lab.observe.tape import Picture
from lab.observe.why import Question, why
from lab.sim.cluster import SimCluster
from lab.sim.watch import SimWatcher
from lolraft.errors import RequestFailed


def _chain(seen: Picture, question: Question) -> str:
    answer = why(seen.view, seen.account, question)
    return "\n".join(reason.text for reason in answer.reasons)


class Asked:
    """A simulated cluster, what was seen of it, and the answers."""

    def __init__(self) -> None:
        self.cluster = SimCluster(seed=7, speed=None)
        self.watcher = SimWatcher(self.cluster, on_happening=self._take)
        self.seen = Picture(self.watcher.view)

    def _take(self, happening: Happening) -> None:
        self.seen = self.seen.after(happening)

    def why(self, about: str, **more: object) -> str:
        question = Question(about=about, shard_id=0, **more)  # type: ignore[arg-type]
        return _chain(self.seen, question)

    @property
    def leader(self) -> str:
        leader = self.watcher.view.shards[0].leader
        assert leader is not None
        return leader


@asynccontextmanager
async def simulated() -> AsyncIterator[Asked]:
    made = Asked()
    try:
        await made.cluster.start(lambda line: None)
        made.watcher.start()
        made.watcher.select(0, None, 40)
        await made.cluster.client().write(0, kv.put("a", "1"), timeout_s=20.0)
        await made.cluster.sleep(3.0)
        yield made
    finally:
        await made.watcher.stop()
        await made.cluster.close()


async def test_a_simulated_cluster_that_is_broken_says_why_it_is_as_it_is() -> None:
    async with simulated() as one:
        first = one.leader
        assert "no leader of a term before 1 was ever reported" in one.why("shard")
        await one.cluster.kill(first)
        await one.cluster.sleep(4.0)
        second = one.leader
        third = ({"n1", "n2", "n3"} - {first, second}).pop()
        answer = one.why("shard")
        assert f"because {first}, which led in term 1, was suspected by {second} at φ 12" in answer
        assert f"you killed {first} 4.0 s ago (simulated crash)" in answer
        votes = " and ".join(sorted([second, third]))
        assert f"by the votes of {votes}, of 3 voters; how {first} voted is not known" in answer

        await one.cluster.cut(second, third)
        with pytest.raises(RequestFailed, match="DEADLINE"):
            await one.cluster.client().write(0, kv.put("b", "2"), timeout_s=0.5)
        answer = one.why("index")
        assert f"{second} has it, it needs 1 more" in answer
        assert f"{third} lacks it: you cut {second} → {third} 0.5 s ago" in answer
        assert f"{first} cannot say that it has it: you killed {first}" in answer

        await one.cluster.sleep(3.0)
        answer = one.why("shard")
        assert "2 of 3 voters are heard" in answer
        assert f"{second} led in term 2 and stepped down" in answer
        assert f"you cut {second} → {third}" in answer
        past = one.seen
        await one.cluster.heal()
        await one.cluster.sleep(3.0)
        assert f"{one.leader} leads s0000" in one.why("shard")
        then = _chain(past, Question(about="shard", shard_id=0))
        assert then == answer  # What was known then is not rewritten.
